// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NotOpen, UnknownPage, UnknownProvider, WrongCaller, WrongState} from "../Errors.sol";
import {IPoseidonT3, IPoseidonT6} from "../interfaces/IPoseidon.sol";
import {IProviders} from "../interfaces/IProviders.sol";
import {ISettlementVerifier} from "../interfaces/ISettlementVerifier.sol";
import {Account, Lease, LeaseState, Order, Page, Terms} from "../Types.sol";

/// @title What the market stores, and the events that tell of every change
/// @dev Epochs are block numbers: on Filecoin the two are the same.
abstract contract MarketState {
    /// @notice The providers and their offers.
    IProviders public immutable registry;
    /// @notice The verifier for pages of 8 slots, or 0 where this deployment has no such pages.
    ISettlementVerifier public immutable verifier8;
    /// @notice The verifier for pages of 64 slots, or 0.
    ISettlementVerifier public immutable verifier64;
    /// @notice The verifier for pages of 256 slots, or 0.
    ISettlementVerifier public immutable verifier256;
    /// @notice Poseidon of a pair: the inner nodes of a page's tree.
    IPoseidonT3 public immutable pairHash;
    /// @notice Poseidon of five: the leaves.
    IPoseidonT6 public immutable leafHash;
    /// @notice attoFIL that an order puts down. It comes back unless the order is accepted and then not confirmed.
    uint96 public immutable bond;
    /// @notice Epochs in which an order may be accepted.
    uint64 public immutable acceptEpochs;
    /// @notice Epochs in which an accepted order may be confirmed.
    uint64 public immutable confirmEpochs;
    /// @notice Epochs from the first request to close until the client may leave alone.
    uint64 public immutable closeEpochs;

    /// @dev Roots of the empty pages of each size.
    uint256 internal immutable emptyRoot8;
    uint256 internal immutable emptyRoot64;
    uint256 internal immutable emptyRoot256;

    /// @notice Number of leases ever ordered; their numbers are 1 to this and never reused.
    uint64 public leaseCount;

    mapping(uint64 leaseId => Lease) internal _leases;
    /// @dev Set by `freeze`: the root that the lease's leaf was under when its slot was freed.
    mapping(uint64 leaseId => uint256 root) internal _frozenRoots;
    mapping(uint32 provider => mapping(uint32 page => Page)) internal _pages;
    mapping(uint32 provider => uint32) internal _pageCounts;
    mapping(uint32 provider => Account) internal _accounts;
    mapping(address account => uint256) internal _withdrawable;

    /// @notice A provider opened a page; all its slots are free and its root is that of empty leaves.
    event PageOpened(uint32 indexed provider, uint32 indexed page, uint256 size);
    /// @notice A client ordered, with the bond. `minDeposit` is the offer's at this moment.
    event LeaseCreated(
        uint64 indexed leaseId, address indexed client, uint32 indexed provider, uint96 minDeposit, uint64 deadline, Order order
    );
    /// @notice The provider accepted and reserved a slot.
    event LeaseAccepted(
        uint64 indexed leaseId, uint32 indexed provider, uint32 page, uint8 slot, bytes32 termsHash, uint64 deadline, Terms terms
    );
    /// @notice The client confirmed with the deposit; the bond is the client's to withdraw, the slot is live and fresh.
    event LeaseConfirmed(uint64 indexed leaseId, uint32 indexed provider, uint32 page, uint8 slot, uint96 deposit);
    /// @notice An order ended unaccepted (`forfeited` false: the bond is the client's again) or unconfirmed (true: it is the provider's, the slot is free).
    event LeaseExpired(uint64 indexed leaseId, uint32 indexed provider, bool forfeited);
    /// @notice The client added to the deposit, which is now `deposit`.
    event LeaseToppedUp(uint64 indexed leaseId, uint96 added, uint96 deposit);
    /// @notice A party asked to close; the client may leave alone from `deadline` on.
    event CloseRequested(uint64 indexed leaseId, address indexed by, uint64 deadline);
    /// @notice The client left alone: the slot is free, and `root` is what its leaf is proved under. `fresh`: never folded, all of the deposit goes back.
    event LeaseFrozen(uint64 indexed leaseId, uint32 indexed provider, uint32 page, uint8 slot, bool fresh, uint256 root);
    /// @notice A lease ended: `paid` went to the provider in all, `refund` is the client's to withdraw. By `settle`, its slot is free; by `finish`, it was freed before.
    event LeaseClosed(uint64 indexed leaseId, uint32 indexed provider, uint96 paid, uint96 refund);
    /// @notice A page was settled. `entries` are those of the call, byte for byte (docs/SETTLEMENT.md): with them every leaf can be rebuilt.
    event PageSettled(uint32 indexed provider, uint32 indexed page, uint256 newRoot, uint256 paid, bytes entries);
    /// @notice A client rated a closed lease. `paid` is the rating's weight.
    event LeaseRated(uint64 indexed leaseId, uint32 indexed provider, address indexed client, uint8 stars, uint96 paid, string review);
    /// @notice A balance was paid out.
    event Withdrawn(address indexed account, uint256 amount);
    /// @notice A provider's earnings were paid out to its owner.
    event EarningsWithdrawn(uint32 indexed provider, address indexed owner, uint256 amount);

    /// @dev Reverts unless the caller is the provider's operator.
    function _requireOperator(uint32 provider) internal view {
        address operator = registry.operatorOf(provider);
        if (operator == address(0)) revert UnknownProvider(provider);
        if (msg.sender != operator) revert WrongCaller(operator, msg.sender);
    }

    function _requireState(uint64 leaseId, LeaseState expected, LeaseState actual) internal pure {
        if (actual != expected) revert WrongState(leaseId, expected, actual);
    }

    /// @dev Reverts unless Active or Closing.
    function _requireOpen(uint64 leaseId, LeaseState state) internal pure {
        if (state != LeaseState.Active && state != LeaseState.Closing) revert NotOpen(leaseId, state);
    }

    function _requirePage(uint32 provider, uint32 page) internal view returns (Page storage stored) {
        stored = _pages[provider][page];
        if (stored.size == 0) revert UnknownPage(provider, page);
    }
}
