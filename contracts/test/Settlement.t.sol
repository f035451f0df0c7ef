// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../src/Errors.sol";
import {ISettlementVerifier} from "../src/interfaces/ISettlementVerifier.sol";
import {MarketState} from "../src/market/MarketState.sol";
import {LeaseState, Page} from "../src/Types.sol";
import {Call, ProverFixture} from "./support/ProverFixture.sol";
import {Entry, Statement} from "./support/Statement.sol";
import {Log} from "./support/Vm.sol";

/// @dev `settle`: what it does, and everything it refuses.
contract SettlementTest is ProverFixture {
    uint256 private constant P = Statement.P;

    function test_Settle_FirstSync_PaysAndClearsFresh() public {
        uint64 leaseId = active(1 ether);
        Call memory call = prove(list1(first(leaseId, 0.3 ether)));
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.PageSettled(provider, page, call.newRoot, 0.3 ether, call.entries);
        send(call);
        Page memory stored = market.getPage(provider, page);
        same(stored.root, call.newRoot, "root");
        same(stored.fresh, 0, "fresh");
        same(stored.live, 1, "live");
        same(pool(provider), 0.7 ether, "pool");
        same(earned(provider), 0.3 ether, "earned");
    }

    function test_Settle_PayOnly_PaysTheDifference() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.3 ether));
        settle(entryOf(leaseId, PAY, 0.5 ether));
        same(earned(provider), 0.5 ether, "earned");
        same(pool(provider), 0.5 ether, "pool");
    }

    function test_Settle_SameVouchersAgain_PayNothing() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.3 ether));
        Call memory call = prove(list1(entryOf(leaseId, PAY, 0.3 ether)));
        same(call.paid, 0, "nothing to pay");
        send(call);
        same(earned(provider), 0.3 ether, "earned");
    }

    function test_Settle_SameProofAgain_Reverts() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.3 ether));
        Entry[] memory entries = list1(entryOf(leaseId, PAY, 0.4 ether));
        Call memory call = prove(entries);
        send(call);
        // The stored root has moved on, so the statement is another one.
        refused(call, ProofRefused.selector);
    }

    function test_Settle_SeparateRuns_AreTheSameStatement() public {
        uint64 a = active(1 ether);
        uint64 b = active(1 ether);
        Entry[] memory entries = list2(first(a, 1), first(b, 2));
        Call memory call = prove(entries);
        (call.entries, call.leaseIds) = Statement.pack(entries, false);
        send(call);
        same(earned(provider), 3, "earned");
    }

    /// The verifier gets exactly (C, r, d) as docs/SETTLEMENT.md has them.
    function test_Settle_HandsTheVerifierTheStatement() public {
        uint64 a = active(1 ether);
        uint64 b = active(2 ether);
        settle(list2(first(a, 1), first(b, 2)));
        vm.prank(client);
        market.topUp{value: 5}(b);
        Entry[] memory entries = list2(entryOf(a, PAY, 10), entryOf(b, PAY | SYNC | CLOSE, 20));
        (, uint256[] memory e) = build(provider, page, entries);
        Call memory call = prove(entries);
        uint256 r = Statement.challenge(call.c, e);
        uint256 d = Statement.evaluate(e, r);
        vm.expectCall(address(verifier8), abi.encodeCall(ISettlementVerifier.verify, (call.proof, [call.c, r, d])));
        send(call);
    }

    function test_Settle_Close_CreditsClientAndFreesSlot() public {
        uint64 leaseId = active(1 ether);
        Call memory call = prove(list1(entryOf(leaseId, SYNC | FRESH | PAY | CLOSE, 0.3 ether)));
        vm.expectEmit(true, true, true, true, address(market));
        emit MarketState.LeaseClosed(leaseId, provider, 0.3 ether, 0.7 ether);
        send(call);
        requireState(leaseId, LeaseState.Closed);
        same(market.getLease(leaseId).amount, 0.3 ether, "paid");
        same(market.withdrawable(client), 0.7 ether + BOND, "refund");
        same(pool(provider), 0, "pool");
        same(earned(provider), 0.3 ether, "earned");
        Page memory stored = market.getPage(provider, page);
        same(stored.live | stored.fresh | stored.taken, 0, "slot");
    }

    function test_Settle_CloseWithoutPay_RefundsTheRest() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.3 ether));
        settle(entryOf(leaseId, CLOSE, 0.3 ether));
        same(market.withdrawable(client), 0.7 ether + BOND, "refund");
        same(pool(provider), 0, "pool");
    }

    function test_Settle_CloseAfterUnsyncedTopUp_RefundsTheTopUp() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.3 ether));
        vm.prank(client);
        market.topUp{value: 1 ether}(leaseId);
        settle(entryOf(leaseId, PAY | CLOSE, 0.4 ether));
        same(market.withdrawable(client), 1.6 ether + BOND, "refund");
        same(pool(provider), 0, "pool");
    }

    function test_Settle_ClosingLease_IsSettledUntilFrozen() public {
        uint64 leaseId = closing(1 ether);
        vm.roll(block.number + 10 * CLOSE_EPOCHS);
        settle(first(leaseId, 0.3 ether));
        same(earned(provider), 0.3 ether, "earned");
    }

    function test_Settle_SyncOfTopUp_RaisesWhatVouchersMayClaim() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 1 ether));
        vm.prank(client);
        market.topUp{value: 1 ether}(leaseId);
        settle(entryOf(leaseId, SYNC | PAY, 1.5 ether));
        same(earned(provider), 1.5 ether, "earned");
    }

    /// A top-up that is mined before the proof changes nothing about it.
    function test_Settle_TopUpWhileTheProofIsUnderWay_StillHolds() public {
        uint64 leaseId = active(1 ether);
        Call memory call = prove(list1(first(leaseId, 0.3 ether)));
        vm.prank(client);
        market.topUp{value: 1}(leaseId);
        send(call);
        same(earned(provider), 0.3 ether, "earned");
    }

    function test_Settle_OrderConfirmedWhileTheProofIsUnderWay_StillHolds() public {
        uint64 leaseId = active(1 ether);
        Call memory call = prove(list1(first(leaseId, 0.3 ether)));
        active(1 ether);
        send(call);
        same(market.getPage(provider, page).fresh, 2, "the other one is fresh still");
    }

    function test_Settle_DepositAboveTheRecord_Reverts() public {
        uint64 leaseId = active(1 ether);
        Entry memory entry = first(leaseId, 1 ether);
        entry.deposit += 1;
        refused(prove(list1(entry)), abi.encodeWithSelector(AboveMaximum.selector, 1 ether, 1 ether + 1));
    }

    function test_Settle_ByAnyoneButTheOperator_Reverts() public {
        uint64 leaseId = active(1 ether);
        Call memory call = prove(list1(first(leaseId, 1)));
        address[3] memory others = [owner, client, stranger];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, operator, others[i]));
            sendAs(others[i], call);
        }
    }

    function test_Settle_NotCanonical_Reverts() public {
        uint64 leaseId = active(1 ether);
        Call memory call = prove(list1(first(leaseId, 1)));
        call.newRoot += P;
        refused(call, abi.encodeWithSelector(NotCanonical.selector, P, call.newRoot));
        call.newRoot -= P;
        call.c += P;
        refused(call, abi.encodeWithSelector(NotCanonical.selector, P, call.c));
        call.c -= P;
        call.paid += P;
        refused(call, abi.encodeWithSelector(NotCanonical.selector, P, call.paid));
        call.paid -= P;
        call.newRoot = P;
        refused(call, abi.encodeWithSelector(NotCanonical.selector, P, P));
    }

    function test_Settle_UnknownPage_Reverts() public {
        Call memory call = prove(list1(first(active(1 ether), 1)));
        call.page = 9;
        refused(call, abi.encodeWithSelector(UnknownPage.selector, provider, 9));
    }

    function test_Settle_AnotherProvidersPage_Reverts() public {
        (uint32 other,) = newProvider(named("other owner"), named("other operator"));
        newPage(other, named("other operator"), 8);
        Call memory call = prove(list1(first(active(1 ether), 1)));
        call.provider = other;
        refused(call, WrongRecord.selector);
        vm.expectRevert(abi.encodeWithSelector(WrongCaller.selector, operator, named("other operator")));
        call.provider = provider;
        sendAs(named("other operator"), call);
    }

    /// Exactly the flags that mean something are taken, for a lease for which each of them is right.
    function test_Settle_EveryFlagByte_IsTakenOrRefused() public {
        for (uint256 flags = 0; flags < 256; ++flags) {
            uint256 snapshot = vm.snapshotState();
            uint64 leaseId = active(1 ether);
            bool fresh = flags & FRESH != 0;
            if (!fresh) settle(first(leaseId, 1));
            Entry memory entry = entryOf(leaseId, 0, 1);
            entry.flags = flags;
            Call memory call = prove(list1(entry));
            bool right = flags & LISTED != 0 && flags < 32 && (!fresh || flags & SYNC != 0);
            if (right) send(call);
            else refused(call, abi.encodeWithSelector(WrongFlags.selector, flags));
            vm.revertToState(snapshot);
        }
    }

    function test_Settle_SlotsNotIncreasing_Reverts() public {
        uint64 a = active(1 ether);
        uint64 b = active(1 ether);
        settle(list2(first(a, 1), first(b, 1)));
        Entry memory ea = entryOf(a, PAY, 2);
        Entry memory eb = entryOf(b, PAY, 2);
        Call memory call = prove(list2(ea, eb));
        (call.entries,) = Statement.pack(list2(eb, ea), false);
        refused(call, abi.encodeWithSelector(WrongSlots.selector, 2, 8, 0, 0));
        (call.entries,) = Statement.pack(list2(ea, ea), false);
        refused(call, abi.encodeWithSelector(WrongSlots.selector, 1, 8, 0, 0));
        call.entries = hex"010009";
        refused(call, abi.encodeWithSelector(WrongSlots.selector, 0, 8, 1, 0));
        call.entries = hex"000809";
        refused(call, abi.encodeWithSelector(WrongSlots.selector, 0, 8, 0, 8));
        call.entries = hex"ffff09";
        refused(call, abi.encodeWithSelector(WrongSlots.selector, 0, 8, 255, 255));
    }

    function test_Settle_CutOrLengthened_Reverts() public {
        uint64 a = active(1 ether);
        uint64 b = active(1 ether);
        Entry memory second = first(b, 2);
        settle(first(a, 1));
        Call memory call = prove(list2(entryOf(a, PAY, 2), second));
        bytes memory whole = call.entries;
        for (uint256 length = 1; length < whole.length; ++length) {
            call.entries = cut(whole, length);
            // Cut after the first run, the statement is another one, and a lease number is left over.
            refused(call, WrongLength.selector);
        }
        call.entries = bytes.concat(whole, hex"00");
        refused(call, abi.encodeWithSelector(WrongLength.selector, whole.length + 3, whole.length + 1));
        call.entries = whole;
        bytes memory ids = call.leaseIds;
        for (uint256 length = 0; length < 8; ++length) {
            call.leaseIds = cut(ids, length);
            refused(call, abi.encodeWithSelector(WrongLength.selector, 8, length));
        }
        call.leaseIds = bytes.concat(ids, hex"00");
        refused(call, abi.encodeWithSelector(WrongLength.selector, 8, 9));
        call.leaseIds = ids;
        send(call);
    }

    function cut(bytes memory whole, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) part[i] = whole[i];
    }

    function test_Settle_RecordOfAnotherSlotPageOrProvider_Reverts() public {
        uint64 a = active(1 ether);
        uint64 b = active(1 ether);
        Entry memory entry = first(a, 1);
        entry.leaseId = b;
        uint256 here = uint256(provider) << 40;
        refused(prove(list1(entry)), abi.encodeWithSelector(WrongRecord.selector, b, here, here | 1));

        uint32 home = page;
        page = newPage(provider, operator, 8);
        entry.leaseId = active(1 ether);
        page = home;
        refused(prove(list1(entry)), abi.encodeWithSelector(WrongRecord.selector, entry.leaseId, here, here | 1 << 8));

        entry.leaseId = 12345;
        refused(prove(list1(entry)), abi.encodeWithSelector(WrongRecord.selector, 12345, here, 0));
    }

    function test_Settle_FinishedLeaseOfTheSlot_Reverts() public {
        uint64 old = active(1 ether);
        settle(entryOf(old, SYNC | FRESH | PAY | CLOSE, 0.5 ether));
        uint64 next = active(1 ether);
        same(market.getLease(next).slot, market.getLease(old).slot, "the same slot");
        // A sync, and a close, in the name of the lease that is gone.
        Entry memory entry = entryOf(old, SYNC | FRESH | PAY, 0.5 ether);
        refused(prove(list1(entry)), abi.encodeWithSelector(NotOpen.selector, old, LeaseState.Closed));
        settle(first(next, 0.1 ether));
        refused(prove(list1(entryOf(old, CLOSE, 0.1 ether))), abi.encodeWithSelector(NotOpen.selector, old, LeaseState.Closed));
    }

    function test_Settle_FrozenLease_Reverts() public {
        uint64 leaseId = closing(1 ether);
        Call memory call = prove(list1(first(leaseId, 0.5 ether)));
        vm.roll(market.getLease(leaseId).deadline);
        vm.prank(client);
        market.freeze(leaseId);
        refused(call, abi.encodeWithSelector(NotOpen.selector, leaseId, LeaseState.Frozen));
    }

    function test_Settle_SlotNotLive_Reverts() public {
        uint64 leaseId = accepted();
        Entry memory entry = entryOf(leaseId, PAY, 1);
        refused(prove(list1(entry)), abi.encodeWithSelector(NotLive.selector, 0, 1));
        entry.flags = LISTED | SYNC | FRESH | PAY;
        refused(prove(list1(entry)), abi.encodeWithSelector(NotOpen.selector, leaseId, LeaseState.Accepted));
        entry.slot = 7;
        entry.flags = LISTED | PAY;
        refused(prove(list1(entry)), abi.encodeWithSelector(NotLive.selector, 0, 0x80));
    }

    function test_Settle_FreshSlotNotSyncedAsFresh_Reverts() public {
        uint64 old = active(1 ether);
        settle(entryOf(old, SYNC | FRESH | PAY | CLOSE, 0.5 ether));
        uint64 next = active(2 ether);
        // The finished lease's leaf is still in the tree: paying out of it, or folding the new deposit on top of its claimed amount, must not pass.
        refused(prove(list1(entryOf(old, PAY, 1 ether))), abi.encodeWithSelector(WrongFresh.selector, 1, 0));
        refused(prove(list1(entryOf(next, SYNC | PAY, 1 ether))), abi.encodeWithSelector(WrongFresh.selector, 1, 0));
    }

    function test_Settle_FreshTwice_Reverts() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 0.5 ether));
        // Vouchers replayed from zero.
        refused(prove(list1(first(leaseId, 0.5 ether))), abi.encodeWithSelector(WrongFresh.selector, 0, 1));
    }

    /// Whatever of the statement is altered, it is not the proven one any more.
    /// forge-config: default.fuzz.runs = 60
    function testFuzz_Settle_AnyElementAltered_Reverts(uint256 which, uint96 other) public {
        uint64 a = active(1 ether);
        uint64 b = active(1 ether);
        settle(first(a, 1));
        Call memory call = prove(list2(entryOf(a, PAY, 10), first(b, 20)));
        which %= 6;
        if (which == 0) {
            vm.assume(other != call.newRoot);
            call.newRoot = other;
        } else if (which == 1) {
            call.paid = within(other, 0, 28);
        } else if (which == 2) {
            vm.assume(other != 10);
            call.entries = abi.encodePacked(uint8(0), uint8(0), uint8(LISTED | PAY), other, slice(call.entries, 15));
        } else if (which == 3) {
            vm.assume(other != 20);
            call.entries = abi.encodePacked(cut(call.entries, 18), other, slice(call.entries, 30));
        } else if (which == 4) {
            call.entries = abi.encodePacked(cut(call.entries, 30), uint96(within(other, 0, 1 ether - 1)));
        } else {
            vm.assume(other != call.c);
            call.c = other;
        }
        refused(call, ProofRefused.selector);
    }

    function slice(bytes memory whole, uint256 from) private pure returns (bytes memory part) {
        part = new bytes(whole.length - from);
        for (uint256 i = 0; i < part.length; ++i) part[i] = whole[from + i];
    }

    function test_Settle_FlagHiddenFromTheCircuit_Reverts() public {
        uint64 leaseId = active(1 ether);
        settle(first(leaseId, 1));
        Call memory call = prove(list1(entryOf(leaseId, PAY, 10)));
        // The same words without pay: the circuit proved another word.
        call.entries[2] = bytes1(uint8(LISTED));
        refused(call, ProofRefused.selector);
    }

    function test_Settle_ProofForAnotherChain_Reverts() public {
        Call memory call = prove(list1(first(active(1 ether), 1)));
        vm.chainId(99);
        refused(call, ProofRefused.selector);
    }

    function test_Settle_NothingListed_ChangesNothing() public {
        active(1 ether);
        Call memory call = prove(new Entry[](0));
        uint256 root = market.getPage(provider, page).root;
        send(call);
        same(market.getPage(provider, page).root, root, "root");
        same(earned(provider), 0, "earned");
        call.newRoot = 1;
        refused(call, ProofRefused.selector);
    }

    /// If the circuit were broken: a provider reaches no further than its own pool.
    function test_Settle_BrokenCircuit_CannotReachAnotherPool() public {
        active(5 ether);
        (uint32 evil, uint32 offer) = newProvider(named("evil"), named("evil"));
        uint32 evilPage = newPage(evil, named("evil"), 8);
        (provider, offerId, page, operator) = (evil, offer, evilPage, named("evil"));
        uint64 leaseId = active(1 ether);
        Entry[] memory entries = list1(first(leaseId, 0));
        (Call memory call, uint256[] memory e) = build(evil, evilPage, entries);
        call.paid = e[4] = 1 ether + 1;
        call.c = verifier8.allow(e);
        refused(call, abi.encodeWithSelector(PoolExceeded.selector, evil, 1 ether, 1 ether + 1));
        call.paid = e[4] = 1 ether;
        call.c = verifier8.allow(e);
        send(call);
        same(pool(1), 5 ether, "the other pool");
    }

    function test_Settle_BrokenCircuit_CloseAboveTheDeposit_Reverts() public {
        uint64 leaseId = active(1 ether);
        active(5 ether);
        Entry memory entry = entryOf(leaseId, SYNC | FRESH | PAY | CLOSE, 1 ether + 1);
        refused(prove(list1(entry)), abi.encodeWithSelector(AboveMaximum.selector, 1 ether, 1 ether + 1));
    }

    function test_Settle_PaidAndRefundedAboveThePool_Reverts() public {
        uint64 leaseId = active(1 ether);
        (Call memory call, uint256[] memory e) = build(provider, page, list1(entryOf(leaseId, SYNC | FRESH | CLOSE, 0)));
        call.paid = e[4] = 1;
        call.c = verifier8.allow(e);
        refused(call, abi.encodeWithSelector(PoolExceeded.selector, provider, 1 ether, 1 ether + 1));
    }

    function test_Settle_VouchersAcrossSlotReuse_CountOnce() public {
        uint64 old = active(1 ether);
        settle(entryOf(old, SYNC | FRESH | PAY | CLOSE, 1 ether));
        uint64 next = active(3 ether);
        settle(first(next, 0.5 ether));
        settle(entryOf(next, PAY | CLOSE, 2 ether));
        same(earned(provider), 3 ether, "earned");
        same(market.withdrawable(client), 1 ether + 2 * BOND, "refunded");
        same(pool(provider), 0, "pool");
    }

    /// The largest amounts there are, in all slots at once.
    function test_Settle_LargestAmounts_AddUp() public {
        Entry[] memory entries = new Entry[](8);
        for (uint256 i = 0; i < 8; ++i) entries[i] = first(active(type(uint96).max), type(uint96).max);
        settle(entries);
        same(earned(provider), 8 * uint256(type(uint96).max), "earned");
        for (uint256 i = 0; i < 8; ++i) entries[i] = entryOf(entries[i].leaseId, CLOSE, type(uint96).max);
        settle(entries);
        same(pool(provider), 0, "pool");
        same(market.withdrawable(client), 8 * uint256(BOND), "bonds only");
    }

    /// FEVM caps an event's values at 8 KiB and a message at 64 KiB: the largest settlement there is, 256 runs of one synced slot.
    function test_Settle_LargestSettlement_FitsFilecoinsLimits() public {
        page = newPage(provider, operator, 256);
        Entry[] memory entries = new Entry[](256);
        for (uint256 i = 0; i < 256; ++i) entries[i] = entryOf(active(1 ether), SYNC | FRESH | PAY | CLOSE, 0.5 ether);
        Call memory call = prove(entries);
        (call.entries, call.leaseIds) = Statement.pack(entries, false);
        same(call.entries.length, 256 * 27, "entries");
        vm.recordLogs();
        send(call);
        Log[] memory logs = vm.getRecordedLogs();
        Log memory last = logs[logs.length - 1];
        check(last.topics[0] == MarketState.PageSettled.selector, "the settlement's event");
        check(last.data.length + 32 * last.topics.length <= 8192, "event");
        check(4 + 32 * 20 + call.entries.length + call.leaseIds.length <= 65536, "message");
        same(market.getPage(provider, page).taken, 0, "all closed");
    }

    /// Whatever bytes are sent, the answer is one of the contract's own errors: no panic, no empty revert, no success.
    function testFuzz_Settle_AnyBytes_AreRefusedWithAReason(bytes calldata entries, bytes calldata leaseIds, bool leased) public {
        if (leased) active(1 ether);
        Call memory call;
        (call.provider, call.page, call.entries, call.leaseIds) = (provider, page, entries, leaseIds);
        vm.prank(operator);
        (bool ok, bytes memory reason) = address(market).call(
            abi.encodeCall(
                market.settle, (call.provider, call.page, call.newRoot, call.paid, call.entries, call.leaseIds, call.c, call.proof)
            )
        );
        check(!ok, "refused");
        bytes4 selector = bytes4(reason);
        check(
            selector == WrongLength.selector || selector == WrongSlots.selector || selector == WrongFlags.selector
                || selector == WrongRecord.selector || selector == NotOpen.selector || selector == NotLive.selector
                || selector == WrongFresh.selector || selector == ProofRefused.selector,
            "with a reason"
        );
    }

    function test_Settle_LargerPages_MixedEntries() public {
        uint16[2] memory sizes = [64, 256];
        for (uint256 s = 0; s < 2; ++s) {
            page = newPage(provider, operator, sizes[s]);
            uint64 start = market.leaseCount() + 1;
            Entry[] memory entries = new Entry[](40);
            for (uint256 i = 0; i < 40; ++i) entries[i] = first(active(1 ether), i + 1);
            settle(entries);
            uint256 before = earned(provider);
            // Every third pays, every fifth closes, the others are not listed.
            uint256 count = 0;
            for (uint256 i = 0; i < 40; ++i) if (i % 3 == 0 || i % 5 == 0) ++count;
            Entry[] memory mixed = new Entry[](count);
            count = 0;
            for (uint256 i = 0; i < 40; ++i) {
                if (i % 3 != 0 && i % 5 != 0) continue;
                uint256 flags = (i % 3 == 0 ? PAY : 0) | (i % 5 == 0 ? CLOSE : 0);
                mixed[count++] = entryOf(start + uint64(i), flags, i % 3 == 0 ? i + 101 : i + 1);
            }
            settle(mixed);
            same(earned(provider) - before, 14 * 100, "fourteen paid 100 more");
            same(market.getPage(provider, page).taken & 0x21, 0x00, "0 and 5 closed");
        }
    }
}
