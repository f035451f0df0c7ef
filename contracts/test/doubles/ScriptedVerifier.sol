// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISettlementVerifier} from "../../src/interfaces/ISettlementVerifier.sol";
import {Statement} from "../support/Statement.sol";

/// @dev Stands in for circuit and proof where a test is about the ledger. It is told which public lists can be proved, one by one, each with its
///      commitment; it accepts (C, r, d) exactly if d is that list's value at r, as the circuit forces it to be. It accepts nothing of its own.
contract ScriptedVerifier is ISettlementVerifier {
    uint256 public immutable slots;
    bool public immutable isDevelopmentKey;
    mapping(uint256 c => uint256[] e) private _lists;

    constructor(uint256 slots_, bool development) {
        slots = slots_;
        isDevelopmentKey = development;
    }

    /// @dev The commitment that stands for the circuit's sponge.
    function commitment(uint256[] memory e) public pure returns (uint256) {
        return uint256(keccak256(abi.encode("sponge", e))) % Statement.P;
    }

    /// @dev Says that a list can be proved.
    function allow(uint256[] memory e) external returns (uint256 c) {
        c = commitment(e);
        _lists[c] = e;
    }

    function verify(uint256[8] calldata, uint256[3] calldata inputs) external view returns (bool) {
        uint256[] memory e = _lists[inputs[0]];
        return e.length == 5 + 5 * slots && inputs[2] == Statement.evaluate(e, inputs[1]);
    }
}
