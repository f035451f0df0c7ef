// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPoseidonT3, IPoseidonT6} from "../interfaces/IPoseidon.sol";
import {Field} from "./Field.sol";

/// @title A page's Poseidon Merkle tree
/// @dev Binary, leaves in slot order, an empty leaf is 0. Only a client's exit hashes on chain.
library Tree {
    /// @dev The root over a leaf at an index.
    /// @param siblings from the leaf's own up, as many as the tree is deep; each canonical
    function root(IPoseidonT3 pair, uint256 leaf, uint256 index, uint256[] calldata siblings) internal pure returns (uint256 node) {
        node = leaf;
        for (uint256 level = 0; level < siblings.length; ++level) {
            uint256 sibling = siblings[level];
            Field.requireCanonical(sibling);
            node = (index >> level) & 1 == 0 ? pair.hash([node, sibling]) : pair.hash([sibling, node]);
        }
    }

    /// @dev The root of a tree whose leaves are all empty.
    function emptyRoot(IPoseidonT3 pair, uint256 depth) internal pure returns (uint256 node) {
        for (uint256 level = 0; level < depth; ++level) node = pair.hash([node, node]);
    }

    /// @dev The leaf of a lease.
    function leafOf(IPoseidonT6 five, uint256 leaseId, uint256 ax, uint256 ay, uint256 deposit, uint256 claimed)
        internal
        pure
        returns (uint256)
    {
        return five.hash([leaseId, ax, ay, deposit, claimed]);
    }
}
