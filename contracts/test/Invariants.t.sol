// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account, Lease, LeaseState, Page} from "../src/Types.sol";
import {LedgerModel} from "./model/LedgerModel.sol";
import {Schedule} from "./model/Schedule.sol";
import {ScheduleFixture} from "./support/ScheduleFixture.sol";
import {Leaf, Statement} from "./support/Statement.sol";

/// @dev The contracts and the model of settlement.md go through the same schedules and stay the same; and the model keeps what settlement.md promises.
contract InvariantsTest is ScheduleFixture {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev forge asks for what to call.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(schedule);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(schedule), new bytes4[](1));
        targets[0].selectors[0] = Schedule.step.selector;
    }

    /// @dev Calls are compared one by one, in the schedule; everything that is stored, every eighth time.
    function invariant_MarketIsTheModelAndTheModelKeepsItsPromises() public {
        if (schedule.steps() % 8 == 0) compare();
    }

    function compare() private {
        marketIsTheModel();
        moneyIsConserved();
        nobodyPaysMoreThanItSignedOrDeposited();
    }

    function accounts() private view returns (address[] memory list) {
        list = new address[](3);
        for (uint256 i = 0; i < 3; ++i) list[i] = schedule.clients(i);
    }

    /// The schedules do reach everything: each call succeeds and is refused in them, thieves' settlements too.
    function test_Schedules_ReachEverything() public {
        for (uint256 run = 0; run < 24; ++run) {
            uint256 snapshot = vm.snapshotState();
            for (uint256 i = 0; i < 120; ++i) {
                uint256 random = uint256(keccak256(abi.encode("reach", run, i)));
                schedule.step(random, random >> 8);
            }
            compare();
            uint256[2][14] memory counts;
            for (uint256 a = 0; a < 14; ++a) counts[a] = [schedule.succeeded(ACTIONS[a]), schedule.refusedCount(ACTIONS[a])];
            vm.revertToState(snapshot);
            for (uint256 a = 0; a < 14; ++a) {
                _done[ACTIONS[a]] += counts[a][0];
                _refused[ACTIONS[a]] += counts[a][1];
            }
        }
        for (uint256 a = 0; a < 14; ++a) {
            vm.writeLine("out/reach.txt", string.concat(ACTIONS[a], " ", vm.toString(_done[ACTIONS[a]]), " ", vm.toString(_refused[ACTIONS[a]])));
        }
        for (uint256 a = 0; a < 14; ++a) {
            check(a == 13 || _done[ACTIONS[a]] > 0, string.concat(ACTIONS[a], " never succeeds"));
            check(a == 12 || _refused[ACTIONS[a]] > 0, string.concat(ACTIONS[a], " is never refused"));
        }
    }

    string[14] private ACTIONS = [
        "order", "accept", "confirm", "expire", "topUp", "requestClose", "freeze", "finish", "rate", "withdraw", "withdrawEarnings",
        "settle dishonestly", "settle honestly", "a proof that holds"
    ];
    mapping(string action => uint256) private _done;
    mapping(string action => uint256) private _refused;

    function marketIsTheModel() private {
        for (uint64 id = 1; id <= model.leaseCount(); ++id) sameLease(id);
        for (uint32 p = 1; p <= 2; ++p) {
            LedgerModel.Provider memory expected = model.providerOf(p);
            Account memory actual = market.getAccount(p);
            same(actual.pool, expected.pool, "pool");
            same(actual.earned, expected.earned, "earned");
            for (uint32 n = 0; n < 2; ++n) samePage(p, n);
        }
        address[] memory clients = accounts();
        for (uint256 i = 0; i < 3; ++i) same(market.withdrawable(clients[i]), model.withdrawable(clients[i]), "withdrawable");
    }

    /// Σ pools + Σ withdrawable + Σ bonds is what came in less what went out; and it lies in the contract.
    function moneyIsConserved() private view {
        uint256 owed = model.owed(2, accounts());
        same(owed, model.paidIn() - model.paidOut(), "accounted");
        same(address(market).balance, owed, "held");
    }

    function nobodyPaysMoreThanItSignedOrDeposited() private view {
        for (uint64 id = 1; id <= model.leaseCount(); ++id) {
            LedgerModel.ModelLease memory lease = model.leaseOf(id);
            check(lease.paid + lease.refunded <= lease.deposit, "a lease gives no more than its deposit");
            if (lease.state == LeaseState.Closed) same(lease.paid + lease.refunded, lease.deposit, "all of a deposit ends as paid or refunded");
            if (model.isHonest(id)) check(lease.paid <= model.signedMost(id), "no voucher counts twice, none that was not signed counts");
        }
    }

    /// @dev After a schedule everybody leaves, without their providers: all money finds its owner.
    function afterInvariant() public {
        compare();
        address[] memory clients = accounts();
        vm.roll(block.number + 10000);
        for (uint64 id = 1; id <= market.leaseCount(); ++id) {
            LeaseState state = market.getLease(id).state;
            if (state == LeaseState.Created || state == LeaseState.Accepted) market.expire(id);
            if (state != LeaseState.Active) continue;
            schedule.askToClose(id);
        }
        vm.roll(block.number + CLOSE_EPOCHS);
        for (uint64 id = 1; id <= market.leaseCount(); ++id) {
            if (market.getLease(id).state == LeaseState.Closing) schedule.leaveAlone(id);
            if (market.getLease(id).state == LeaseState.Frozen) schedule.finishAlone(id);
            if (market.getLease(id).client == address(0) || !model.isHonest(id) || market.getLease(id).state != LeaseState.Closed) continue;
            check(market.getLease(id).amount <= model.signedMost(id), "an honest client gets back all that it did not sign away");
        }
        for (uint32 p = 1; p <= 2; ++p) {
            same(market.getAccount(p).pool, 0, "nothing left in the pool");
            if (market.getAccount(p).earned == 0) continue;
            vm.prank(registry.ownerOf(p));
            market.withdrawEarnings(p);
        }
        for (uint256 i = 0; i < 3; ++i) {
            if (market.withdrawable(clients[i]) == 0) continue;
            vm.prank(clients[i]);
            market.withdraw();
        }
        same(address(market).balance, 0, "nothing left in the contract");
    }

    function sameLease(uint64 id) private view {
        LedgerModel.ModelLease memory expected = model.leaseOf(id);
        Lease memory actual = market.getLease(id);
        same(uint256(actual.state), uint256(expected.state), "state");
        same(actual.client, expected.client, "client");
        if (expected.state == LeaseState.Created || expected.state == LeaseState.Expired) return;
        same(actual.provider, expected.provider, "provider");
        same(actual.page, expected.page, "page");
        same(actual.slot, expected.slot, "slot");
        if (expected.state == LeaseState.Accepted) return;
        bool over = expected.state == LeaseState.Closed;
        same(actual.amount, over ? expected.deposit - expected.refunded : expected.deposit, "amount");
        if (expected.state == LeaseState.Closing) same(actual.deadline, expected.deadline, "deadline");
        check(actual.frozenFresh == expected.frozenFresh, "frozen fresh");
        check(actual.rated == expected.rated, "rated");
    }

    function samePage(uint32 p, uint32 n) private {
        LedgerModel.ModelPage memory expected = model.pageOf(p, n);
        Page memory actual = market.getPage(p, n);
        uint256 live = 0;
        uint256 fresh = 0;
        uint256 taken = 0;
        for (uint256 i = 0; i < 8; ++i) {
            if (expected.live[i]) live |= 1 << i;
            if (expected.fresh[i]) fresh |= 1 << i;
            if (expected.taken[i]) taken |= 1 << i;
        }
        same(actual.live, live, "live");
        same(actual.fresh, fresh, "fresh");
        same(actual.taken, taken, "taken");
        check(fresh & ~live == 0 && live & ~taken == 0, "fresh is live, live is taken");
        bytes32 key = keccak256(abi.encode(expected.leaves));
        if (_roots[key] == 0) _roots[key] = Statement.root(pairHash, schedule.hashes(expected.leaves));
        same(actual.root, _roots[key], "root");
    }

    mapping(bytes32 leaves => uint256) private _roots;
}
