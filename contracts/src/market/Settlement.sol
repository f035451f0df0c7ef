// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AboveMaximum,
    NotLive,
    PoolExceeded,
    ProofRefused,
    WrongFlags,
    WrongFresh,
    WrongLength,
    WrongRecord,
    WrongSlots
} from "../Errors.sol";
import {ISettlementVerifier} from "../interfaces/ISettlementVerifier.sol";
import {Field} from "../lib/Field.sol";
import {Transcript} from "../lib/Transcript.sol";
import {Account, Lease, LeaseState, Page} from "../Types.sol";
import {MarketState} from "./MarketState.sol";

/// @title Settling a page by proof
/// @notice docs/SETTLEMENT.md has the statement, the packing of the entries, who checks what, and the measured gas.
abstract contract Settlement is MarketState {
    uint256 private constant LISTED = 1;
    uint256 private constant SYNC = 2;
    uint256 private constant FRESH = 4;
    uint256 private constant PAY = 8;
    /// @dev A matter of the contract alone: it is not in the word that the circuit sees.
    uint256 private constant CLOSE = 16;
    uint256 private constant KNOWN_FLAGS = LISTED | SYNC | FRESH | PAY | CLOSE;
    /// @dev A run of entries: first slot, last slot, flags, one byte each.
    uint256 private constant RUN_HEADER = 3;
    /// @dev An amount in the entries: u96.
    uint256 private constant AMOUNT = 12;
    /// @dev A lease number: u64.
    uint256 private constant LEASE_ID = 8;

    /// @dev A settlement under way.
    struct Batch {
        uint32 provider;
        uint32 page;
        uint256 size;
        uint256 transcript;
        /// @dev bitmaps over the slots
        uint256 listed;
        uint256 synced;
        uint256 fresh;
        uint256 closed;
        /// @dev attoFIL
        uint256 refunds;
        /// @dev bytes of `leaseIds` read so far
        uint256 leaseIdsRead;
    }

    /// @notice The message domain of this contract on this chain: the first 31 bytes of
    ///         Keccak-256("shale/voucher/v1" ‖ chain ID as 32 bytes big-endian ‖ this contract's 20 bytes), as a number.
    /// @return a field element
    function voucherDomain() public view returns (uint256) {
        return uint256(keccak256(abi.encodePacked("shale/voucher/v1", block.chainid, address(this)))) >> 8;
    }

    /// @notice Settles a page: what the listed leases have signed for is paid out of the provider's pool to the provider; by its operator.
    /// @param provider the provider's index
    /// @param page its page
    /// @param newRoot the root after the entries
    /// @param paid attoFIL, the sum of what the entries' claimed amounts grow by
    /// @param entries runs of slots in strictly increasing order, each: first slot, last slot, flags (one byte each), then for each slot of the run
    ///        its new claimed amount (u96, big-endian), followed by the deposit it takes over (u96) if the run syncs. Flags: 1 listed (always set),
    ///        2 sync, 4 fresh, 8 pay, 16 close; no others.
    /// @param leaseIds the lease numbers (u64, big-endian) of the entries that sync or close, in the entries' order
    /// @param c the circuit's commitment C to the public list
    /// @param proof the points A, B, C as `ISettlementVerifier.verify` takes them
    function settle(
        uint32 provider,
        uint32 page,
        uint256 newRoot,
        uint256 paid,
        bytes calldata entries,
        bytes calldata leaseIds,
        uint256 c,
        uint256[8] calldata proof
    ) external {
        _requireOperator(provider);
        Field.requireCanonical(newRoot);
        Field.requireCanonical(paid);
        Field.requireCanonical(c);

        Batch memory batch = _open(provider, page);
        _readEntries(batch, entries, leaseIds);
        _apply(batch, newRoot, paid);
        _requireProof(batch, c, proof);
        Transcript.release(batch.transcript);
        emit PageSettled(provider, page, newRoot, paid, entries);
    }

    function _open(uint32 provider, uint32 page) private view returns (Batch memory batch) {
        batch.provider = provider;
        batch.page = page;
        batch.size = _requirePage(provider, page).size;
        batch.transcript = Transcript.allocate(batch.size);
    }

    /// @dev Reads the entries into the transcript and carries out what they say of leases.
    function _readEntries(Batch memory batch, bytes calldata entries, bytes calldata leaseIds) private {
        uint256 size = batch.size;
        uint256 offset = 0;
        uint256 next = 0;
        while (offset < entries.length) {
            if (offset + RUN_HEADER > entries.length) revert WrongLength(offset + RUN_HEADER, entries.length);
            uint256 first = uint8(entries[offset]);
            uint256 last = uint8(entries[offset + 1]);
            uint256 flags = uint8(entries[offset + 2]);
            if (first < next || last < first || last >= size) revert WrongSlots(next, size, first, last);
            if (flags & LISTED == 0 || flags & ~KNOWN_FLAGS != 0 || flags & (SYNC | FRESH) == FRESH) revert WrongFlags(flags);
            offset += RUN_HEADER;
            uint256 end = offset + (last - first + 1) * (flags & SYNC == 0 ? AMOUNT : 2 * AMOUNT);
            if (end > entries.length) revert WrongLength(end, entries.length);

            uint256 bits = (type(uint256).max >> (255 - (last - first))) << first;
            batch.listed |= bits;
            if (flags & (SYNC | CLOSE) == 0) {
                uint256 source;
                assembly ("memory-safe") {
                    source := add(entries.offset, offset)
                }
                Transcript.setWords(batch.transcript, first, last - first + 1, flags, source);
            } else {
                if (flags & SYNC != 0) batch.synced |= bits;
                if (flags & FRESH != 0) batch.fresh |= bits;
                if (flags & CLOSE != 0) batch.closed |= bits;
                _readRecords(batch, first, flags, entries[offset:end], leaseIds);
            }
            offset = end;
            next = last + 1;
        }
        if (batch.leaseIdsRead != leaseIds.length) revert WrongLength(batch.leaseIdsRead, leaseIds.length);
    }

    /// @dev Reads a run that syncs or closes.
    function _readRecords(
        Batch memory batch,
        uint256 slot,
        uint256 flags,
        bytes calldata amounts,
        bytes calldata leaseIds
    ) private {
        for (uint256 offset = 0; offset < amounts.length; ++slot) {
            uint256 idEnd = batch.leaseIdsRead + LEASE_ID;
            if (idEnd > leaseIds.length) revert WrongLength(idEnd, leaseIds.length);
            uint64 leaseId = uint64(bytes8(leaseIds[batch.leaseIdsRead:idEnd]));
            batch.leaseIdsRead = idEnd;
            Lease storage lease = _leases[leaseId];
            _checkRecord(batch, leaseId, lease, slot);

            uint96 claimed = uint96(bytes12(amounts[offset:offset + AMOUNT]));
            offset += AMOUNT;
            Transcript.setWord(batch.transcript, slot, uint256(claimed) << 8 | flags & ~CLOSE);
            if (flags & SYNC != 0) {
                uint256 deposit = uint96(bytes12(amounts[offset:offset + AMOUNT]));
                offset += AMOUNT;
                if (deposit > lease.amount) revert AboveMaximum(lease.amount, deposit);
                Transcript.setRecord(batch.transcript, slot, leaseId, lease.ax, lease.ay, deposit);
            }
            if (flags & CLOSE != 0) batch.refunds += _close(leaseId, lease, claimed);
        }
    }

    /// @dev The record has to be that of this provider, page and slot, and Active or Closing.
    function _checkRecord(Batch memory batch, uint64 leaseId, Lease storage lease, uint256 slot) private view {
        uint256 expected = uint256(batch.provider) << 40 | uint256(batch.page) << 8 | slot;
        uint256 actual = uint256(lease.provider) << 40 | uint256(lease.page) << 8 | lease.slot;
        if (actual != expected) revert WrongRecord(leaseId, expected, actual);
        _requireOpen(leaseId, lease.state);
    }

    /// @dev Closes a lease and credits its client with what was not claimed.
    function _close(uint64 leaseId, Lease storage lease, uint96 claimed) private returns (uint96 refund) {
        uint96 deposit = lease.amount;
        // The circuit keeps claimed ≤ deposit; a broken one must not reach further than this.
        if (claimed > deposit) revert AboveMaximum(deposit, claimed);
        refund = deposit - claimed;
        lease.state = LeaseState.Closed;
        lease.amount = claimed;
        _withdrawable[lease.client] += refund;
        emit LeaseClosed(leaseId, lease.provider, claimed, refund);
    }

    /// @dev Checks the listed slots against the page's bitmaps, updates these, the root and the provider's account.
    function _apply(Batch memory batch, uint256 newRoot, uint256 paid) private {
        Page storage stored = _pages[batch.provider][batch.page];
        uint256 live = stored.live;
        uint256 listed = batch.listed;
        if (listed & ~live != 0) revert NotLive(live, listed);
        uint256 fresh = stored.fresh;
        if (batch.fresh != listed & fresh) revert WrongFresh(listed & fresh, batch.fresh);
        if (batch.fresh != 0) stored.fresh = fresh & ~batch.fresh;
        if (batch.closed != 0) {
            stored.live = live & ~batch.closed;
            stored.taken &= ~batch.closed;
        }
        Transcript.setChange(batch.transcript, stored.root, newRoot, paid);
        stored.root = newRoot;
        _debit(batch.provider, paid, batch.refunds);
    }

    /// @dev Takes what is paid and refunded out of the provider's own pool, and nobody else's.
    function _debit(uint32 provider, uint256 paid, uint256 refunds) private {
        Account storage account = _accounts[provider];
        uint256 pool = account.pool;
        // No overflow: paid is below the field's order, refunds below 256 · 2^96.
        if (paid + refunds > pool) revert PoolExceeded(provider, pool, paid + refunds);
        account.pool = uint128(pool - paid - refunds);
        account.earned += uint128(paid);
    }

    /// @dev Derives r and d from the transcript and has the proof verified: the last and dearest check.
    function _requireProof(Batch memory batch, uint256 c, uint256[8] calldata proof) private view {
        uint256 size = batch.size;
        uint256 transcript = batch.transcript;
        Transcript.setPage(transcript, c, voucherDomain(), uint256(batch.provider) << 32 | batch.page);
        uint256 r = Transcript.challenge(transcript, size);
        uint256 d = Transcript.evaluate(transcript, size, r, batch.listed, batch.synced);
        ISettlementVerifier verifier = size == 8 ? verifier8 : size == 64 ? verifier64 : verifier256;
        if (!verifier.verify(proof, [c, r, d])) revert ProofRefused(c, r, d);
    }
}
