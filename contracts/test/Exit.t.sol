// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../src/Errors.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {Lease, LeaseState, Page} from "../src/Types.sol";
import {Call, ProverFixture} from "./support/ProverFixture.sol";
import {Entry, Leaf, Statement} from "./support/Statement.sol";

/// @dev The client's exit, with a provider that is gone and with one that races it.
contract ExitTest is ProverFixture {
    function pathOf(uint64 leaseId) private view returns (Leaf memory leaf, uint256[] memory siblings) {
        Lease memory lease = market.getLease(leaseId);
        leaf = leaves[lease.provider][lease.page][lease.slot];
        siblings = Statement.path(pairHash, hashesOf(lease.provider, lease.page), lease.slot);
    }

    function walkOut(uint64 leaseId) private {
        vm.roll(market.getLease(leaseId).deadline);
        vm.prank(client);
        market.freeze(leaseId);
    }

    function test_Exit_ProviderGoneBeforeItEverSettled_WholeDepositComesBack() public {
        uint64 leaseId = closing(1 ether);
        vm.roll(market.getLease(leaseId).deadline);
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.LeaseFrozen(leaseId, provider, page, 0, true, market.getPage(provider, page).root);
        vm.prank(client);
        market.freeze(leaseId);
        requireState(leaseId, LeaseState.Frozen);
        Page memory stored = market.getPage(provider, page);
        same(stored.live | stored.fresh | stored.taken, 0, "slot is free");
        vm.prank(stranger);
        market.finish(leaseId, 0, 0, new uint256[](0));
        requireState(leaseId, LeaseState.Closed);
        same(market.withdrawable(client), 1 ether + BOND, "everything");
        same(pool(provider), 0, "pool");
        same(market.getLease(leaseId).amount, 0, "nothing paid");
    }

    function test_Exit_ProviderGoneAfterSettling_RestComesBack() public {
        uint64 other = active(1 ether);
        uint64 leaseId = active(1 ether);
        settle(list2(first(other, 0.2 ether), first(leaseId, 0.3 ether)));
        vm.prank(client);
        market.topUp{value: 1 ether}(leaseId);
        vm.prank(client);
        market.requestClose(leaseId);
        walkOut(leaseId);
        same(market.frozenRoot(leaseId), market.getPage(provider, page).root, "root");
        (Leaf memory leaf, uint256[] memory siblings) = pathOf(leaseId);
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.LeaseClosed(leaseId, provider, 0.3 ether, 1.7 ether);
        vm.prank(stranger);
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
        same(market.withdrawable(client), 1.7 ether + 2 * BOND, "the rest, with the top-up that was never synced");
        same(pool(provider), 0.8 ether, "the other lease's");
    }

    function test_Exit_EachPageSize_AndSlot() public {
        uint16[3] memory sizes = [8, 64, 256];
        for (uint256 s = 0; s < 3; ++s) {
            page = newPage(provider, operator, sizes[s]);
            Entry[] memory entries = new Entry[](7);
            for (uint256 i = 0; i < 7; ++i) entries[i] = first(active(1 ether), i + 1);
            settle(entries);
            uint256[2] memory picks = [uint256(0), 6];
            for (uint256 k = 0; k < 2; ++k) {
                uint64 leaseId = entries[picks[k]].leaseId;
                vm.prank(client);
                market.requestClose(leaseId);
                walkOut(leaseId);
                (Leaf memory leaf, uint256[] memory siblings) = pathOf(leaseId);
                market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
                same(market.getLease(leaseId).amount, picks[k] + 1, "paid");
            }
        }
    }

    function test_Freeze_BeforeTheDeadline_Reverts() public {
        uint64 leaseId = closing(1 ether);
        uint64 deadline = market.getLease(leaseId).deadline;
        vm.roll(deadline - 1);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(TooEarly.selector, deadline, deadline - 1));
        market.freeze(leaseId);
    }

    function test_Freeze_ByAnyoneElse_Reverts() public {
        uint64 leaseId = closing(1 ether);
        vm.roll(market.getLease(leaseId).deadline);
        address[3] memory others = [operator, owner, stranger];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, client, others[i]));
            market.freeze(leaseId);
        }
    }

    function test_Freeze_InOtherStates_Reverts() public {
        uint64[6] memory leases = [uint64(99), created(), accepted(), active(1 ether), frozen(1 ether), closed(1 ether)];
        LeaseState[6] memory states =
            [LeaseState.None, LeaseState.Created, LeaseState.Accepted, LeaseState.Active, LeaseState.Frozen, LeaseState.Closed];
        for (uint256 i = 0; i < 6; ++i) {
            vm.prank(client);
            vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leases[i], LeaseState.Closing, states[i]));
            market.freeze(leases[i]);
        }
    }

    function test_Finish_InOtherStates_Reverts() public {
        uint64[6] memory leases = [uint64(99), created(), accepted(), active(1 ether), closing(1 ether), closed(1 ether)];
        LeaseState[6] memory states =
            [LeaseState.None, LeaseState.Created, LeaseState.Accepted, LeaseState.Active, LeaseState.Closing, LeaseState.Closed];
        for (uint256 i = 0; i < 6; ++i) {
            vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leases[i], LeaseState.Frozen, states[i]));
            market.finish(leases[i], 0, 0, new uint256[](0));
        }
    }

    function test_Finish_Twice_Reverts() public {
        uint64 leaseId = closed(1 ether);
        vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leaseId, LeaseState.Frozen, LeaseState.Closed));
        market.finish(leaseId, 0, 0, new uint256[](0));
        same(market.withdrawable(client), 1 ether + BOND, "once");
    }

    function settledAndFrozen() private returns (uint64 leaseId, Leaf memory leaf, uint256[] memory siblings) {
        uint64 other = active(1 ether);
        leaseId = active(1 ether);
        settle(list2(first(other, 0.2 ether), first(leaseId, 0.3 ether)));
        vm.prank(client);
        market.requestClose(leaseId);
        walkOut(leaseId);
        (leaf, siblings) = pathOf(leaseId);
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_Finish_OtherLeaf_Reverts(uint96 deposit, uint96 claimed) public {
        (uint64 leaseId, Leaf memory leaf, uint256[] memory siblings) = settledAndFrozen();
        vm.assume(deposit != leaf.deposit || claimed != leaf.claimed);
        vm.expectPartialRevert(WrongRoot.selector);
        market.finish(leaseId, deposit, claimed, siblings);
    }

    function test_Finish_LeafOfTheNeighbour_Reverts() public {
        (uint64 leaseId,, uint256[] memory siblings) = settledAndFrozen();
        Leaf memory other = leaves[provider][page][0];
        vm.expectPartialRevert(WrongRoot.selector);
        market.finish(leaseId, other.deposit, other.claimed, siblings);
    }

    function test_Finish_SiblingNotCanonical_Reverts() public {
        (uint64 leaseId, Leaf memory leaf, uint256[] memory siblings) = settledAndFrozen();
        for (uint256 i = 0; i < 3; ++i) {
            // The same residue, so the hash would be the same.
            siblings[i] += Statement.P;
            vm.expectRevert(abi.encodeWithSelector(NotCanonical.selector, Statement.P, siblings[i]));
            market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
            siblings[i] -= Statement.P;
        }
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
    }

    function test_Finish_PathOfAnotherLength_Reverts() public {
        (uint64 leaseId, Leaf memory leaf, uint256[] memory siblings) = settledAndFrozen();
        for (uint256 length = 0; length < 9; ++length) {
            if (length == 3) continue;
            vm.expectRevert(abi.encodeWithSelector(WrongLength.selector, 3, length));
            market.finish(leaseId, leaf.deposit, leaf.claimed, new uint256[](length));
        }
        vm.expectPartialRevert(WrongRoot.selector);
        market.finish(leaseId, leaf.deposit, leaf.claimed, new uint256[](3));
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
    }

    function test_Finish_FrozenFresh_TakesNoLeaf() public {
        uint64 leaseId = frozen(1 ether);
        vm.expectRevert(abi.encodeWithSelector(WrongLength.selector, 0, 3));
        market.finish(leaseId, 0, 0, new uint256[](3));
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 0, 1));
        market.finish(leaseId, 1, 0, new uint256[](0));
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 0, 1));
        market.finish(leaseId, 0, 1, new uint256[](0));
    }

    /// The slot's old leaf belongs to a lease that is gone: it must not be anybody's refund.
    function test_Finish_FrozenFreshInAReusedSlot_OldLeafIsNotItsOwn() public {
        uint64 old = active(1 ether);
        settle(entryOf(old, SYNC | FRESH | PAY | CLOSE, 0.9 ether));
        uint64 next = frozen(2 ether);
        (Leaf memory leaf, uint256[] memory siblings) = pathOf(next);
        vm.expectRevert(abi.encodeWithSelector(WrongLength.selector, 0, 3));
        market.finish(next, leaf.deposit, leaf.claimed, siblings);
        market.finish(next, 0, 0, new uint256[](0));
        same(market.getLease(next).amount, 0, "nothing paid");
        same(pool(provider), 0, "pool");
    }

    /// Settlements after the freeze change the page, not what the frozen lease is proved under.
    function test_Finish_PageSettledAndSlotReusedMeanwhile_StillHolds() public {
        (uint64 leaseId, Leaf memory leaf, uint256[] memory siblings) = settledAndFrozen();
        uint64 next = active(3 ether);
        same(market.getLease(next).slot, market.getLease(leaseId).slot, "the same slot");
        settle(first(next, 2 ether));
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
        same(market.getLease(leaseId).amount, 0.3 ether, "paid");
    }

    /// Both orders of the race between the client's freeze and the provider's last settlement.
    function test_FreezeAndSettle_BothOrders() public {
        uint64 leaseId = active(1 ether);
        uint64 other = active(1 ether);
        settle(list2(first(leaseId, 0.1 ether), first(other, 0.1 ether)));
        vm.prank(client);
        market.requestClose(leaseId);
        vm.roll(market.getLease(leaseId).deadline);
        Entry[] memory last = list1(entryOf(leaseId, PAY, 0.8 ether));
        uint256 snapshot = vm.snapshotState();

        // Settled first: the client's leaf says so.
        settle(last);
        walkOut(leaseId);
        (Leaf memory leaf, uint256[] memory siblings) = pathOf(leaseId);
        same(leaf.claimed, 0.8 ether, "claimed");
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
        same(earned(provider), 0.9 ether, "provider");
        same(market.withdrawable(client), 0.2 ether + 2 * BOND, "client");

        // Frozen first: the settlement that lists it is refused, one without it passes, and the refund is unmoved by that.
        vm.revertToState(snapshot);
        Call memory call = prove(last);
        walkOut(leaseId);
        (leaf, siblings) = pathOf(leaseId);
        refused(call, abi.encodeWithSelector(NotLive.selector, 2, 1));
        settle(entryOf(other, PAY, 0.5 ether));
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
        same(market.withdrawable(client), 0.9 ether + 2 * BOND, "client");
        same(earned(provider), 0.6 ether, "provider");
    }

    /// Both orders of the race between the provider's close and the client's freeze.
    function test_FreezeAndClose_BothOrders() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.1 ether));
        vm.prank(client);
        market.requestClose(leaseId);
        vm.roll(market.getLease(leaseId).deadline);
        Entry[] memory last = list1(entryOf(leaseId, PAY | CLOSE, 0.8 ether));
        Call memory call = prove(last);
        uint256 snapshot = vm.snapshotState();
        send(call);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(WrongState.selector, leaseId, LeaseState.Closing, LeaseState.Closed));
        market.freeze(leaseId);
        vm.revertToState(snapshot);
        walkOut(leaseId);
        refused(call, abi.encodeWithSelector(NotOpen.selector, leaseId, LeaseState.Frozen));
    }

    /// Both orders of the race between the provider's close and the client's top-up.
    function test_TopUpAndClose_BothOrders() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.1 ether));
        Call memory call = prove(list1(entryOf(leaseId, CLOSE, 0.1 ether)));
        uint256 snapshot = vm.snapshotState();
        send(call);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(NotOpen.selector, leaseId, LeaseState.Closed));
        market.topUp{value: 1 ether}(leaseId);
        vm.revertToState(snapshot);
        vm.prank(client);
        market.topUp{value: 1 ether}(leaseId);
        send(call);
        same(market.withdrawable(client), 1.9 ether + BOND, "refund with the top-up");
    }

    /// The client is gone: the provider collects what it holds and closes, with nobody's help.
    function test_Collection_ClientGone_ProviderTakesWhatWasSigned() public {
        uint64 leaseId = active(1 ether);
        settle(entryOf(leaseId, SYNC | FRESH | PAY | CLOSE, 0.8 ether));
        vm.prank(operator);
        same(market.withdrawEarnings(provider), 0.8 ether, "earnings");
        same(owner.balance, 0.8 ether, "to the owner");
        same(market.withdrawable(client), 0.2 ether + BOND, "kept for the client");
    }

    /// What the provider holds a margin before the deadline it can always collect: nothing the client does in between stops it.
    function test_Collection_BeforeTheDeadline_ClientCannotStopIt() public {
        uint64 leaseId = closing(1 ether);
        vm.roll(market.getLease(leaseId).deadline - 900);
        Call memory call = prove(list1(first(leaseId, 0.8 ether)));
        vm.prank(client);
        market.topUp{value: 1}(leaseId);
        vm.prank(client);
        market.requestClose(leaseId);
        vm.prank(client);
        vm.expectPartialRevert(TooEarly.selector);
        market.freeze(leaseId);
        send(call);
        same(earned(provider), 0.8 ether, "collected");
    }

    /// If the circuit were broken: an exit reaches no further than its own provider's pool, and pays no more than the deposit.
    function test_Finish_BrokenCircuit_ClaimAboveTheRecord_Reverts() public {
        uint64 leaseId = active(1 ether);
        active(5 ether);
        Entry memory entry = first(leaseId, 2 ether);
        settle(entry);
        vm.prank(client);
        market.requestClose(leaseId);
        walkOut(leaseId);
        (Leaf memory leaf, uint256[] memory siblings) = pathOf(leaseId);
        vm.expectRevert(abi.encodeWithSelector(AboveMaximum.selector, 1 ether, 2 ether));
        market.finish(leaseId, leaf.deposit, leaf.claimed, siblings);
    }

    function test_Finish_BrokenCircuit_PoolDrained_Reverts() public {
        uint64 leaseId = closing(1 ether);
        uint64 victim = active(1 ether);
        settle(first(victim, 2 ether));
        walkOut(leaseId);
        vm.expectRevert(abi.encodeWithSelector(PoolExceeded.selector, provider, 0, 1 ether));
        market.finish(leaseId, 0, 0, new uint256[](0));
    }
}
