// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AboveMaximum, PoolExceeded, TooEarly, WrongCaller, WrongLength, WrongRoot} from "../Errors.sol";
import {Tree} from "../lib/Tree.sol";
import {Account, Lease, LeaseState, Page} from "../Types.sol";
import {MarketState} from "./MarketState.sol";

/// @title The client's exit, which needs nobody and which no settlement can race
abstract contract Exit is MarketState {
    /// @notice Takes a lease out of its page; by its client, once, from Closing, from the deadline on. What it has signed away is settled by the leaf
    ///         that lies under the page's root at this moment.
    /// @param leaseId the lease
    function freeze(uint64 leaseId) external {
        Lease storage lease = _leases[leaseId];
        _requireState(leaseId, LeaseState.Closing, lease.state);
        if (msg.sender != lease.client) revert WrongCaller(lease.client, msg.sender);
        if (block.number < lease.deadline) revert TooEarly(lease.deadline, block.number);

        Page storage page = _pages[lease.provider][lease.page];
        uint256 bit = 1 << lease.slot;
        uint256 fresh = page.fresh;
        uint256 root = page.root;
        lease.state = LeaseState.Frozen;
        if (fresh & bit != 0) {
            lease.frozenFresh = true;
            page.fresh = fresh & ~bit;
        } else {
            _frozenRoots[leaseId] = root;
        }
        page.live &= ~bit;
        page.taken &= ~bit;
        emit LeaseFrozen(leaseId, lease.provider, lease.page, lease.slot, lease.frozenFresh, root);
    }

    /// @notice Ends a frozen lease and credits its client with the deposit less what its leaf says was claimed; by anyone, any time. A lease that was
    ///         frozen fresh has no leaf: its deposit goes back whole, and deposit, claimed and siblings have to be 0, 0 and none.
    /// @param leaseId the lease
    /// @param deposit the leaf's deposit (its lease number and payment key are this lease's)
    /// @param claimed the leaf's claimed amount
    /// @param siblings the leaf's path in the page's tree, from its own sibling up
    function finish(uint64 leaseId, uint96 deposit, uint96 claimed, uint256[] calldata siblings) external {
        Lease storage lease = _leases[leaseId];
        _requireState(leaseId, LeaseState.Frozen, lease.state);
        uint32 provider = lease.provider;
        uint96 recorded = lease.amount;
        if (lease.frozenFresh) {
            if (siblings.length != 0) revert WrongLength(0, siblings.length);
            if (deposit != 0) revert AboveMaximum(0, deposit);
            if (claimed != 0) revert AboveMaximum(0, claimed);
        } else {
            _requireLeaf(leaseId, lease, deposit, claimed, siblings);
        }
        // The circuit keeps claimed ≤ the leaf's deposit ≤ the recorded one; a broken one must not reach further than this.
        if (claimed > recorded) revert AboveMaximum(recorded, claimed);
        uint96 refund = recorded - claimed;
        Account storage account = _accounts[provider];
        if (refund > account.pool) revert PoolExceeded(provider, account.pool, refund);
        account.pool -= refund;
        _withdrawable[lease.client] += refund;
        lease.state = LeaseState.Closed;
        lease.amount = claimed;
        emit LeaseClosed(leaseId, provider, claimed, refund);
    }

    function _requireLeaf(uint64 leaseId, Lease storage lease, uint96 deposit, uint96 claimed, uint256[] calldata siblings) private view {
        uint256 size = _pages[lease.provider][lease.page].size;
        uint256 depth = size == 8 ? 3 : size == 64 ? 6 : 8;
        if (siblings.length != depth) revert WrongLength(depth, siblings.length);
        uint256 leaf = Tree.leafOf(leafHash, leaseId, lease.ax, lease.ay, deposit, claimed);
        uint256 root = Tree.root(pairHash, leaf, lease.slot, siblings);
        uint256 frozenRoot = _frozenRoots[leaseId];
        if (root != frozenRoot) revert WrongRoot(frozenRoot, root);
    }
}
