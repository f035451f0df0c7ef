// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketState} from "../src/market/MarketState.sol";
import {Lease, LeaseState, Order, Page, Terms} from "../src/Types.sol";
import {ScheduleFixture} from "./support/ScheduleFixture.sol";
import {Leaf, Statement} from "./support/Statement.sol";
import {Log} from "./support/Vm.sol";

/// @dev An indexer that sees nothing but the market's events rebuilds everything that the market stores, every leaf included.
contract EventsTest is ScheduleFixture {
    struct Seen {
        address client;
        LeaseState state;
        uint32 provider;
        uint32 page;
        uint8 slot;
        bool frozenFresh;
        bool rated;
        uint96 amount;
        uint96 price;
        uint64 deadline;
        uint256 ax;
        uint256 ay;
        bytes32 termsHash;
    }

    mapping(uint64 leaseId => Seen) private _leases;
    mapping(uint32 provider => mapping(uint32 page => Page)) private _pages;
    mapping(uint32 provider => mapping(uint32 page => mapping(uint256 slot => uint64))) private _occupants;
    mapping(uint32 provider => mapping(uint32 page => Leaf[8])) private _leaves;
    mapping(uint32 provider => uint256) private _pools;
    mapping(uint32 provider => uint256) private _earned;
    mapping(address account => uint256) private _withdrawable;

    function test_Events_RebuildEverything() public {
        for (uint256 run = 0; run < 3; ++run) {
            uint256 snapshot = vm.snapshotState();
            // The pages were opened before.
            for (uint32 p = 1; p <= 2; ++p) for (uint32 n = 0; n < 2; ++n) _pages[p][n].size = 8;
            vm.recordLogs();
            for (uint256 i = 0; i < 150; ++i) {
                uint256 random = uint256(keccak256(abi.encode("events", run, i)));
                uint256 refusals = schedule.refusals();
                schedule.step(random, random >> 8);
                Log[] memory logs = vm.getRecordedLogs();
                // forge records the events of reverted calls too, which a chain does not; a settlement is the one call that emits before its last check.
                bool reverted = schedule.refusals() != refusals;
                for (uint256 k = 0; k < logs.length; ++k) {
                    bool undone = reverted && (logs[k].topics[0] == MarketState.LeaseClosed.selector);
                    if (logs[k].emitter == address(market) && !undone) see(logs[k]);
                }
            }
            compare();
            vm.revertToState(snapshot);
        }
    }

    function compare() private view {
        check(market.leaseCount() > 10, "the schedule did something");
        for (uint64 id = 1; id <= market.leaseCount(); ++id) {
            Lease memory actual = market.getLease(id);
            Seen storage seen = _leases[id];
            same(
                abi.encode(actual),
                abi.encode(
                    Lease({
                        client: seen.client,
                        state: seen.state,
                        provider: seen.provider,
                        page: seen.page,
                        slot: seen.slot,
                        frozenFresh: seen.frozenFresh,
                        rated: seen.rated,
                        amount: seen.amount,
                        price: seen.price,
                        // A deadline that nothing waits for any more tells nothing.
                        deadline: actual.deadline,
                        ax: seen.ax,
                        ay: seen.ay,
                        termsHash: seen.termsHash
                    })
                ),
                "lease"
            );
            bool waits = actual.state == LeaseState.Created || actual.state == LeaseState.Accepted || actual.state == LeaseState.Closing;
            if (waits) same(actual.deadline, seen.deadline, "deadline");
        }
        for (uint32 p = 1; p <= 2; ++p) {
            same(market.getAccount(p).pool, _pools[p], "pool");
            same(market.getAccount(p).earned, _earned[p], "earned");
            for (uint32 n = 0; n < 2; ++n) {
                uint256[] memory hashes = new uint256[](8);
                for (uint256 i = 0; i < 8; ++i) hashes[i] = Statement.leafHash(leafHash, _leaves[p][n][i]);
                Page memory expected = _pages[p][n];
                expected.root = Statement.root(pairHash, hashes);
                same(abi.encode(market.getPage(p, n)), abi.encode(expected), "page, its root from the rebuilt leaves");
            }
        }
        for (uint256 i = 0; i < 3; ++i) {
            address account = schedule.clients(i);
            same(market.withdrawable(account), _withdrawable[account], "withdrawable");
        }
    }

    function see(Log memory log) private {
        bytes32 what = log.topics[0];
        if (what == MarketState.PageSettled.selector) return settled(log);
        if (what == MarketState.Withdrawn.selector) {
            _withdrawable[address(uint160(uint256(log.topics[1])))] -= abi.decode(log.data, (uint256));
            return;
        }
        if (what == MarketState.EarningsWithdrawn.selector) {
            _earned[uint32(uint256(log.topics[1]))] -= abi.decode(log.data, (uint256));
            return;
        }
        Seen storage lease = _leases[uint64(uint256(log.topics[1]))];
        if (what == MarketState.LeaseCreated.selector) ordered(lease, log);
        else if (what == MarketState.LeaseAccepted.selector) accepted(lease, log);
        else if (what == MarketState.LeaseConfirmed.selector) confirmed(lease, log);
        else if (what == MarketState.LeaseExpired.selector) expired(lease, log);
        else if (what == MarketState.LeaseToppedUp.selector) toppedUp(lease, log);
        else if (what == MarketState.CloseRequested.selector) (lease.state, lease.deadline) = (LeaseState.Closing, abi.decode(log.data, (uint64)));
        else if (what == MarketState.LeaseFrozen.selector) left(lease, log);
        else if (what == MarketState.LeaseClosed.selector) ended(lease, log);
        else if (what == MarketState.LeaseRated.selector) lease.rated = true;
        else check(false, "an event that the indexer does not know");
    }

    function ordered(Seen storage lease, Log memory log) private {
        Order memory order;
        (lease.amount, lease.deadline, order) = abi.decode(log.data, (uint96, uint64, Order));
        lease.client = address(uint160(uint256(log.topics[2])));
        lease.state = LeaseState.Created;
        (lease.provider, lease.price, lease.ax, lease.ay) = (order.provider, order.priceLimit, order.ax, order.ay);
    }

    function accepted(Seen storage lease, Log memory log) private {
        Terms memory terms;
        (lease.page, lease.slot, lease.termsHash, lease.deadline, terms) = abi.decode(log.data, (uint32, uint8, bytes32, uint64, Terms));
        lease.state = LeaseState.Accepted;
        lease.price = terms.pricePerSecond;
        _pages[lease.provider][lease.page].taken |= 1 << lease.slot;
    }

    function confirmed(Seen storage lease, Log memory log) private {
        (,, lease.amount) = abi.decode(log.data, (uint32, uint8, uint96));
        lease.state = LeaseState.Active;
        Page storage page_ = _pages[lease.provider][lease.page];
        page_.live |= 1 << lease.slot;
        page_.fresh |= 1 << lease.slot;
        _occupants[lease.provider][lease.page][lease.slot] = uint64(uint256(log.topics[1]));
        _pools[lease.provider] += lease.amount;
        _withdrawable[lease.client] += BOND;
    }

    function expired(Seen storage lease, Log memory log) private {
        (lease.state, lease.amount) = (LeaseState.Expired, 0);
        if (!abi.decode(log.data, (bool))) {
            _withdrawable[lease.client] += BOND;
            return;
        }
        _earned[lease.provider] += BOND;
        _pages[lease.provider][lease.page].taken &= ~(1 << lease.slot);
    }

    function toppedUp(Seen storage lease, Log memory log) private {
        uint96 added;
        (added, lease.amount) = abi.decode(log.data, (uint96, uint96));
        _pools[lease.provider] += added;
    }

    function left(Seen storage lease, Log memory log) private {
        (,, lease.frozenFresh,) = abi.decode(log.data, (uint32, uint8, bool, uint256));
        lease.state = LeaseState.Frozen;
        freed(_pages[lease.provider][lease.page], lease.slot);
    }

    function ended(Seen storage lease, Log memory log) private {
        uint96 refund;
        (lease.amount, refund) = abi.decode(log.data, (uint96, uint96));
        lease.state = LeaseState.Closed;
        _pools[lease.provider] -= refund;
        _withdrawable[lease.client] += refund;
    }

    function freed(Page storage page_, uint256 slot) private {
        page_.live &= ~(1 << slot);
        page_.fresh &= ~(1 << slot);
        page_.taken &= ~(1 << slot);
    }

    /// @dev docs/SETTLEMENT.md, the packing of the entries.
    function settled(Log memory log) private {
        uint32 p = uint32(uint256(log.topics[1]));
        uint32 n = uint32(uint256(log.topics[2]));
        (, uint256 paid, bytes memory entries) = abi.decode(log.data, (uint256, uint256, bytes));
        _pools[p] -= paid;
        _earned[p] += paid;
        uint256 offset = 0;
        while (offset < entries.length) {
            uint256 flags = uint8(entries[offset + 2]);
            uint256 last = uint8(entries[offset + 1]);
            uint256 slot = uint8(entries[offset]);
            offset += 3;
            for (; slot <= last; ++slot) {
                Leaf storage leaf = _leaves[p][n][slot];
                leaf.claimed = uint96(number(entries, offset));
                offset += 12;
                if (flags & SYNC != 0) {
                    leaf.leaseId = _occupants[p][n][slot];
                    (leaf.ax, leaf.ay) = (_leases[leaf.leaseId].ax, _leases[leaf.leaseId].ay);
                    leaf.deposit = uint96(number(entries, offset));
                    offset += 12;
                }
                if (flags & FRESH != 0) _pages[p][n].fresh &= ~(1 << slot);
                if (flags & CLOSE != 0) freed(_pages[p][n], slot);
            }
        }
    }

    function number(bytes memory data, uint256 offset) private pure returns (uint256 value) {
        for (uint256 i = 0; i < 12; ++i) value = value << 8 | uint8(data[offset + i]);
    }
}
