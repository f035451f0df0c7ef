// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../src/Errors.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {Offer, Order} from "../src/Types.sol";
import {BurningReceiver, Receiver, ReenteringReceiver, RefusingReceiver} from "./doubles/Receivers.sol";
import {ProverFixture} from "./support/ProverFixture.sol";

/// @dev Pull payments and receivers that misbehave; coin that nobody accounted for; dust.
contract MoneyTest is ProverFixture {
    function leaseOf(Receiver receiver) private returns (uint64 leaseId) {
        leaseId = receiver.createLease(newOrder());
        vm.prank(operator);
        market.accept(leaseId, page, newTerms());
        receiver.confirm(leaseId, 1 ether);
    }

    function test_Withdraw_PaysTheCallerOnce() public {
        closed(1 ether);
        uint256 before = client.balance;
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.Withdrawn(client, 1 ether + BOND);
        vm.prank(client);
        same(market.withdraw(), 1 ether + BOND, "amount");
        same(client.balance - before, 1 ether + BOND, "paid");
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(NothingToWithdraw.selector, client));
        market.withdraw();
    }

    function test_WithdrawEarnings_ByOwnerOrOperator_PaysTheOwner() public {
        settle(first(active(1 ether), 0.4 ether));
        uint256 snapshot = vm.snapshotState();
        address[2] memory staff = [owner, operator];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectEmit(true, true, true, true, address(market));
            emit MarketState.EarningsWithdrawn(provider, owner, 0.4 ether);
            vm.prank(staff[i]);
            market.withdrawEarnings(provider);
            same(owner.balance, 0.4 ether, "owner");
            same(operator.balance, 0, "operator");
            vm.prank(staff[i]);
            vm.expectRevert(abi.encodeWithSelector(NothingToWithdraw.selector, owner));
            market.withdrawEarnings(provider);
            vm.revertToState(snapshot);
        }
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, owner, stranger));
        market.withdrawEarnings(provider);
    }

    function test_Withdraw_ReceiverRefuses_KeepsItsBalanceAndHurtsNobody() public {
        RefusingReceiver hostile = new RefusingReceiver{value: 2 ether}(market);
        uint64 leaseId = leaseOf(hostile);
        uint64 other = active(1 ether);
        // The provider closes both: crediting a receiver that refuses cannot stop it.
        settle(list2(entryOf(leaseId, SYNC | FRESH | CLOSE, 0), entryOf(other, SYNC | FRESH | CLOSE, 0)));
        vm.expectRevert(abi.encodeWithSelector(PaymentRefused.selector, address(hostile), 1 ether + BOND));
        hostile.withdraw();
        same(market.withdrawable(address(hostile)), 1 ether + BOND, "still its own");
        vm.prank(client);
        same(market.withdraw(), 1 ether + BOND, "the other client");
    }

    function test_Withdraw_ReceiverReenters_IsPaidOnce() public {
        ReenteringReceiver hostile = new ReenteringReceiver{value: 2 ether}(market);
        uint64 leaseId = leaseOf(hostile);
        active(5 ether);
        hostile.requestClose(leaseId);
        vm.roll(block.number + CLOSE_EPOCHS);
        hostile.freeze(leaseId);
        market.finish(leaseId, 0, 0, new uint256[](0));
        uint256 before = address(hostile).balance;
        hostile.withdraw();
        same(hostile.attempts(), 1, "it tried");
        same(hostile.successes(), 0, "in vain");
        same(address(hostile).balance - before, 1 ether + BOND, "paid once");
        same(address(market).balance, 5 ether + BOND, "the others' money");
    }

    function test_WithdrawEarnings_OwnerReenters_IsPaidOnce() public {
        ReenteringReceiver hostile = new ReenteringReceiver(market);
        uint32 evil = hostile.register(registry, hostKeys());
        Offer memory made = newOffer();
        vm.prank(address(hostile));
        registry.putOffer(evil, 0, made);
        Order memory order = newOrder();
        (order.provider, order.offer) = (evil, 1);
        vm.prank(client);
        uint64 leaseId = market.createLease{value: BOND}(order);
        uint32 evilPage = newPage(evil, address(hostile), 8);
        vm.prank(address(hostile));
        market.accept(leaseId, evilPage, newTerms());
        active(5 ether);
        vm.roll(block.number + CONFIRM_EPOCHS);
        market.expire(leaseId);
        hostile.withdrawEarnings(evil);
        same(hostile.attempts(), 1, "it tried");
        same(hostile.successes(), 0, "in vain");
        same(address(hostile).balance, BOND, "paid once");
    }

    function test_Withdraw_ReceiverBurnsAllGas_HurtsOnlyItself() public {
        BurningReceiver hostile = new BurningReceiver{value: 2 ether}(market);
        uint64 leaseId = leaseOf(hostile);
        settle(entryOf(leaseId, SYNC | FRESH | PAY | CLOSE, 0.5 ether));
        (bool ok,) = address(hostile).call{gas: 1_000_000}(abi.encodeCall(Receiver.withdraw, ()));
        check(!ok, "its own withdrawal fails");
        same(market.withdrawable(address(hostile)), 0.5 ether + BOND, "its balance stays");
        vm.prank(owner);
        market.withdrawEarnings(provider);
    }

    /// FEVM's method-0 sends and a beneficiary's coin arrive without a call: they belong to nobody and change nothing.
    /// forge-config: default.fuzz.runs = 32
    function testFuzz_CoinSentPastTheFunctions_ChangesNothing(uint96 sent) public {
        uint64 leaseId = active(1 ether);
        vm.deal(address(market), address(market).balance + sent);
        settle(entryOf(leaseId, SYNC | FRESH | PAY | CLOSE, 0.5 ether));
        vm.prank(owner);
        same(market.withdrawEarnings(provider), 0.5 ether, "provider");
        vm.prank(client);
        same(market.withdraw(), 0.5 ether + BOND, "client");
        same(address(market).balance, sent, "left over");
    }

    function test_CoinSentByAPlainCall_IsRefused() public {
        vm.prank(client);
        (bool ok,) = address(market).call{value: 1}("");
        check(!ok, "no receive function");
    }

    /// A client can tie up a slot with dust only for the bond, and a provider with a dust deposit only for what its offer allows.
    function test_Griefing_UnconfirmedOrders_CostABondEach() public {
        for (uint256 i = 0; i < 8; ++i) accepted();
        vm.roll(block.number + CONFIRM_EPOCHS);
        for (uint64 leaseId = 1; leaseId <= 8; ++leaseId) market.expire(leaseId);
        same(earned(provider), 8 * uint256(BOND), "eight bonds");
        same(market.getPage(provider, page).taken, 0, "all slots free");
    }

    /// Anyone may order; a provider that does not accept is not touched by it.
    function test_Griefing_OrdersThatNobodyAccepts_TouchNoPage() public {
        for (uint256 i = 0; i < 20; ++i) created();
        same(market.getPage(provider, page).taken, 0, "no slot");
        same(market.getLease(active(1 ether)).slot, 0, "the first slot");
    }

    /// forge-config: default.fuzz.runs = 6
    function testFuzz_Dust_OneAttoAtATime_AddsUp(uint8 steps) public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 1));
        uint256 count = within(steps, 1, 12);
        for (uint256 i = 0; i < count; ++i) {
            vm.prank(client);
            market.topUp{value: 1}(leaseId);
            settle(entryOf(leaseId, SYNC | PAY, i + 2));
        }
        settle(entryOf(leaseId, CLOSE, count + 1));
        same(earned(provider), count + 1, "paid");
        same(market.withdrawable(client), 1 ether + BOND - 1, "refund");
        same(pool(provider), 0, "pool");
    }
}
