// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The market calls Poseidon by address (IPoseidon.sol). These two libraries are what a deployment puts there: circomlib's parameters, each too large to
// share a contract with anything else. Their functions are pure, so a plain call reaches them.
import {PoseidonT3} from "poseidon-solidity/PoseidonT3.sol";
import {PoseidonT6} from "poseidon-solidity/PoseidonT6.sol";
