// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../src/Errors.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {ShaleMarket} from "../src/ShaleMarket.sol";
import {Lease, LeaseState, Offer, Order, Page, Terms} from "../src/Types.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @dev Orders and leases up to the request to close: every transition, who may make it and when.
contract LeaseBookTest is MarketFixture {
    function test_CreateLease_WithBond_RecordsOrder() public {
        uint64 leaseId = created();
        Lease memory lease = market.getLease(leaseId);
        same(leaseId, 1, "first number");
        same(lease.client, client, "client");
        same(uint256(lease.state), uint256(LeaseState.Created), "state");
        same(lease.provider, provider, "provider");
        same(lease.amount, MIN_DEPOSIT, "least deposit");
        same(lease.price, PRICE, "limit");
        same(lease.deadline, block.number + ACCEPT_EPOCHS, "deadline");
        same(lease.ax, AX, "ax");
        same(lease.ay, AY, "ay");
        same(address(market).balance, BOND, "bond");
    }

    function test_CreateLease_EmitsWholeOrder() public {
        Order memory order = newOrder();
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.LeaseCreated(1, client, provider, MIN_DEPOSIT, uint64(block.number) + ACCEPT_EPOCHS, order);
        created();
    }

    function test_CreateLease_NumbersAreNeverReused() public {
        uint64 first = created();
        vm.roll(block.number + ACCEPT_EPOCHS);
        market.expire(first);
        same(created(), first + 1, "next");
    }

    function testFuzz_CreateLease_OtherValueThanBond_Reverts(uint96 value) public {
        vm.assume(value != BOND);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(WrongValue.selector, BOND, value));
        market.createLease{value: value}(newOrder());
    }

    function test_CreateLease_OfferRemoved_Reverts() public {
        vm.prank(operator);
        registry.removeOffer(provider, offerId);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(OfferNotListed.selector, provider, offerId));
        market.createLease{value: BOND}(newOrder());
    }

    function test_CreateLease_UnknownProvider_Reverts() public {
        Order memory order = newOrder();
        order.provider = 99;
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(OfferNotListed.selector, 99, offerId));
        market.createLease{value: BOND}(order);
    }

    function test_CreateLease_KeyNotCanonical_Reverts() public {
        uint256 p = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
        Order memory order = newOrder();
        order.ax = AX + p;
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(NotCanonical.selector, p, AX + p));
        market.createLease{value: BOND}(order);
        order.ax = AX;
        order.ay = AY + p;
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(NotCanonical.selector, p, AY + p));
        market.createLease{value: BOND}(order);
    }

    function testFuzz_CreateLease_KeyOffCurve_Reverts(uint248 ax, uint248 ay) public {
        vm.assume(ax != 0);
        Order memory order = newOrder();
        (order.ax, order.ay) = (ax, ay);
        vm.prank(client);
        // A random pair is on the curve with probability 2^-254.
        vm.expectRevert(abi.encodeWithSelector(NotOnCurve.selector, ax, ay));
        market.createLease{value: BOND}(order);
    }

    function test_CreateLease_OrderTooLarge_Reverts() public {
        Order memory order = newOrder();
        order.sshKeys[0] = string(new bytes(6144));
        vm.prank(client);
        vm.expectPartialRevert(AboveMaximum.selector);
        market.createLease{value: BOND}(order);
    }

    function test_Accept_ReservesLowestFreeSlot() public {
        uint64 leaseId = accepted();
        Lease memory lease = market.getLease(leaseId);
        same(uint256(lease.state), uint256(LeaseState.Accepted), "state");
        same(lease.slot, 0, "slot");
        same(lease.deadline, block.number + CONFIRM_EPOCHS, "deadline");
        same(lease.termsHash, keccak256(abi.encode(leaseId, newTerms())), "terms");
        Page memory stored = market.getPage(provider, page);
        same(stored.taken, 1, "taken");
        same(stored.live, 0, "live");
        same(stored.fresh, 0, "fresh");
        same(market.getLease(accepted()).slot, 1, "next slot");
    }

    function test_Accept_FreedSlot_IsHandedOutAgainFirst() public {
        accepted();
        uint64 second = active(1 ether);
        accepted();
        vm.prank(client);
        market.requestClose(second);
        vm.roll(block.number + CLOSE_EPOCHS);
        vm.prank(client);
        market.freeze(second);
        same(market.getPage(provider, page).taken, 5, "slot 1 free");
        same(market.getLease(accepted()).slot, 1, "slot 1 again");
    }

    function test_Accept_PageFull_Reverts() public {
        for (uint256 i = 0; i < 8; ++i) accepted();
        uint64 leaseId = created();
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(PageFull.selector, provider, page));
        market.accept(leaseId, page, newTerms());
    }

    function test_Accept_PageOf256Full_Reverts() public {
        page = newPage(provider, operator, 256);
        for (uint256 i = 0; i < 256; ++i) same(market.getLease(accepted()).slot, i, "slot");
        uint64 leaseId = created();
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(PageFull.selector, provider, page));
        market.accept(leaseId, page, newTerms());
    }

    function test_Accept_ByAnyoneButTheOperator_Reverts() public {
        uint64 leaseId = created();
        address[3] memory others = [client, owner, stranger];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, operator, others[i]));
            market.accept(leaseId, page, newTerms());
        }
    }

    function test_Accept_PriceAboveLimit_Reverts() public {
        uint64 leaseId = created();
        Terms memory terms = newTerms();
        terms.pricePerSecond = PRICE + 1;
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, PRICE, PRICE + 1));
        market.accept(leaseId, page, terms);
    }

    function test_Accept_LowerPrice_IsRecorded() public {
        uint64 leaseId = created();
        Terms memory terms = newTerms();
        terms.pricePerSecond = PRICE / 2;
        vm.prank(operator);
        market.accept(leaseId, page, terms);
        same(market.getLease(leaseId).price, PRICE / 2, "price");
    }

    function test_Accept_UnboundedTerms_Reverts() public {
        uint64 leaseId = created();
        Terms memory terms = newTerms();
        terms.endpoint = string(new bytes(257));
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 256, 257));
        market.accept(leaseId, page, terms);
        terms = newTerms();
        terms.hostKeys = new bytes32[](17);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 16, 17));
        market.accept(leaseId, page, terms);
        terms.hostKeys = new bytes32[](0);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 1, 0));
        market.accept(leaseId, page, terms);
    }

    function test_Accept_UnknownPage_Reverts() public {
        uint64 leaseId = created();
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(UnknownPage.selector, provider, 5));
        market.accept(leaseId, 5, newTerms());
    }

    /// Both orders of the race between the provider's acceptance and the order's expiry.
    function test_AcceptAndExpire_AtDeadline_NeverBoth() public {
        uint64 leaseId = created();
        uint64 deadline = market.getLease(leaseId).deadline;
        vm.roll(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(TooEarly.selector, deadline, deadline - 1));
        market.expire(leaseId);
        uint256 snapshot = vm.snapshotState();
        vm.prank(operator);
        market.accept(leaseId, page, newTerms());
        uint64 confirmBy = market.getLease(leaseId).deadline;
        vm.expectRevert(abi.encodeWithSelector(TooEarly.selector, confirmBy, deadline - 1));
        market.expire(leaseId);

        vm.revertToState(snapshot);
        vm.roll(deadline);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(TooLate.selector, deadline, deadline));
        market.accept(leaseId, page, newTerms());
        vm.prank(stranger);
        market.expire(leaseId);
        requireState(leaseId, LeaseState.Expired);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leaseId, LeaseState.Created, LeaseState.Expired));
        market.accept(leaseId, page, newTerms());
    }

    function test_Confirm_WithDeposit_MakesSlotLiveAndFresh() public {
        uint64 leaseId = active(1 ether);
        Lease memory lease = market.getLease(leaseId);
        same(uint256(lease.state), uint256(LeaseState.Active), "state");
        same(lease.amount, 1 ether, "deposit");
        same(lease.deadline, 0, "no deadline");
        Page memory stored = market.getPage(provider, page);
        same(stored.taken, 1, "taken");
        same(stored.live, 1, "live");
        same(stored.fresh, 1, "fresh");
        same(pool(provider), 1 ether, "pool");
        same(market.withdrawable(client), BOND, "bond back");
    }

    function test_Confirm_OtherTerms_Reverts() public {
        uint64 leaseId = accepted();
        bytes32 terms = market.getLease(leaseId).termsHash;
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(WrongTerms.selector, terms, bytes32(0)));
        market.confirm{value: 1 ether}(leaseId, 0);
    }

    function test_Confirm_ByAnyoneElse_Reverts() public {
        uint64 leaseId = accepted();
        bytes32 terms = market.getLease(leaseId).termsHash;
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, client, stranger));
        market.confirm{value: 1 ether}(leaseId, terms);
    }

    function testFuzz_Confirm_BelowTheLeastDeposit_Reverts(uint96 value) public {
        uint256 short = within(value, 0, MIN_DEPOSIT - 1);
        uint64 leaseId = accepted();
        bytes32 terms = market.getLease(leaseId).termsHash;
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, MIN_DEPOSIT, short));
        market.confirm{value: short}(leaseId, terms);
    }

    function test_Confirm_DepositOf2To96_Reverts() public {
        uint64 leaseId = accepted();
        bytes32 terms = market.getLease(leaseId).termsHash;
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, type(uint96).max, 1 << 96));
        market.confirm{value: 1 << 96}(leaseId, terms);
        vm.prank(client);
        market.confirm{value: type(uint96).max}(leaseId, terms);
        same(pool(provider), type(uint96).max, "the largest deposit");
    }

    function test_Confirm_OfferRaisedItsMinimumMeanwhile_OrdersMinimumCounts() public {
        uint64 leaseId = accepted();
        vm.prank(operator);
        registry.putOffer(provider, offerId, raisedOffer());
        bytes32 terms = market.getLease(leaseId).termsHash;
        vm.prank(client);
        market.confirm{value: MIN_DEPOSIT}(leaseId, terms);
        requireState(leaseId, LeaseState.Active);
    }

    function raisedOffer() private pure returns (Offer memory offer) {
        offer = newOffer();
        offer.minDeposit = 100 ether;
    }

    /// Both orders of the race between the client's confirmation and the order's expiry.
    function test_ConfirmAndExpire_AtDeadline_NeverBoth() public {
        uint64 leaseId = accepted();
        Lease memory lease = market.getLease(leaseId);
        vm.roll(lease.deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(TooEarly.selector, lease.deadline, lease.deadline - 1));
        market.expire(leaseId);
        uint256 snapshot = vm.snapshotState();
        vm.prank(client);
        market.confirm{value: 1 ether}(leaseId, lease.termsHash);
        vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leaseId, LeaseState.Created, LeaseState.Active));
        market.expire(leaseId);

        vm.revertToState(snapshot);
        vm.roll(lease.deadline);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(TooLate.selector, lease.deadline, lease.deadline));
        market.confirm{value: 1 ether}(leaseId, lease.termsHash);
        vm.prank(stranger);
        market.expire(leaseId);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leaseId, LeaseState.Accepted, LeaseState.Expired));
        market.confirm{value: 1 ether}(leaseId, lease.termsHash);
    }

    function test_Expire_NotAccepted_ReturnsBond() public {
        uint64 leaseId = created();
        vm.roll(block.number + ACCEPT_EPOCHS);
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.LeaseExpired(leaseId, provider, false);
        vm.prank(stranger);
        market.expire(leaseId);
        same(market.withdrawable(client), BOND, "bond back");
        same(earned(provider), 0, "provider");
    }

    function test_Expire_NotConfirmed_ForfeitsBondAndFreesSlot() public {
        uint64 leaseId = accepted();
        vm.roll(block.number + CONFIRM_EPOCHS);
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.LeaseExpired(leaseId, provider, true);
        vm.prank(stranger);
        market.expire(leaseId);
        same(market.withdrawable(client), 0, "client");
        same(earned(provider), BOND, "provider");
        same(market.getPage(provider, page).taken, 0, "slot");
        vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leaseId, LeaseState.Created, LeaseState.Expired));
        market.expire(leaseId);
    }

    function test_TopUp_WhileActiveOrClosing_AddsToDepositAndPool() public {
        uint64 leaseId = active(1 ether);
        vm.prank(client);
        market.topUp{value: 2 ether}(leaseId);
        vm.prank(client);
        market.requestClose(leaseId);
        vm.prank(client);
        market.topUp{value: 3 ether}(leaseId);
        same(market.getLease(leaseId).amount, 6 ether, "deposit");
        same(pool(provider), 6 ether, "pool");
    }

    function test_TopUp_OfNothingOrByAnyoneElse_Reverts() public {
        uint64 leaseId = active(1 ether);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 1, 0));
        market.topUp(leaseId);
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, client, stranger));
        market.topUp{value: 1}(leaseId);
    }

    function test_TopUp_To2To96_Reverts() public {
        uint64 leaseId = active(type(uint96).max - 1);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, type(uint96).max, 1 << 96));
        market.topUp{value: 2}(leaseId);
        vm.prank(client);
        market.topUp{value: 1}(leaseId);
        same(market.getLease(leaseId).amount, type(uint96).max, "just fits");
    }

    function test_TopUp_InOtherStates_Reverts() public {
        uint64[5] memory leases = [uint64(99), created(), accepted(), frozen(1 ether), closed(1 ether)];
        LeaseState[5] memory states = [LeaseState.None, LeaseState.Created, LeaseState.Accepted, LeaseState.Frozen, LeaseState.Closed];
        for (uint256 i = 0; i < 5; ++i) {
            vm.prank(client);
            vm.expectRevert(abi.encodeWithSelector(NotOpen.selector, leases[i], states[i]));
            market.topUp{value: 1}(leases[i]);
        }
    }

    function test_RequestClose_ByEachParty_FixesDeadline() public {
        address[3] memory parties = [client, operator, owner];
        for (uint256 i = 0; i < 3; ++i) {
            uint64 leaseId = active(1 ether);
            vm.expectEmit(true, true, true, true, address(market));
            emit MarketState.CloseRequested(leaseId, parties[i], uint64(block.number) + CLOSE_EPOCHS);
            vm.prank(parties[i]);
            market.requestClose(leaseId);
            same(market.getLease(leaseId).deadline, block.number + CLOSE_EPOCHS, "deadline");
            requireState(leaseId, LeaseState.Closing);
            same(market.getPage(provider, page).live >> market.getLease(leaseId).slot & 1, 1, "still live");
        }
    }

    function testFuzz_RequestClose_Again_MovesNothing(uint16 later, bool byProvider) public {
        uint64 leaseId = closing(1 ether);
        uint64 deadline = market.getLease(leaseId).deadline;
        vm.roll(block.number + later);
        vm.prank(byProvider ? operator : client);
        market.requestClose(leaseId);
        same(market.getLease(leaseId).deadline, deadline, "deadline");
    }

    function test_RequestClose_ByStranger_Reverts() public {
        uint64 leaseId = active(1 ether);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(NotAParty.selector, leaseId, stranger));
        market.requestClose(leaseId);
    }

    function test_RequestClose_InOtherStates_Reverts() public {
        uint64[5] memory leases = [uint64(99), created(), accepted(), frozen(1 ether), closed(1 ether)];
        LeaseState[5] memory states = [LeaseState.None, LeaseState.Created, LeaseState.Accepted, LeaseState.Frozen, LeaseState.Closed];
        for (uint256 i = 0; i < 5; ++i) {
            vm.prank(client);
            vm.expectRevert(abi.encodeWithSelector(NotOpen.selector, leases[i], states[i]));
            market.requestClose(leases[i]);
        }
    }

    function test_Rate_ClosedLease_OnceByItsClient() public {
        uint64 leaseId = closed(1 ether);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, client, stranger));
        market.rate(leaseId, 5, "good");
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.LeaseRated(leaseId, provider, client, 5, 0, "good");
        vm.prank(client);
        market.rate(leaseId, 5, "good");
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(AlreadyRated.selector, leaseId));
        market.rate(leaseId, 1, "bad");
    }

    function test_Rate_OutsideItsBounds_Reverts() public {
        uint64 leaseId = closed(1 ether);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 1, 0));
        market.rate(leaseId, 0, "");
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 5, 6));
        market.rate(leaseId, 6, "");
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 512, 513));
        market.rate(leaseId, 5, string(new bytes(513)));
    }

    function test_Rate_NotClosed_Reverts() public {
        uint64 expired = created();
        vm.roll(block.number + ACCEPT_EPOCHS);
        market.expire(expired);
        uint64[4] memory leases = [expired, created(), active(1 ether), frozen(1 ether)];
        LeaseState[4] memory states = [LeaseState.Expired, LeaseState.Created, LeaseState.Active, LeaseState.Frozen];
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(client);
            vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leases[i], LeaseState.Closed, states[i]));
            market.rate(leases[i], 5, "");
        }
    }

    function test_OpenPage_ByAnyoneButTheOperator_Reverts() public {
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, operator, owner));
        market.openPage(provider, 8);
        vm.prank(address(0));
        // Nobody operates a provider that does not exist, not even the zero address that its record names.
        vm.expectRevert(abi.encodeWithSelector(UnknownProvider.selector, 77));
        market.openPage(77, 8);
    }

    function testFuzz_OpenPage_OtherSizes_Reverts(uint256 size) public {
        vm.assume(size != 8 && size != 64 && size != 256);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(SizeNotOffered.selector, size));
        market.openPage(provider, size);
    }

    function test_OpenPage_EachSize_StartsEmpty() public {
        uint256[3] memory sizes = [uint256(8), 64, 256];
        for (uint256 i = 0; i < 3; ++i) {
            uint32 number = newPage(provider, operator, sizes[i]);
            same(number, i + 1, "number");
            Page memory stored = market.getPage(provider, number);
            same(stored.size, sizes[i], "size");
            uint256 node = 0;
            for (uint256 width = sizes[i]; width > 1; width /= 2) node = pairHash.hash([node, node]);
            same(stored.root, node, "root");
            same(stored.live | stored.fresh | stored.taken, 0, "bitmaps");
        }
        same(market.pageCount(provider), 4, "count");
    }
}
