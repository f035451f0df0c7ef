// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPoseidonT3, IPoseidonT6} from "../../src/interfaces/IPoseidon.sol";
import {ShaleMarket} from "../../src/ShaleMarket.sol";
import {Lease, LeaseState, Order, Terms} from "../../src/Types.sol";
import {ScriptedVerifier} from "../doubles/ScriptedVerifier.sol";
import {Checks} from "../support/Checks.sol";
import {Entry, Leaf, Statement} from "../support/Statement.sol";
import {LedgerModel, Offered, Sent} from "./LedgerModel.sol";

/// @dev Does the same to the model and to the contracts, and insists that both accept it or both refuse it. The fuzzer calls the functions in any order
///      with any numbers. Two providers with two pages each; two clients who sign what they owe, and one who signs whatever its provider likes.
contract Schedule is Checks {
    uint256 private constant LISTED = 1;
    uint256 private constant SYNC = 2;
    uint256 private constant FRESH = 4;
    uint256 private constant PAY = 8;
    uint256 private constant CLOSE = 16;
    uint256 private constant AX = 5299619240641551281634865583518297030282874472190772894086521144482721001553;
    uint256 private constant AY = 16950150798460657717958625567821834550301663161624707787222815936182638968203;
    /// @dev A schedule stays small, so that slots are reused and parties meet.
    uint256 private constant MOST_LEASES = 40;

    ShaleMarket public immutable market;
    LedgerModel public immutable model;
    ScriptedVerifier private immutable _verifier;
    IPoseidonT3 private immutable _pair;
    IPoseidonT6 private immutable _five;

    address[3] public clients = [named("client 0"), named("client 1"), named("accomplice")];
    mapping(uint64 leaseId => uint256[]) private _vouchers;
    mapping(uint32 provider => mapping(uint32 page => Leaf[8])) private _stale;
    /// @dev How often what was tried succeeded, for the test that asserts that the schedules reach everything.
    mapping(string action => uint256) public succeeded;
    mapping(string action => uint256) public refusedCount;
    uint256 public refusals;
    uint256 public steps;

    uint256 private _random;

    constructor(ShaleMarket market_, LedgerModel model_, ScriptedVerifier verifier, IPoseidonT3 pair, IPoseidonT6 five) {
        (market, model, _verifier, _pair, _five) = (market_, model_, verifier, pair, five);
        for (uint256 i = 0; i < 3; ++i) vm.deal(clients[i], 1e30);
        (uint256 ax, uint256 ay) = keyOf(2);
        model.signsAnything(ax, ay);
    }

    /// @dev One step. What happens often in a market and what a thief would try come up more often than the rest.
    function step(uint256 kind, uint256 seed) external {
        ++steps;
        kind %= 48;
        if (kind < 6) orderAcceptConfirm(seed);
        else if (kind < 12) sign(seed);
        else if (kind < 19) settleHonestly(seed);
        else if (kind < 28) settleDishonestly(seed);
        else if (kind < 30) topUp(seed);
        else if (kind < 33) requestClose(seed);
        else if (kind < 35) roll(seed);
        else if (kind < 38) freeze(seed);
        else if (kind < 41) finish(seed);
        else if (kind == 41) withdraw(seed);
        else if (kind == 42) withdrawEarnings(seed);
        else if (kind == 43) expire(seed);
        else if (kind == 44) order(seed);
        else if (kind == 45) accept(seed);
        else if (kind == 46) confirm(seed);
        else rate(seed);
    }

    // Steps

    function order(uint256 seed) private {
        if (model.leaseCount() >= MOST_LEASES) return;
        _random = seed;
        uint256 who = draw(3);
        uint256 value = draw(8) == 0 ? draw(2 * market.bond()) : market.bond();
        Order memory made;
        made.provider = uint32(1 + draw(2));
        made.offer = 1;
        made.priceLimit = 100;
        (made.ax, made.ay) = keyOf(who);
        bool expected = model.createLease(clients[who], value, made.provider, 1000, made.ax, made.ay);
        vm.prank(clients[who]);
        (bool ok,) = address(market).call{value: value}(abi.encodeCall(market.createLease, (made)));
        both("order", expected, ok);
    }

    function accept(uint256 seed) private {
        uint64 leaseId = pick(seed, LeaseState.Created);
        uint32 page = uint32(draw(3));
        address caller = someone(leaseId, 6);
        Terms memory terms = Terms({pricePerSecond: 100, endpoint: "e", hostKeys: new bytes32[](1)});
        bool expected = model.accept(caller, leaseId, page);
        attempt("accept", expected, caller, 0, abi.encodeCall(market.accept, (leaseId, page, terms)));
    }

    function confirm(uint256 seed) private {
        uint64 leaseId = pick(seed, LeaseState.Accepted);
        uint256 value = draw(10) == 0 ? amount() : 1000 + draw(1e6);
        address caller = clientOr(leaseId, 10);
        bytes32 terms = market.getLease(leaseId).termsHash;
        bool expected = model.confirm(caller, leaseId, value);
        attempt("confirm", expected, caller, value, abi.encodeCall(market.confirm, (leaseId, terms)));
    }

    /// @dev An order taken all the way, so that schedules are not made of expired ones.
    function orderAcceptConfirm(uint256 seed) private {
        order(seed);
        uint64 leaseId = model.leaseCount();
        if (leaseId == 0 || model.leaseOf(leaseId).state != LeaseState.Created) return;
        uint32 page = uint32(draw(2));
        address operator = model.providerOf(model.leaseOf(leaseId).provider).operator;
        Terms memory terms = Terms({pricePerSecond: 100, endpoint: "e", hostKeys: new bytes32[](1)});
        bool expected = model.accept(operator, leaseId, page);
        attempt("accept", expected, operator, 0, abi.encodeCall(market.accept, (leaseId, page, terms)));
        if (!expected) return;
        bytes32 hash = market.getLease(leaseId).termsHash;
        address client = model.leaseOf(leaseId).client;
        uint256 value = 1000 + draw(1e6);
        expected = model.confirm(client, leaseId, value);
        attempt("confirm", expected, client, value, abi.encodeCall(market.confirm, (leaseId, hash)));
    }

    function expire(uint256 seed) private {
        uint64 leaseId = pick(seed, draw(2) == 0 ? LeaseState.Created : LeaseState.Accepted);
        bool expected = model.expire(leaseId);
        attempt("expire", expected, clients[draw(3)], 0, abi.encodeCall(market.expire, (leaseId)));
    }

    function topUp(uint256 seed) private {
        uint64 leaseId = pick(seed, draw(2) == 0 ? LeaseState.Active : LeaseState.Closing);
        uint256 value = draw(8) == 0 ? amount() : draw(10000);
        address caller = clientOr(leaseId, 10);
        bool expected = model.topUp(caller, leaseId, value);
        attempt("topUp", expected, caller, value, abi.encodeCall(market.topUp, (leaseId)));
    }

    function requestClose(uint256 seed) private {
        uint64 leaseId = pick(seed, LeaseState.Active);
        address caller = draw(2) == 0 ? clientOr(leaseId, 10) : someone(leaseId, 3);
        bool expected = model.requestClose(caller, leaseId);
        attempt("requestClose", expected, caller, 0, abi.encodeCall(market.requestClose, (leaseId)));
    }

    function roll(uint256 seed) private {
        _random = seed;
        uint256 kind = draw(4);
        vm.roll(block.number + (kind == 0 ? 1 : kind == 1 ? draw(300) : kind == 2 ? draw(3000) : market.closeEpochs() - draw(2)));
    }

    /// @dev A client signs a voucher, up to its deposit, at times above it, at times again what it signed before.
    function sign(uint256 seed) private {
        uint64 leaseId = pick(seed, draw(3) == 0 ? LeaseState.Closing : LeaseState.Active);
        LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
        if (lease.state == LeaseState.None || lease.deposit == 0) return;
        uint256 cumulative = draw(10) == 0 ? lease.deposit + draw(3) : draw(lease.deposit + 1);
        if (cumulative < model.signedMost(leaseId) && draw(4) != 0) cumulative = model.signedMost(leaseId);
        if (cumulative >= 1 << 96) return;
        model.sign(leaseId, cumulative);
        _vouchers[leaseId].push(cumulative);
    }

    function freeze(uint256 seed) private {
        uint64 leaseId = pick(seed, LeaseState.Closing);
        address caller = clientOr(leaseId, 10);
        bool expected = model.freeze(caller, leaseId);
        attempt("freeze", expected, caller, 0, abi.encodeCall(market.freeze, (leaseId)));
        if (expected) remember(leaseId);
    }

    /// @dev Siblings as they are when the slot is freed: what a client's agent keeps.
    mapping(uint64 leaseId => uint256[]) private _siblings;

    function remember(uint64 leaseId) private {
        LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
        Leaf[8] memory leaves = model.pageOf(lease.provider, lease.page).leaves;
        _siblings[leaseId] = Statement.path(_pair, hashes(leaves), lease.slot);
    }

    function finish(uint256 seed) private {
        uint64 leaseId = pick(seed, LeaseState.Frozen);
        Leaf memory leaf;
        LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
        uint256[] memory siblings = new uint256[](0);
        if (!lease.frozenFresh) (leaf, siblings) = (lease.frozenLeaf, _siblings[leaseId]);
        if (draw(4) == 0) {
            // Somebody tries another leaf.
            leaf.leaseId = leaseId;
            if (draw(2) == 0) leaf.claimed = uint96(leaf.claimed + 1);
            else leaf.deposit = uint96(leaf.deposit + 1);
            (leaf.ax, leaf.ay) = (lease.ax, lease.ay);
        }
        bool expected = model.finish(leaseId, leaf);
        attempt("finish", expected, clients[draw(3)], 0, abi.encodeCall(market.finish, (leaseId, leaf.deposit, leaf.claimed, siblings)));
    }

    /// @dev A client leaves, for the end of a schedule: with what its agent keeps, and nobody's help.
    function leaveAlone(uint64 leaseId) external {
        address client = model.leaseOf(leaseId).client;
        bool expected = model.freeze(client, leaseId);
        attempt("freeze", expected, client, 0, abi.encodeCall(market.freeze, (leaseId)));
        check(expected, "a client can always leave");
        remember(leaseId);
    }

    function askToClose(uint64 leaseId) external {
        address client = model.leaseOf(leaseId).client;
        check(model.requestClose(client, leaseId), "a client can always ask to close");
        attempt("requestClose", true, client, 0, abi.encodeCall(market.requestClose, (leaseId)));
    }

    function finishAlone(uint64 leaseId) external {
        LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
        Leaf memory leaf;
        if (!lease.frozenFresh) leaf = lease.frozenLeaf;
        market.finish(leaseId, leaf.deposit, leaf.claimed, lease.frozenFresh ? new uint256[](0) : _siblings[leaseId]);
    }

    function rate(uint256 seed) private {
        uint64 leaseId = pick(seed, LeaseState.Closed);
        uint8 stars = uint8(draw(7));
        address caller = clientOr(leaseId, 4);
        bool expected = model.rate(caller, leaseId, stars);
        attempt("rate", expected, caller, 0, abi.encodeCall(market.rate, (leaseId, stars, "")));
    }

    function withdraw(uint256 seed) private {
        _random = seed;
        address caller = clients[draw(3)];
        bool expected = model.withdraw(caller);
        attempt("withdraw", expected, caller, 0, abi.encodeCall(market.withdraw, ()));
    }

    function withdrawEarnings(uint256 seed) private {
        _random = seed;
        uint32 provider = uint32(1 + draw(2));
        address caller = draw(4) == 0 ? clients[draw(3)] : draw(2) == 0 ? model.providerOf(provider).owner : model.providerOf(provider).operator;
        bool expected = model.withdrawEarnings(caller, provider);
        attempt("withdrawEarnings", expected, caller, 0, abi.encodeCall(market.withdrawEarnings, (provider)));
    }

    /// @dev A settlement as the provider's software makes it.
    function settleHonestly(uint256 seed) private {
        _random = seed;
        uint32 provider = uint32(1 + draw(2));
        uint32 page = uint32(draw(2));
        LedgerModel.ModelPage memory p = model.pageOf(provider, page);
        Entry[] memory entries = new Entry[](8);
        uint256 count = 0;
        for (uint256 slot = 0; slot < 8; ++slot) {
            if (!p.live[slot] || draw(4) == 0) continue;
            entries[count++] = honestEntry(provider, page, slot, p);
        }
        entries = shortened(entries, count);
        Offered memory offered = offeredOf(provider, page, p.leaves, entries);
        Sent memory sent = sentOf(provider, page, entries);
        sent.paid = offered.paid;
        check(submit("settle honestly", sent, offered), "a provider can always collect what it holds");
    }

    function honestEntry(uint32 provider, uint32 page, uint256 slot, LedgerModel.ModelPage memory p) private returns (Entry memory entry) {
        uint64 leaseId = leaseIn(provider, page, slot);
        LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
        uint256 flags = LISTED;
        uint256 deposit = lease.deposit;
        if (p.fresh[slot]) {
            flags |= SYNC | FRESH;
        } else if (p.leaves[slot].deposit < lease.deposit && draw(3) != 0) {
            flags |= SYNC;
        } else {
            deposit = p.leaves[slot].deposit;
        }
        uint256 claimed = p.fresh[slot] ? 0 : p.leaves[slot].claimed;
        // The best voucher that the leaf can bear; the accomplice signs all of it.
        uint256 best = claimed;
        if (!model.isHonest(leaseId)) best = deposit;
        for (uint256 i = 0; i < _vouchers[leaseId].length; ++i) {
            uint256 voucher = _vouchers[leaseId][i];
            if (voucher > best && voucher <= deposit) best = voucher;
        }
        if (best > claimed) (flags, claimed) = (flags | PAY, best);
        if (draw(6) == 0) flags |= CLOSE;
        return Entry(slot, flags, uint96(claimed), leaseId, lease.ax, lease.ay, uint96(deposit));
    }

    /// @dev A settlement as a thief makes it: entries that the circuit would often prove, over old leaves, other pages' leaves, finished leases, records
    ///      and keys of its own choosing; and a transaction that says the same or something else.
    function settleDishonestly(uint256 seed) private {
        _random = seed;
        uint32 provider = uint32(1 + draw(2));
        uint32 page = uint32(draw(2));
        LedgerModel.ModelPage memory p = model.pageOf(provider, page);
        Leaf[8] memory base = p.leaves;
        if (draw(6) == 0) base = draw(2) == 0 ? _stale[provider][page] : model.pageOf(provider, 1 - page).leaves;
        Entry[] memory entries = new Entry[](8);
        uint256 count = 0;
        bool aimed = draw(2) == 0;
        uint256 only = draw(3) == 0 ? 8 : draw(8);
        // A slot that was handed out again and not folded yet is worth the most to a thief.
        for (uint256 slot = 0; slot < 8; ++slot) if (p.fresh[slot] && p.leaves[slot].leaseId != 0 && draw(2) == 0) only = slot;
        for (uint256 slot = 0; slot < 8; ++slot) {
            // At one slot alone, live or not, or at every second live one.
            if (aimed && (only < 8 ? slot == only : p.live[slot] && draw(2) == 0)) entries[count++] = aimedEntry(provider, page, slot, p);
            if (!aimed && draw(7) == 0) entries[count++] = thiefsEntry(provider, page, slot, p, base[slot]);
        }
        entries = shortened(entries, count);
        Offered memory offered = offeredOf(provider, page, base, entries);
        Sent memory sent = sentOf(provider, page, entries);
        sent.paid = offered.paid;
        if (!aimed || draw(4) == 0) tamper(sent, offered);
        submit("settle dishonestly", sent, offered);
    }

    /// @dev What the circuit proves gladly and only the contract's own rules forbid: a first sync again, so that vouchers count from zero; a fresh slot
    ///      paid out of the finished lease's leaf that still lies there; another open lease's record; a deposit that nobody made.
    function aimedEntry(uint32 provider, uint32 page, uint256 slot, LedgerModel.ModelPage memory p) private returns (Entry memory entry) {
        uint64 leaseId = leaseIn(provider, page, slot);
        uint256 whose = draw(6);
        if (whose == 0 && model.leaseCount() != 0) leaseId = uint64(1 + draw(model.leaseCount()));
        // Mostly an open lease of a neighbouring slot, or of the same slot of the other page or provider.
        if (whose == 1) leaseId = leaseIn(provider, page, draw(8));
        if (whose == 2) leaseId = draw(2) == 0 ? leaseIn(provider, 1 - page, slot) : leaseIn(3 - provider, page, slot);
        LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
        entry = Entry(slot, LISTED | SYNC | FRESH, 0, leaseId, lease.ax, lease.ay, uint96(lease.deposit));
        if (draw(6) == 0) entry.deposit += 1;
        Leaf memory old = p.leaves[slot];
        if (old.leaseId != 0 && draw(2) == 0) {
            entry.flags = LISTED;
            entry.claimed = old.claimed;
            leaseId = old.leaseId;
            if (draw(3) == 0) (entry.flags, entry.leaseId, entry.ax, entry.ay) = (LISTED | SYNC, leaseId, old.ax, old.ay);
            else entry.deposit = old.deposit;
        }
        for (uint256 i = 0; i < _vouchers[leaseId].length; ++i) {
            uint256 voucher = _vouchers[leaseId][i];
            if (voucher < entry.claimed || voucher > entry.deposit) continue;
            entry.flags |= PAY;
            entry.claimed = uint96(voucher);
        }
        if (draw(6) == 0) entry.flags |= CLOSE;
    }

    function thiefsEntry(uint32 provider, uint32 page, uint256 slot, LedgerModel.ModelPage memory p, Leaf memory old)
        private
        returns (Entry memory entry)
    {
        uint64 leaseId = draw(3) == 0 ? uint64(1 + draw(model.leaseCount())) : draw(3) == 0 ? old.leaseId : leaseIn(provider, page, slot);
        if (leaseId > model.leaseCount()) leaseId = 0;
        LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
        entry = Entry(slot, LISTED, old.claimed, leaseId, lease.ax, lease.ay, uint96(lease.deposit));
        uint256 kind = draw(5);
        // As the page has it, first sync again, first sync left out, top-up, or anything.
        if (kind == 0) entry.flags |= p.fresh[slot] ? SYNC | FRESH : 0;
        else if (kind == 1) entry.flags |= SYNC | FRESH;
        else if (kind == 2) entry.flags |= 0;
        else if (kind == 3) entry.flags |= SYNC;
        else entry.flags |= draw(8) << 1;
        if (entry.flags & FRESH != 0) entry.claimed = 0;
        if (draw(4) == 0) (entry.ax, entry.ay) = keyOf(2);
        if (draw(4) == 0) entry.deposit += uint96(1 + draw(1000));
        if (draw(2) == 0) {
            entry.flags |= PAY;
            uint256[] storage vouchers = _vouchers[leaseId];
            if (vouchers.length != 0 && draw(3) != 0) entry.claimed = uint96(vouchers[draw(vouchers.length)]);
            else entry.claimed = uint96(draw(4) == 0 ? uint256(entry.deposit) : entry.claimed + draw(3));
        }
        if (draw(5) == 0) entry.flags |= CLOSE;
    }

    function tamper(Sent memory sent, Offered memory offered) private {
        uint256 kind = draw(12);
        if (sent.entries.length != 0) {
            Entry memory entry = sent.entries[draw(sent.entries.length)];
            if (kind == 0) entry.leaseId = uint64(1 + draw(model.leaseCount() + 2));
            if (kind == 1) entry.flags ^= 1 << (1 + draw(4));
            if (kind == 2) entry.claimed = uint96(draw(uint256(entry.claimed) + 2));
            if (kind == 3) entry.deposit = uint96(draw(uint256(entry.deposit) + 2));
            if (kind == 4) entry.slot = draw(8);
        }
        if (kind == 5) sent.paid += 1;
        if (kind == 6) sent.honestRoot = false;
        if (kind == 7) (sent.honestRoot, offered.honestRoot) = (false, false);
        if (kind == 8) offered.provider = 3 - offered.provider;
        if (kind == 9) sent.provider = 3 - sent.provider;
        if (kind == 10) offered.paid = sent.paid = sent.paid + 1;
    }

    // The same to both

    function submit(string memory action, Sent memory sent, Offered memory offered) private returns (bool expected) {
        address caller = draw(16) == 0 ? clients[draw(3)] : model.providerOf(sent.provider).operator;
        bytes memory call = callOf(sent, offered);
        Leaf[8] memory before = model.pageOf(sent.provider, sent.page).leaves;
        expected = model.settle(caller, sent, offered);
        if (expected) for (uint256 i = 0; i < 8; ++i) _stale[sent.provider][sent.page][i] = before[i];
        if (!expected && model.provable(offered)) ++refusedCount["a proof that holds"];
        attempt(action, expected, caller, 0, call);
        // Somebody else's call is the one refusal that an honest settlement meets.
        expected = expected || caller != model.providerOf(sent.provider).operator;
    }

    function callOf(Sent memory sent, Offered memory offered) private returns (bytes memory) {
        uint256[] memory e = listOf(offered);
        if (model.provable(offered)) _verifier.allow(e);
        (bytes memory entries, bytes memory leaseIds) = Statement.pack(sent.entries, draw(2) == 0);
        uint256 newRoot = sent.honestRoot == offered.honestRoot ? e[3] : uint256(keccak256(abi.encode(e[3]))) % Statement.P;
        uint256[8] memory proof;
        return abi.encodeCall(
            market.settle, (sent.provider, sent.page, newRoot, sent.paid, entries, leaseIds, _verifier.commitment(e), proof)
        );
    }

    function listOf(Offered memory offered) private returns (uint256[] memory) {
        Leaf[8] memory leaves = offered.base;
        uint256 oldRoot = Statement.root(_pair, hashes(leaves));
        Leaf[8] memory changed;
        for (uint256 i = 0; i < 8; ++i) changed[i] = leaves[i];
        for (uint256 k = 0; k < offered.entries.length; ++k) {
            changed[offered.entries[k].slot] = model.leafAfter(leaves[offered.entries[k].slot], offered.entries[k]);
        }
        uint256 newRoot = Statement.root(_pair, hashes(changed));
        if (!offered.honestRoot) newRoot = newRoot ^ 1;
        return Statement.list(
            8,
            Statement.domain(block.chainid, address(market)),
            (offered.provider << 32) + offered.page,
            oldRoot,
            newRoot,
            offered.paid,
            offered.entries
        );
    }

    /// @dev Leaf hashes, each computed once.
    mapping(bytes32 => uint256) private _hashes;

    function hashes(Leaf[8] memory leaves) public returns (uint256[] memory list) {
        list = new uint256[](8);
        for (uint256 i = 0; i < 8; ++i) {
            if (leaves[i].leaseId == 0) continue;
            bytes32 key = keccak256(abi.encode(leaves[i]));
            if (_hashes[key] == 0) _hashes[key] = Statement.leafHash(_five, leaves[i]);
            list[i] = _hashes[key];
        }
    }

    function attempt(string memory action, bool expected, address caller, uint256 value, bytes memory data) private {
        vm.prank(caller);
        (bool ok,) = address(market).call{value: value}(data);
        both(action, expected, ok);
    }

    function both(string memory action, bool expected, bool ok) private {
        check(expected == ok, string.concat(action, expected ? ": the model allows it, the contract refused" : ": the model refuses it, the contract did it"));
        if (ok) ++succeeded[action];
        else ++refusedCount[action];
        if (!ok) ++refusals;
    }

    // Choices

    function draw(uint256 bound) private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return bound == 0 ? 0 : _random % bound;
    }

    /// @dev A lease in this state if there is one (mostly), else any; 0 if there are none.
    function pick(uint256 seed, LeaseState wanted) private returns (uint64 leaseId) {
        _random = seed;
        uint64 count = model.leaseCount();
        if (count == 0) return 0;
        leaseId = uint64(1 + draw(count));
        if (draw(10) == 0) return leaseId;
        for (uint64 i = 0; i < count; ++i) {
            if (model.leaseOf(leaseId).state == wanted) return leaseId;
            leaseId = leaseId % count + 1;
        }
    }

    function clientOr(uint64 leaseId, uint256 seldom) private returns (address) {
        return draw(seldom) == 0 ? clients[draw(3)] : model.leaseOf(leaseId).client;
    }

    function someone(uint64 leaseId, uint256 seldom) private returns (address) {
        LedgerModel.Provider memory provider = model.providerOf(model.leaseOf(leaseId).provider);
        return draw(seldom) != 0 ? provider.operator : draw(2) == 0 ? provider.owner : clients[draw(3)];
    }

    function amount() private returns (uint256) {
        uint256 kind = draw(4);
        return kind == 0 ? 0 : kind == 1 ? 1 << 96 : kind == 2 ? (1 << 96) - 1 : draw(1000);
    }

    function leaseIn(uint32 provider, uint32 page, uint256 slot) private view returns (uint64 leaseId) {
        for (leaseId = model.leaseCount(); leaseId > 0; --leaseId) {
            if (!model.isOpen(leaseId)) continue;
            LedgerModel.ModelLease memory lease = model.leaseOf(leaseId);
            if (lease.provider == provider && lease.page == page && lease.slot == slot) return leaseId;
        }
    }

    function shortened(Entry[] memory entries, uint256 count) private pure returns (Entry[] memory list) {
        list = new Entry[](count);
        for (uint256 i = 0; i < count; ++i) list[i] = entries[i];
    }

    /// @dev The transaction's own copy of the entries, so that tampering with one leaves the other.
    function sentOf(uint32 provider, uint32 page, Entry[] memory entries) private pure returns (Sent memory sent) {
        sent = Sent(provider, page, abi.decode(abi.encode(entries), (Entry[])), 0, true);
    }

    function offeredOf(uint32 provider, uint32 page, Leaf[8] memory base, Entry[] memory entries)
        private
        pure
        returns (Offered memory offered)
    {
        uint256 paid = 0;
        for (uint256 k = 0; k < entries.length; ++k) {
            uint256 before = entries[k].flags & FRESH != 0 ? 0 : base[entries[k].slot].claimed;
            if (entries[k].claimed > before) paid += entries[k].claimed - before;
        }
        offered = Offered(base, provider, page, entries, paid, true);
    }

    /// @dev Three keys on the curve: (x, y), (−x, y), (x, −y).
    function keyOf(uint256 who) public pure returns (uint256, uint256) {
        return who == 0 ? (AX, AY) : who == 1 ? (Statement.P - AX, AY) : (AX, Statement.P - AY);
    }
}
