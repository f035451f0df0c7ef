// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMinerControl} from "../interfaces/IMinerControl.sol";

/// @title Miner IDs on a chain without miner actors
/// @notice Confirms nothing: the registry keeps every ID as the owner's word, and says so.
contract DeclaredMiners is IMinerControl {
    /// @inheritdoc IMinerControl
    function check(uint64, address) external pure returns (bool verified) {
        return false;
    }
}
