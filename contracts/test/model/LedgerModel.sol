// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LeaseState} from "../../src/Types.sol";
import {Entry, Leaf, Statement} from "../support/Statement.sol";

/// @dev What a prover offers: leaves that it has a tree of, the entries it proves over them, and what it says comes of them.
struct Offered {
    Leaf[8] base;
    uint256 provider;
    uint256 page;
    Entry[] entries;
    uint256 paid;
    /// @dev the new root is that of the leaves that come of base and entries; false: some other root
    bool honestRoot;
}

/// @dev What the transaction says.
struct Sent {
    uint32 provider;
    uint32 page;
    Entry[] entries;
    uint256 paid;
    bool honestRoot;
}

/// @title The ledger of settlement.md as an executable model
/// @dev Knows nothing of hashes, roots, words or gas: leaves stand for roots, and a proof is a statement that the circuit's rules allow. Every function
///      answers whether the call has to succeed, and changes the model only then. Written from settlement.md, not from the contract. Pages of 8.
contract LedgerModel {
    uint256 private constant SYNC = 2;
    uint256 private constant FRESH = 4;
    uint256 private constant PAY = 8;
    uint256 private constant CLOSE = 16;

    struct ModelLease {
        address client;
        LeaseState state;
        uint32 provider;
        uint32 page;
        uint256 slot;
        uint256 ax;
        uint256 ay;
        uint256 minDeposit;
        uint256 deposit;
        uint256 deadline;
        bool frozenFresh;
        Leaf frozenLeaf;
        /// @dev what settlements took out of it
        uint256 paid;
        uint256 refunded;
        bool rated;
    }

    struct ModelPage {
        bool opened;
        Leaf[8] leaves;
        bool[8] live;
        bool[8] fresh;
        bool[8] taken;
    }

    struct Provider {
        address owner;
        address operator;
        uint256 pool;
        uint256 earned;
        uint32 pages;
    }

    uint256 public immutable bond;
    uint256 public immutable acceptEpochs;
    uint256 public immutable confirmEpochs;
    uint256 public immutable closeEpochs;

    ModelLease[] private _leases;
    mapping(uint32 => Provider) private _providers;
    mapping(uint32 => mapping(uint32 => ModelPage)) private _pages;
    mapping(address => uint256) public withdrawable;
    /// @dev vouchers that honest keys signed, and keys whose owners sign anything
    mapping(bytes32 key => mapping(uint64 leaseId => mapping(uint256 cumulative => bool))) private _signed;
    mapping(bytes32 key => bool) private _signsAnything;
    mapping(uint64 leaseId => uint256) public signedMost;
    /// @dev coin that came in and went out
    uint256 public paidIn;
    uint256 public paidOut;

    constructor(uint256 bond_, uint256 acceptEpochs_, uint256 confirmEpochs_, uint256 closeEpochs_) {
        bond = bond_;
        acceptEpochs = acceptEpochs_;
        confirmEpochs = confirmEpochs_;
        closeEpochs = closeEpochs_;
        _leases.push();
    }

    // What the outside does

    function addProvider(uint32 index, address owner, address operator) external {
        _providers[index].owner = owner;
        _providers[index].operator = operator;
    }

    function signsAnything(uint256 ax, uint256 ay) external {
        _signsAnything[keccak256(abi.encode(ax, ay))] = true;
    }

    function sign(uint64 leaseId, uint256 cumulative) external {
        ModelLease storage lease = _leases[leaseId];
        _signed[keccak256(abi.encode(lease.ax, lease.ay))][leaseId][cumulative] = true;
        if (cumulative > signedMost[leaseId]) signedMost[leaseId] = cumulative;
    }

    function isHonest(uint64 leaseId) public view returns (bool) {
        return !_signsAnything[keccak256(abi.encode(_leases[leaseId].ax, _leases[leaseId].ay))];
    }

    // The contract's calls

    function openPage(address caller, uint32 provider) external returns (bool) {
        Provider storage p = _providers[provider];
        if (p.operator == address(0) || caller != p.operator) return false;
        _pages[provider][p.pages++].opened = true;
        return true;
    }

    function createLease(address caller, uint256 value, uint32 provider, uint256 minDeposit, uint256 ax, uint256 ay)
        external
        returns (bool)
    {
        if (value != bond) return false;
        _leases.push();
        ModelLease storage lease = _leases[_leases.length - 1];
        lease.client = caller;
        lease.state = LeaseState.Created;
        lease.provider = provider;
        lease.minDeposit = minDeposit;
        lease.deadline = block.number + acceptEpochs;
        (lease.ax, lease.ay) = (ax, ay);
        paidIn += value;
        return true;
    }

    function accept(address caller, uint64 leaseId, uint32 page) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        ModelPage storage p = _pages[lease.provider][page];
        if (lease.state != LeaseState.Created || caller != _providers[lease.provider].operator || !p.opened) return false;
        if (block.number >= lease.deadline) return false;
        for (uint256 slot = 0; slot < 8; ++slot) {
            if (p.taken[slot]) continue;
            p.taken[slot] = true;
            (lease.page, lease.slot) = (page, slot);
            lease.state = LeaseState.Accepted;
            lease.deadline = block.number + confirmEpochs;
            return true;
        }
        return false;
    }

    function confirm(address caller, uint64 leaseId, uint256 value) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        if (lease.state != LeaseState.Accepted || caller != lease.client || block.number >= lease.deadline) return false;
        if (value < lease.minDeposit || value >= 1 << 96) return false;
        lease.state = LeaseState.Active;
        lease.deposit = value;
        ModelPage storage p = _pages[lease.provider][lease.page];
        p.live[lease.slot] = true;
        p.fresh[lease.slot] = true;
        _providers[lease.provider].pool += value;
        withdrawable[caller] += bond;
        paidIn += value;
        return true;
    }

    function expire(uint64 leaseId) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        if (lease.state != LeaseState.Created && lease.state != LeaseState.Accepted) return false;
        if (block.number < lease.deadline) return false;
        if (lease.state == LeaseState.Created) {
            withdrawable[lease.client] += bond;
        } else {
            _providers[lease.provider].earned += bond;
            _pages[lease.provider][lease.page].taken[lease.slot] = false;
        }
        lease.state = LeaseState.Expired;
        return true;
    }

    function topUp(address caller, uint64 leaseId, uint256 value) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        if (!isOpen(leaseId) || caller != lease.client || value == 0 || lease.deposit + value >= 1 << 96) return false;
        lease.deposit += value;
        _providers[lease.provider].pool += value;
        paidIn += value;
        return true;
    }

    function requestClose(address caller, uint64 leaseId) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        Provider storage p = _providers[lease.provider];
        if (!isOpen(leaseId) || (caller != lease.client && caller != p.operator && caller != p.owner)) return false;
        if (lease.state == LeaseState.Closing) return true;
        lease.state = LeaseState.Closing;
        lease.deadline = block.number + closeEpochs;
        return true;
    }

    function freeze(address caller, uint64 leaseId) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        if (lease.state != LeaseState.Closing || caller != lease.client || block.number < lease.deadline) return false;
        ModelPage storage p = _pages[lease.provider][lease.page];
        lease.state = LeaseState.Frozen;
        lease.frozenFresh = p.fresh[lease.slot];
        lease.frozenLeaf = p.leaves[lease.slot];
        p.live[lease.slot] = p.fresh[lease.slot] = p.taken[lease.slot] = false;
        return true;
    }

    /// @dev `leaf` is what the caller can show under the root of the freeze; none (leaseId 0) if it shows nothing.
    function finish(uint64 leaseId, Leaf memory leaf) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        if (lease.state != LeaseState.Frozen) return false;
        uint256 claimed = 0;
        if (lease.frozenFresh) {
            if (leaf.leaseId != 0) return false;
        } else {
            if (keccak256(abi.encode(leaf)) != keccak256(abi.encode(lease.frozenLeaf)) || leaf.leaseId != leaseId) return false;
            claimed = leaf.claimed;
        }
        if (claimed > lease.deposit || lease.deposit - claimed > _providers[lease.provider].pool) return false;
        _refund(lease, lease.deposit - claimed);
        return true;
    }

    function withdraw(address caller) external returns (bool) {
        if (withdrawable[caller] == 0) return false;
        paidOut += withdrawable[caller];
        withdrawable[caller] = 0;
        return true;
    }

    function withdrawEarnings(address caller, uint32 provider) external returns (bool) {
        Provider storage p = _providers[provider];
        if ((caller != p.owner && caller != p.operator) || p.earned == 0) return false;
        paidOut += p.earned;
        p.earned = 0;
        return true;
    }

    function rate(address caller, uint64 leaseId, uint256 stars) external returns (bool) {
        ModelLease storage lease = _leases[leaseId];
        if (lease.state != LeaseState.Closed || caller != lease.client || lease.rated || stars == 0 || stars > 5) return false;
        lease.rated = true;
        return true;
    }

    function settle(address caller, Sent memory sent, Offered memory offered) external returns (bool) {
        if (!_contractAllows(caller, sent) || !_sameStatement(sent, offered) || !provable(offered)) return false;
        ModelPage storage p = _pages[sent.provider][sent.page];
        uint256 refunds = 0;
        for (uint256 k = 0; k < sent.entries.length; ++k) {
            Entry memory entry = sent.entries[k];
            if (entry.flags & CLOSE == 0) continue;
            ModelLease storage lease = _leases[entry.leaseId];
            if (entry.claimed > lease.deposit) return false;
            refunds += lease.deposit - entry.claimed;
        }
        if (sent.paid + refunds > _providers[sent.provider].pool) return false;

        for (uint256 k = 0; k < sent.entries.length; ++k) {
            Entry memory entry = sent.entries[k];
            Leaf memory old = p.leaves[entry.slot];
            Leaf memory leaf = leafAfter(old, entry);
            p.leaves[entry.slot] = leaf;
            p.fresh[entry.slot] = false;
            _leases[leaf.leaseId].paid += entry.claimed - (entry.flags & FRESH == 0 ? old.claimed : 0);
            if (entry.flags & CLOSE == 0) continue;
            ModelLease storage lease = _leases[entry.leaseId];
            p.live[entry.slot] = p.taken[entry.slot] = false;
            _refund(lease, lease.deposit - entry.claimed);
        }
        _providers[sent.provider].pool -= sent.paid;
        _providers[sent.provider].earned += sent.paid;
        return true;
    }

    // The circuit

    /// @dev Whether the settlement circuit has a proof of this.
    function provable(Offered memory offered) public view returns (bool) {
        uint256 paid = 0;
        if (!offered.honestRoot) return false;
        for (uint256 k = 0; k < offered.entries.length; ++k) {
            Entry memory entry = offered.entries[k];
            Leaf memory old = offered.base[entry.slot];
            bool fresh = entry.flags & FRESH != 0;
            bool sync = entry.flags & SYNC != 0;
            if (fresh && !sync) return false;
            if (!fresh && old.leaseId == 0) return false;
            uint256 before = fresh ? 0 : old.claimed;
            if (sync && !fresh && (entry.leaseId != old.leaseId || entry.ax != old.ax || entry.ay != old.ay)) return false;
            Leaf memory leaf = leafAfter(old, entry);
            if (entry.flags & PAY == 0) {
                if (entry.claimed != before) return false;
            } else {
                if (entry.claimed < before || entry.claimed > leaf.deposit) return false;
                bytes32 key = keccak256(abi.encode(leaf.ax, leaf.ay));
                if (!_signsAnything[key] && !_signed[key][leaf.leaseId][entry.claimed]) return false;
            }
            paid += entry.claimed - before;
        }
        return paid == offered.paid;
    }

    function leafAfter(Leaf memory old, Entry memory entry) public pure returns (Leaf memory) {
        if (entry.flags & SYNC != 0) return Leaf(entry.leaseId, entry.ax, entry.ay, entry.deposit, entry.claimed);
        return Leaf(old.leaseId, old.ax, old.ay, old.deposit, entry.claimed);
    }

    // The rest of the contract's rules for a settlement

    function _contractAllows(address caller, Sent memory sent) private view returns (bool) {
        ModelPage storage p = _pages[sent.provider][sent.page];
        if (caller != _providers[sent.provider].operator || !p.opened) return false;
        for (uint256 k = 0; k < sent.entries.length; ++k) {
            Entry memory entry = sent.entries[k];
            if (entry.slot >= 8 || (k > 0 && entry.slot <= sent.entries[k - 1].slot)) return false;
            if (!p.live[entry.slot]) return false;
            if (p.fresh[entry.slot] != (entry.flags & FRESH != 0)) return false;
            if (entry.flags & FRESH != 0 && entry.flags & SYNC == 0) return false;
            if (entry.flags & (SYNC | CLOSE) == 0) continue;
            if (entry.leaseId >= _leases.length || !isOpen(entry.leaseId)) return false;
            ModelLease storage lease = _leases[entry.leaseId];
            if (lease.provider != sent.provider || lease.page != sent.page || lease.slot != entry.slot) return false;
            if (entry.flags & SYNC != 0 && entry.deposit > lease.deposit) return false;
        }
        return true;
    }

    /// @dev Whether the statement that the contract derives is the one that was proved.
    function _sameStatement(Sent memory sent, Offered memory offered) private view returns (bool) {
        if (sent.provider != offered.provider || sent.page != offered.page || sent.paid != offered.paid) return false;
        if (sent.honestRoot != offered.honestRoot || sent.entries.length != offered.entries.length) return false;
        if (keccak256(abi.encode(offered.base)) != keccak256(abi.encode(_pages[sent.provider][sent.page].leaves))) return false;
        for (uint256 k = 0; k < sent.entries.length; ++k) {
            Entry memory a = sent.entries[k];
            Entry memory b = offered.entries[k];
            if (a.slot != b.slot || a.flags & 15 != b.flags & 15 || a.claimed != b.claimed) return false;
            if (a.flags & SYNC == 0) continue;
            // The key in the contract's list is that of the record.
            ModelLease storage lease = _leases[a.leaseId];
            if (a.leaseId != b.leaseId || lease.ax != b.ax || lease.ay != b.ay || a.deposit != b.deposit) return false;
        }
        return true;
    }

    function _refund(ModelLease storage lease, uint256 amount) private {
        lease.state = LeaseState.Closed;
        lease.refunded = amount;
        withdrawable[lease.client] += amount;
        _providers[lease.provider].pool -= amount;
    }

    // What it looks like

    function isOpen(uint64 leaseId) public view returns (bool) {
        return _leases[leaseId].state == LeaseState.Active || _leases[leaseId].state == LeaseState.Closing;
    }

    function leaseCount() external view returns (uint64) {
        return uint64(_leases.length - 1);
    }

    function leaseOf(uint64 leaseId) external view returns (ModelLease memory) {
        return _leases[leaseId];
    }

    function pageOf(uint32 provider, uint32 number) external view returns (ModelPage memory) {
        return _pages[provider][number];
    }

    function providerOf(uint32 index) external view returns (Provider memory) {
        return _providers[index];
    }

    /// @dev What the contract owes: it has to be what came in less what went out.
    function owed(uint32 providers, address[] calldata accounts) external view returns (uint256 sum) {
        for (uint32 i = 1; i <= providers; ++i) sum += _providers[i].pool + _providers[i].earned;
        for (uint256 i = 0; i < accounts.length; ++i) sum += withdrawable[accounts[i]];
        for (uint256 i = 1; i < _leases.length; ++i) {
            if (_leases[i].state == LeaseState.Created || _leases[i].state == LeaseState.Accepted) sum += bond;
        }
    }
}
