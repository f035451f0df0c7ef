// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Field} from "./Field.sol";

/// @title The public list of a settlement, its challenge r and its value d
/// @notice docs/SETTLEMENT.md, "The statement". The list lies in memory exactly as it is hashed:
///
///     word 0        C
///     word 1        e_0  domain
///     word 2        e_1  provider · 2^32 + page
///     word 3        e_2  oldRoot
///     word 4        e_3  newRoot
///     word 5        e_4  paid
///     word 6 + 5s   e_(5+5s)  slot s: listed + 2·sync + 4·fresh + 8·pay + 2^8·claimed
///     word 7 + 5s   leaseId   \
///     word 8 + 5s   Ax         } zero unless the slot syncs
///     word 9 + 5s   Ay         |
///     word 10 + 5s  deposit   /
///
/// @dev A transcript is the memory address of word 0. Assembly, because a page of 256 has 1,285 elements and the goal is 1,500 gas a lease for everything.
library Transcript {
    uint256 private constant HEADER = 192;
    uint256 private constant SLOT = 160;

    /// @dev A zeroed transcript of a page size.
    function allocate(uint256 size) internal pure returns (uint256 transcript) {
        assembly ("memory-safe") {
            transcript := mload(0x40)
            let length := add(HEADER, mul(SLOT, size))
            mstore(0x40, add(transcript, length))
            // Past the end of the calldata there are zeros: the cheapest way to clear memory.
            calldatacopy(transcript, calldatasize(), length)
        }
    }

    /// @dev Gives the memory back, once the transcript is not needed any more.
    function release(uint256 transcript) internal pure {
        assembly ("memory-safe") {
            mstore(0x40, transcript)
        }
    }

    /// @dev Writes C and the two elements that say which page this is.
    function setPage(uint256 transcript, uint256 c, uint256 domain, uint256 pageKey) internal pure {
        assembly ("memory-safe") {
            mstore(transcript, c)
            mstore(add(transcript, 0x20), domain)
            mstore(add(transcript, 0x40), pageKey)
        }
    }

    /// @dev Writes the three elements that say what becomes of the page.
    function setChange(uint256 transcript, uint256 oldRoot, uint256 newRoot, uint256 paid) internal pure {
        assembly ("memory-safe") {
            mstore(add(transcript, 0x60), oldRoot)
            mstore(add(transcript, 0x80), newRoot)
            mstore(add(transcript, 0xa0), paid)
        }
    }

    /// @dev Writes the words of `count` slots from `first` on: flags, and the claimed amounts that lie one after another, 12 bytes each, at `source` in the calldata.
    function setWords(uint256 transcript, uint256 first, uint256 count, uint256 flags, uint256 source) internal pure {
        assembly ("memory-safe") {
            let word := add(add(transcript, HEADER), mul(SLOT, first))
            let end := add(word, mul(SLOT, count))
            // Four at a time while there are four; 0x280 is four slots, 48 four amounts.
            for { } iszero(gt(add(word, 0x280), end)) { } {
                mstore(word, or(flags, shl(8, shr(160, calldataload(source)))))
                mstore(add(word, 0xa0), or(flags, shl(8, shr(160, calldataload(add(source, 12))))))
                mstore(add(word, 0x140), or(flags, shl(8, shr(160, calldataload(add(source, 24))))))
                mstore(add(word, 0x1e0), or(flags, shl(8, shr(160, calldataload(add(source, 36))))))
                word := add(word, 0x280)
                source := add(source, 48)
            }
            for { } lt(word, end) { } {
                mstore(word, or(flags, shl(8, shr(160, calldataload(source)))))
                word := add(word, SLOT)
                source := add(source, 12)
            }
        }
    }

    /// @dev Writes the word of one slot.
    function setWord(uint256 transcript, uint256 slot, uint256 word) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(transcript, HEADER), mul(SLOT, slot)), word)
        }
    }

    /// @dev Writes the record of a slot that syncs.
    function setRecord(uint256 transcript, uint256 slot, uint256 leaseId, uint256 ax, uint256 ay, uint256 deposit) internal pure {
        assembly ("memory-safe") {
            let word := add(add(transcript, HEADER), mul(SLOT, slot))
            mstore(add(word, 0x20), leaseId)
            mstore(add(word, 0x40), ax)
            mstore(add(word, 0x60), ay)
            mstore(add(word, 0x80), deposit)
        }
    }

    /// @dev r: Keccak-256 of C and the whole list, reduced into the field.
    function challenge(uint256 transcript, uint256 size) internal pure returns (uint256 r) {
        uint256 order = Field.ORDER;
        assembly ("memory-safe") {
            r := mod(keccak256(transcript, add(HEADER, mul(SLOT, size))), order)
        }
    }

    /// @dev d = Σ e_i · r^i, by Horner's rule from the last slot down. Eight slots that are not listed cost one multiplication;
    ///      a slot that is listed and does not sync costs one, by r^5.
    /// @param listed bitmap of the slots that are listed
    /// @param synced bitmap of the slots whose records are set
    function evaluate(uint256 transcript, uint256 size, uint256 r, uint256 listed, uint256 synced) internal pure returns (uint256 d) {
        uint256 order = Field.ORDER;
        assembly ("memory-safe") {
            let r5 := mulmod(r, r, order)
            r5 := mulmod(mulmod(r5, r5, order), r, order)
            let r40 := mulmod(r5, r5, order)
            r40 := mulmod(r40, r40, order)
            r40 := mulmod(r40, r40, order)

            let word := add(add(transcript, HEADER), mul(SLOT, size))
            for { let slot := size } slot { } {
                slot := sub(slot, 8)
                word := sub(word, 0x500)
                switch and(shr(slot, listed), 0xff)
                case 0 { d := mulmod(d, r40, order) }
                default {
                    switch and(shr(slot, synced), 0xff)
                    case 0 {
                        // A word is below 2^104, so a sum stays below 2^256 and the next multiplication reduces it.
                        d := add(mulmod(d, r5, order), mload(add(word, 0x460)))
                        d := add(mulmod(d, r5, order), mload(add(word, 0x3c0)))
                        d := add(mulmod(d, r5, order), mload(add(word, 0x320)))
                        d := add(mulmod(d, r5, order), mload(add(word, 0x280)))
                        d := add(mulmod(d, r5, order), mload(add(word, 0x1e0)))
                        d := add(mulmod(d, r5, order), mload(add(word, 0x140)))
                        d := add(mulmod(d, r5, order), mload(add(word, 0xa0)))
                        d := add(mulmod(d, r5, order), mload(word))
                    }
                    default {
                        for { let element := add(word, 0x4e0) } iszero(lt(element, word)) { element := sub(element, 0x20) } {
                            d := addmod(mulmod(d, r, order), mload(element), order)
                        }
                    }
                }
            }
            for { let element := add(transcript, 0xa0) } gt(element, transcript) { element := sub(element, 0x20) } {
                d := addmod(mulmod(d, r, order), mload(element), order)
            }
        }
    }
}
