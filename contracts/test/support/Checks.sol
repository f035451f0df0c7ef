// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @dev What every test stands on: the cheatcodes and the assertions.
abstract contract Checks {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev forge looks for this.
    bool public constant IS_TEST = true;

    function check(bool condition, string memory message) internal pure {
        vm.assertTrue(condition, message);
    }

    function same(uint256 left, uint256 right, string memory message) internal pure {
        vm.assertEq(left, right, message);
    }

    function same(address left, address right, string memory message) internal pure {
        vm.assertEq(left, right, message);
    }

    function same(bytes32 left, bytes32 right, string memory message) internal pure {
        vm.assertEq(left, right, message);
    }

    function same(bytes memory left, bytes memory right, string memory message) internal pure {
        vm.assertEq(left, right, message);
    }

    function same(string memory left, string memory right, string memory message) internal pure {
        vm.assertEq(left, right, message);
    }

    /// @dev An address that has a name and no code.
    function named(string memory name) internal pure returns (address) {
        return address(uint160(uint256(keccak256(bytes(name)))));
    }

    /// @dev A fuzzed number folded into min..max.
    function within(uint256 number, uint256 min, uint256 max) internal pure returns (uint256) {
        return max - min == type(uint256).max ? number : min + number % (max - min + 1);
    }
}
