// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Transcript} from "../src/lib/Transcript.sol";
import {Checks} from "./support/Checks.sol";
import {Entry, Statement} from "./support/Statement.sol";

/// @dev The fast transcript against the plain one.
contract TranscriptTest is Checks {
    /// @dev Entries of a page drawn from a seed: each slot is listed with probability `density`/8.
    function draw(uint256 size, uint256 seed, uint256 density) private pure returns (Entry[] memory entries) {
        uint256 count = 0;
        Entry[] memory all = new Entry[](size);
        for (uint256 slot = 0; slot < size; ++slot) {
            uint256 random = uint256(keccak256(abi.encode(seed, slot)));
            if (random % 8 >= density) continue;
            Entry memory entry = all[count++];
            entry.slot = slot;
            entry.flags = 1 + (random >> 8 & 14);
            // Now and then the largest amount there is.
            entry.claimed = random >> 16 & 7 == 0 ? type(uint96).max : uint96(random >> 32);
            entry.leaseId = uint64(random >> 40);
            entry.ax = uint256(keccak256(abi.encode(random))) % Statement.P;
            entry.ay = random >> 24 & 3 == 0 ? Statement.P - 1 : random % Statement.P;
            entry.deposit = uint96(random >> 100);
        }
        entries = new Entry[](count);
        for (uint256 i = 0; i < count; ++i) entries[i] = all[i];
    }

    function fast(uint256 size, uint256[6] memory header, Entry[] memory entries) private pure returns (uint256 r, uint256 d, bytes32 hash) {
        uint256 free;
        assembly {
            // Dirty memory past the free pointer: the transcript may not rely on zeros.
            free := mload(0x40)
            for { let i := 0 } lt(i, 0xb000) { i := add(i, 32) } { mstore(add(free, i), not(0)) }
        }
        uint256 transcript = Transcript.allocate(size);
        Transcript.setPage(transcript, header[0], header[1], header[2]);
        Transcript.setChange(transcript, header[3], header[4], header[5]);
        uint256 listed = 0;
        uint256 synced = 0;
        for (uint256 i = 0; i < entries.length; ++i) {
            Entry memory entry = entries[i];
            listed |= 1 << entry.slot;
            Transcript.setWord(transcript, entry.slot, uint256(entry.claimed) << 8 | entry.flags);
            if (entry.flags & 2 == 0) continue;
            synced |= 1 << entry.slot;
            Transcript.setRecord(transcript, entry.slot, entry.leaseId, entry.ax, entry.ay, entry.deposit);
        }
        r = Transcript.challenge(transcript, size);
        d = Transcript.evaluate(transcript, size, r, listed, synced);
        assembly {
            hash := keccak256(transcript, mul(32, add(6, mul(5, size))))
        }
    }

    function compare(uint256 size, uint256 seed, uint256 density) private pure {
        Entry[] memory entries = draw(size, seed, density);
        uint256[6] memory header;
        for (uint256 i = 0; i < 6; ++i) header[i] = uint256(keccak256(abi.encode(seed, "header", i))) % Statement.P;
        uint256[] memory e = Statement.list(size, header[1], header[2], header[3], header[4], header[5], entries);
        (uint256 r, uint256 d, bytes32 hash) = fast(size, header, entries);
        same(hash, keccak256(abi.encodePacked(header[0], e)), "the words");
        same(r, Statement.challenge(header[0], e), "r");
        same(d, Statement.evaluate(e, r), "d");
    }

    function testFuzz_Transcript_PageOf8_EqualsThePlainOne(uint256 seed, uint256 density) public pure {
        compare(8, seed, density % 9);
    }

    function testFuzz_Transcript_PageOf64_EqualsThePlainOne(uint256 seed, uint256 density) public pure {
        compare(64, seed, density % 9);
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_Transcript_PageOf256_EqualsThePlainOne(uint256 seed, uint256 density) public pure {
        compare(256, seed, density % 9);
    }

    /// @dev For `setWords`, which reads amounts from the calldata.
    function words(uint256 size, uint256 first, uint256 count, uint256 flags, bytes calldata amounts) external pure returns (bytes32 hash) {
        uint256 transcript = Transcript.allocate(size);
        uint256 source;
        assembly {
            source := amounts.offset
        }
        Transcript.setWords(transcript, first, count, flags, source);
        assembly {
            hash := keccak256(transcript, mul(32, add(6, mul(5, size))))
        }
    }

    function testFuzz_SetWords_AnyRun_EqualsThePlainOne(uint256 seed, uint8 first, uint8 last) public view {
        if (first > last) (first, last) = (last, first);
        uint256 count = uint256(last) - first + 1;
        Entry[] memory entries = new Entry[](count);
        bytes memory amounts;
        for (uint256 i = 0; i < count; ++i) {
            entries[i].slot = first + i;
            entries[i].flags = 9;
            entries[i].claimed = uint96(uint256(keccak256(abi.encode(seed, i))));
            amounts = bytes.concat(amounts, bytes12(entries[i].claimed));
        }
        // What follows the run in the calldata must not matter.
        amounts = bytes.concat(amounts, keccak256("next"));
        uint256[] memory e = Statement.list(256, 0, 0, 0, 0, 0, entries);
        same(this.words(256, first, count, 9, amounts), keccak256(abi.encodePacked(uint256(0), e)), "the words");
    }
}
