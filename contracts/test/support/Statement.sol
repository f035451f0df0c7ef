// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPoseidonT3, IPoseidonT6} from "../../src/interfaces/IPoseidon.sol";

/// @dev A leaf of a page as provers and clients keep it; leaseId 0 is the empty leaf.
struct Leaf {
    uint64 leaseId;
    uint256 ax;
    uint256 ay;
    uint96 deposit;
    uint96 claimed;
}

/// @dev An entry of a settlement before it is packed.
struct Entry {
    uint256 slot;
    uint256 flags;
    uint96 claimed;
    uint64 leaseId;
    uint256 ax;
    uint256 ay;
    uint96 deposit;
}

/// @dev The statement of docs/SETTLEMENT.md written down as plainly as possible: what the contract's fast code is compared with.
library Statement {
    uint256 internal constant P = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 internal constant LISTED = 1;
    uint256 internal constant SYNC = 2;
    uint256 internal constant FRESH = 4;
    uint256 internal constant PAY = 8;
    uint256 internal constant CLOSE = 16;

    function domain(uint256 chainId, address market) internal pure returns (uint256) {
        bytes32 hash = keccak256(bytes.concat("shale/voucher/v1", bytes32(chainId), bytes20(market)));
        return uint256(hash) / 256;
    }

    /// @dev The public list e.
    function list(uint256 size, uint256 domain_, uint256 pageKey, uint256 oldRoot, uint256 newRoot, uint256 paid, Entry[] memory entries)
        internal
        pure
        returns (uint256[] memory e)
    {
        e = new uint256[](5 + 5 * size);
        e[0] = domain_;
        e[1] = pageKey;
        e[2] = oldRoot;
        e[3] = newRoot;
        e[4] = paid;
        for (uint256 k = 0; k < entries.length; ++k) {
            Entry memory entry = entries[k];
            uint256 index = 5 + 5 * entry.slot;
            e[index] = (entry.flags & 15) + 256 * uint256(entry.claimed);
            if (entry.flags & SYNC == 0) continue;
            e[index + 1] = entry.leaseId;
            e[index + 2] = entry.ax;
            e[index + 3] = entry.ay;
            e[index + 4] = entry.deposit;
        }
    }

    function challenge(uint256 c, uint256[] memory e) internal pure returns (uint256) {
        return uint256(keccak256(abi.encodePacked(c, e))) % P;
    }

    function evaluate(uint256[] memory e, uint256 r) internal pure returns (uint256 d) {
        uint256 power = 1;
        for (uint256 i = 0; i < e.length; ++i) {
            d = addmod(d, mulmod(e[i], power, P), P);
            power = mulmod(power, r, P);
        }
    }

    /// @dev Packs entries, neighbours with the same flags into one run if `merged`.
    function pack(Entry[] memory entries, bool merged) internal pure returns (bytes memory packed, bytes memory leaseIds) {
        for (uint256 k = 0; k < entries.length;) {
            uint256 end = k + 1;
            while (
                merged && end < entries.length && entries[end].flags == entries[k].flags && entries[end].slot == entries[end - 1].slot + 1
            ) ++end;
            packed = bytes.concat(packed, bytes1(uint8(entries[k].slot)), bytes1(uint8(entries[end - 1].slot)), bytes1(uint8(entries[k].flags)));
            for (; k < end; ++k) {
                packed = bytes.concat(packed, bytes12(entries[k].claimed));
                if (entries[k].flags & SYNC != 0) packed = bytes.concat(packed, bytes12(entries[k].deposit));
                if (entries[k].flags & (SYNC | CLOSE) != 0) leaseIds = bytes.concat(leaseIds, bytes8(entries[k].leaseId));
            }
        }
    }

    function leafHash(IPoseidonT6 five, Leaf memory leaf) internal pure returns (uint256) {
        if (leaf.leaseId == 0) return 0;
        return five.hash([uint256(leaf.leaseId), leaf.ax, leaf.ay, leaf.deposit, leaf.claimed]);
    }

    /// @dev The root over leaf hashes.
    function root(IPoseidonT3 pair, uint256[] memory hashes) internal pure returns (uint256) {
        uint256[] memory level = hashes;
        uint256 empty = 0;
        while (level.length > 1) (level, empty) = parents(pair, level, empty);
        return level[0];
    }

    /// @dev The siblings of a leaf, from its own up.
    function path(IPoseidonT3 pair, uint256[] memory hashes, uint256 index) internal pure returns (uint256[] memory siblings) {
        uint256 depth = hashes.length == 8 ? 3 : hashes.length == 64 ? 6 : 8;
        siblings = new uint256[](depth);
        uint256[] memory level = hashes;
        uint256 empty = 0;
        for (uint256 k = 0; k < depth; ++k) {
            siblings[k] = level[index ^ 1];
            (level, empty) = parents(pair, level, empty);
            index /= 2;
        }
    }

    /// @dev One level up. `empty` is the hash of an empty subtree, hashed once: most of a large page is empty.
    function parents(IPoseidonT3 pair, uint256[] memory level, uint256 empty)
        private
        pure
        returns (uint256[] memory above, uint256 emptyAbove)
    {
        emptyAbove = pair.hash([empty, empty]);
        above = new uint256[](level.length / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            bool both = level[2 * i] == empty && level[2 * i + 1] == empty;
            above[i] = both ? emptyAbove : pair.hash([level[2 * i], level[2 * i + 1]]);
        }
    }
}
