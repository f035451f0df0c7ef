// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LeaseState} from "./Types.sol";

// Every refusal names what was expected and what was found.

/// @dev The caller is not the one who may do this.
error WrongCaller(address expected, address actual);
/// @dev The caller is neither of a lease's parties.
error NotAParty(uint64 leaseId, address caller);
/// @dev The lease is not in the state that this needs.
error WrongState(uint64 leaseId, LeaseState expected, LeaseState actual);
/// @dev Neither Active nor Closing.
error NotOpen(uint64 leaseId, LeaseState actual);
/// @dev Too early: possible from this epoch on.
error TooEarly(uint256 from, uint256 epoch);
/// @dev Too late: possible before this epoch only.
error TooLate(uint256 before, uint256 epoch);
/// @dev The value sent is not the one asked.
error WrongValue(uint256 expected, uint256 actual);
/// @dev The value is below the least.
error BelowMinimum(uint256 minimum, uint256 actual);
/// @dev The value is above the most.
error AboveMaximum(uint256 maximum, uint256 actual);
/// @dev A field element is not below the field's order.
error NotCanonical(uint256 order, uint256 actual);
/// @dev The payment key is not on BabyJubjub.
error NotOnCurve(uint256 ax, uint256 ay);
/// @dev No provider has this index.
error UnknownProvider(uint32 provider);
/// @dev The offer does not stand.
error OfferNotListed(uint32 provider, uint32 offer);
/// @dev The address serves a provider already.
error AddressServes(uint32 provider, address actual);
/// @dev The miner ID is another provider's and this chain cannot tell whose it is.
error MinerTaken(uint64 minerId, uint32 provider);
/// @dev The miner does not know the claimant as one of its addresses.
error NotMinersAddress(uint64 minerId, address claimant);
/// @dev The miner actor did not answer the call.
error MinerCallFailed(uint64 minerId, int256 exitCode);
/// @dev The client confirmed other terms than the provider's.
error WrongTerms(bytes32 expected, bytes32 actual);
/// @dev No page of this number.
error UnknownPage(uint32 provider, uint32 page);
/// @dev All slots of the page are taken.
error PageFull(uint32 provider, uint32 page);
/// @dev The deployment has no circuit for this page size.
error SizeNotOffered(uint256 size);
/// @dev The entries end within a run, or the list of lease numbers does not match them.
error WrongLength(uint256 expected, uint256 actual);
/// @dev Slots are not strictly increasing, or outside the page: the run had to start at `from` or later and end before `size`.
error WrongSlots(uint256 from, uint256 size, uint256 first, uint256 last);
/// @dev A flag bit that means nothing, or a combination that may not be.
error WrongFlags(uint256 actual);
/// @dev Listed slots have to be live; bitmaps.
error NotLive(uint256 live, uint256 listed);
/// @dev Exactly the listed slots with their fresh bit sync as fresh; bitmaps.
error WrongFresh(uint256 expected, uint256 actual);
/// @dev The record is that of another slot; provider · 2^40 + page · 2^8 + slot.
error WrongRecord(uint64 leaseId, uint256 expected, uint256 actual);
/// @dev A provider's pool would be overdrawn.
error PoolExceeded(uint32 provider, uint256 pool, uint256 actual);
/// @dev The verifier refused the proof of this statement.
error ProofRefused(uint256 c, uint256 r, uint256 d);
/// @dev The leaf is not under the stored root.
error WrongRoot(uint256 expected, uint256 actual);
/// @dev Rated already.
error AlreadyRated(uint64 leaseId);
/// @dev Nothing to pay out.
error NothingToWithdraw(address account);
/// @dev The receiver refused the payment.
error PaymentRefused(address receiver, uint256 amount);
/// @dev A verifying key from a development set-up on a chain with real money.
error DevelopmentKey(uint256 chainId, address verifier);
/// @dev A part given to the constructor does not do what it has to.
error WrongPart(address part, uint256 expected, uint256 actual);
/// @dev A point of a verifying key is not canonical, off its curve, outside its subgroup or infinity, or gamma is delta; the first coordinate tells which.
error WrongKey(uint256 firstCoordinate);
