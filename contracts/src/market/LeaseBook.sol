// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {
    AboveMaximum,
    AlreadyRated,
    BelowMinimum,
    NotAParty,
    OfferNotListed,
    PageFull,
    SizeNotOffered,
    TooEarly,
    TooLate,
    WrongCaller,
    WrongState,
    WrongTerms,
    WrongValue
} from "../Errors.sol";
import {Field} from "../lib/Field.sol";
import {Lease, LeaseState, Order, Page, Terms} from "../Types.sol";
import {MarketState} from "./MarketState.sol";

/// @title The life of a lease, from the order to the request to close
abstract contract LeaseBook is MarketState {
    /// @dev FEVM caps an event at 8 KiB.
    uint256 private constant MAX_ORDER_BYTES = 6144;
    uint256 private constant MAX_ENDPOINT_BYTES = 256;
    uint256 private constant MAX_HOST_KEYS = 16;
    uint256 private constant MAX_REVIEW_BYTES = 512;

    /// @notice Opens a page; by the provider's operator.
    /// @param provider the provider's index
    /// @param size number of slots: 8, 64 or 256, as far as this deployment has the circuit
    /// @return page its number at this provider, from 0 on
    function openPage(uint32 provider, uint256 size) external returns (uint32 page) {
        _requireOperator(provider);
        uint256 root;
        if (size == 8 && address(verifier8) != address(0)) root = emptyRoot8;
        else if (size == 64 && address(verifier64) != address(0)) root = emptyRoot64;
        else if (size == 256 && address(verifier256) != address(0)) root = emptyRoot256;
        else revert SizeNotOffered(size);
        page = _pageCounts[provider]++;
        Page storage stored = _pages[provider][page];
        stored.root = root;
        stored.size = size;
        emit PageOpened(provider, page, size);
    }

    /// @notice Orders a lease; sends the bond with it.
    /// @param order what is asked; ABI-encoded at most 6,144 bytes. The payment key has to be canonical and on BabyJubjub; its subgroup is for the
    ///        provider to check before it accepts.
    /// @return leaseId the lease's number
    function createLease(Order calldata order) external payable returns (uint64 leaseId) {
        if (msg.value != bond) revert WrongValue(bond, msg.value);
        (bool listed,, uint96 minDeposit) = registry.offerTerms(order.provider, order.offer);
        if (!listed) revert OfferNotListed(order.provider, order.offer);
        Field.requireOnCurve(order.ax, order.ay);
        uint256 length = abi.encode(order).length;
        if (length > MAX_ORDER_BYTES) revert AboveMaximum(MAX_ORDER_BYTES, length);

        leaseId = ++leaseCount;
        uint64 deadline = uint64(block.number) + acceptEpochs;
        Lease storage lease = _leases[leaseId];
        lease.client = msg.sender;
        lease.state = LeaseState.Created;
        lease.provider = order.provider;
        lease.amount = minDeposit;
        lease.price = order.priceLimit;
        lease.deadline = deadline;
        lease.ax = order.ax;
        lease.ay = order.ay;
        emit LeaseCreated(leaseId, msg.sender, order.provider, minDeposit, deadline, order);
    }

    /// @notice Accepts an order and reserves the page's lowest free slot; by the provider's operator, before the order's deadline.
    /// @param leaseId the lease
    /// @param page the page to put it in
    /// @param terms price (at most the order's limit), endpoint and host keys
    function accept(uint64 leaseId, uint32 page, Terms calldata terms) external {
        Lease storage lease = _leases[leaseId];
        _requireState(leaseId, LeaseState.Created, lease.state);
        uint32 provider = lease.provider;
        _requireOperator(provider);
        if (block.number >= lease.deadline) revert TooLate(lease.deadline, block.number);
        if (terms.pricePerSecond > lease.price) revert AboveMaximum(lease.price, terms.pricePerSecond);
        if (bytes(terms.endpoint).length > MAX_ENDPOINT_BYTES) revert AboveMaximum(MAX_ENDPOINT_BYTES, bytes(terms.endpoint).length);
        if (terms.hostKeys.length == 0) revert BelowMinimum(1, 0);
        if (terms.hostKeys.length > MAX_HOST_KEYS) revert AboveMaximum(MAX_HOST_KEYS, terms.hostKeys.length);

        uint8 slot = _takeSlot(provider, page);
        bytes32 termsHash = keccak256(abi.encode(leaseId, terms));
        uint64 deadline = uint64(block.number) + confirmEpochs;
        lease.state = LeaseState.Accepted;
        lease.page = page;
        lease.slot = slot;
        lease.price = terms.pricePerSecond;
        lease.deadline = deadline;
        lease.termsHash = termsHash;
        emit LeaseAccepted(leaseId, provider, page, slot, termsHash, deadline, terms);
    }

    /// @notice Confirms an accepted order with the deposit sent; by the client, before the deadline. The bond becomes withdrawable.
    /// @param leaseId the lease
    /// @param termsHash Keccak-256 of `abi.encode(leaseId, terms)` with the terms that the client read and agrees to
    function confirm(uint64 leaseId, bytes32 termsHash) external payable {
        Lease storage lease = _leases[leaseId];
        _requireState(leaseId, LeaseState.Accepted, lease.state);
        if (msg.sender != lease.client) revert WrongCaller(lease.client, msg.sender);
        if (block.number >= lease.deadline) revert TooLate(lease.deadline, block.number);
        if (termsHash != lease.termsHash) revert WrongTerms(lease.termsHash, termsHash);
        if (msg.value < lease.amount) revert BelowMinimum(lease.amount, msg.value);
        if (msg.value > type(uint96).max) revert AboveMaximum(type(uint96).max, msg.value);

        uint96 deposit = uint96(msg.value);
        uint32 provider = lease.provider;
        uint256 bit = 1 << lease.slot;
        lease.state = LeaseState.Active;
        lease.amount = deposit;
        lease.deadline = 0;
        Page storage page = _pages[provider][lease.page];
        page.live |= bit;
        page.fresh |= bit;
        _accounts[provider].pool += deposit;
        _withdrawable[msg.sender] += bond;
        emit LeaseConfirmed(leaseId, provider, lease.page, lease.slot, deposit);
    }

    /// @notice Ends an order whose deadline has passed; by anyone. Not accepted: the bond goes back. Accepted and not confirmed: it is the provider's,
    ///         and the slot is free.
    /// @param leaseId the lease
    function expire(uint64 leaseId) external {
        Lease storage lease = _leases[leaseId];
        LeaseState state = lease.state;
        if (state != LeaseState.Created && state != LeaseState.Accepted) revert WrongState(leaseId, LeaseState.Created, state);
        if (block.number < lease.deadline) revert TooEarly(lease.deadline, block.number);
        uint32 provider = lease.provider;
        bool forfeited = state == LeaseState.Accepted;
        lease.state = LeaseState.Expired;
        lease.amount = 0;
        if (forfeited) {
            _pages[provider][lease.page].taken &= ~(1 << lease.slot);
            _accounts[provider].earned += bond;
        } else {
            _withdrawable[lease.client] += bond;
        }
        emit LeaseExpired(leaseId, provider, forfeited);
    }

    /// @notice Adds the value sent to a lease's deposit; by the client, while Active or Closing. It counts for vouchers once the provider has folded
    ///         it into the page, and for the refund at once.
    /// @param leaseId the lease
    function topUp(uint64 leaseId) external payable {
        Lease storage lease = _leases[leaseId];
        _requireOpen(leaseId, lease.state);
        if (msg.sender != lease.client) revert WrongCaller(lease.client, msg.sender);
        if (msg.value == 0) revert BelowMinimum(1, 0);
        uint256 deposit = lease.amount + msg.value;
        if (deposit > type(uint96).max) revert AboveMaximum(type(uint96).max, deposit);
        lease.amount = uint96(deposit);
        _accounts[lease.provider].pool += uint96(msg.value);
        emit LeaseToppedUp(leaseId, uint96(msg.value), uint96(deposit));
    }

    /// @notice Asks to close; by the client, or the provider's operator or owner. The first request fixes the deadline; a later one changes nothing.
    /// @param leaseId the lease
    function requestClose(uint64 leaseId) external {
        Lease storage lease = _leases[leaseId];
        LeaseState state = lease.state;
        _requireOpen(leaseId, state);
        uint32 provider = lease.provider;
        if (msg.sender != lease.client && msg.sender != registry.operatorOf(provider) && msg.sender != registry.ownerOf(provider)) {
            revert NotAParty(leaseId, msg.sender);
        }
        if (state == LeaseState.Closing) return;
        uint64 deadline = uint64(block.number) + closeEpochs;
        lease.state = LeaseState.Closing;
        lease.deadline = deadline;
        emit CloseRequested(leaseId, msg.sender, deadline);
    }

    /// @notice Rates a closed lease; by its client, once. The weight is what was really paid. (A provider can be its own client and pay itself for the price of
    ///         gas: lists show distinct payers beside the stars.)
    /// @param leaseId the lease
    /// @param stars 1 to 5
    /// @param review a short text or a CID, at most 512 bytes
    function rate(uint64 leaseId, uint8 stars, string calldata review) external {
        Lease storage lease = _leases[leaseId];
        _requireState(leaseId, LeaseState.Closed, lease.state);
        if (msg.sender != lease.client) revert WrongCaller(lease.client, msg.sender);
        if (lease.rated) revert AlreadyRated(leaseId);
        if (stars == 0) revert BelowMinimum(1, stars);
        if (stars > 5) revert AboveMaximum(5, stars);
        if (bytes(review).length > MAX_REVIEW_BYTES) revert AboveMaximum(MAX_REVIEW_BYTES, bytes(review).length);
        lease.rated = true;
        emit LeaseRated(leaseId, lease.provider, msg.sender, stars, lease.amount, review);
    }

    /// @dev Hands out the page's lowest free slot.
    function _takeSlot(uint32 provider, uint32 page) private returns (uint8 slot) {
        Page storage stored = _requirePage(provider, page);
        uint256 free = ~stored.taken & (type(uint256).max >> (256 - stored.size));
        if (free == 0) revert PageFull(provider, page);
        uint256 lowest = free & (~free + 1);
        slot = uint8(Math.log2(lowest));
        stored.taken |= lowest;
    }
}
