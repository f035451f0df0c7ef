// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MinerCallFailed, NotMinersAddress} from "../Errors.sol";
import {IMinerControl} from "../interfaces/IMinerControl.sol";

/// @title Miner IDs on Filecoin
/// @notice Asks the miner actor itself, by FEVM's actor call: its owner, worker and control addresses may claim its ID.
contract FilecoinMiners is IMinerControl {
    /// @dev FEVM's precompile that calls an actor by its ID; it has to be called by delegatecall.
    address private constant CALL_ACTOR_BY_ID = 0xfe00000000000000000000000000000000000005;
    /// @dev FRC-0042 method number of "IsControllingAddress".
    uint64 private constant IS_CONTROLLING_ADDRESS = 348244887;
    uint64 private constant READ_ONLY = 1;
    uint64 private constant CBOR = 0x51;

    /// @inheritdoc IMinerControl
    /// @dev Reverts with `NotMinersAddress` if the miner does not know the claimant, with `MinerCallFailed` if there is no such miner.
    function check(uint64 minerId, address claimant) external returns (bool verified) {
        (bool called, bytes memory answer) = CALL_ACTOR_BY_ID.delegatecall(
            abi.encode(IS_CONTROLLING_ADDRESS, uint256(0), READ_ONLY, CBOR, _cborAddress(claimant), minerId)
        );
        // Where there is no precompile the call succeeds and answers nothing.
        if (!called || answer.length < 128) revert MinerCallFailed(minerId, 0);
        (int256 exitCode,, bytes memory result) = abi.decode(answer, (int256, uint64, bytes));
        if (exitCode != 0) revert MinerCallFailed(minerId, exitCode);
        // CBOR: 0xf5 is true, 0xf4 false; anything else is no answer.
        if (result.length != 1 || (result[0] != 0xf5 && result[0] != 0xf4)) revert MinerCallFailed(minerId, exitCode);
        if (result[0] == 0xf4) revert NotMinersAddress(minerId, claimant);
        return true;
    }

    /// @dev The Filecoin address of an EVM caller as a CBOR byte string: f0 for a masked ID (0xff, 11 zero bytes, u64), f410 otherwise.
    function _cborAddress(address claimant) private pure returns (bytes memory) {
        if (uint160(claimant) >> 64 == 0xff << 88) {
            bytes memory id = _uleb128(uint64(uint160(claimant)));
            return abi.encodePacked(uint8(0x41 + id.length), uint8(0), id);
        }
        // 0x56: a byte string of 22; 04 0a: class 4, namespace 10 (the Ethereum address manager).
        return abi.encodePacked(bytes3(0x56040a), claimant);
    }

    function _uleb128(uint64 value) private pure returns (bytes memory encoded) {
        while (value >= 0x80) {
            encoded = abi.encodePacked(encoded, uint8(value) | 0x80);
            value >>= 7;
        }
        encoded = abi.encodePacked(encoded, uint8(value));
    }
}
