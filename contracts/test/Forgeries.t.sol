// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../src/Errors.sol";
import {Call} from "./support/ProverFixture.sol";
import {VectorFixture} from "./support/VectorFixture.sol";

/// @dev tests/vectors/forgeries: every forged settlement is refused, with the error that the corpus and docs/SETTLEMENT.md give for it.
contract ForgeriesTest is VectorFixture {
    /// @dev So that a corpus that lost its entries fails.
    uint256 private constant LEAST = 60;
    mapping(string name => bytes4) private _errors;

    function setUp() public override {
        super.setUp();
        _errors["ProofRefused"] = ProofRefused.selector;
        _errors["NotCanonical"] = NotCanonical.selector;
        _errors["PoolExceeded"] = PoolExceeded.selector;
        _errors["NotLive"] = NotLive.selector;
        _errors["WrongFresh"] = WrongFresh.selector;
        _errors["AboveMaximum"] = AboveMaximum.selector;
        _errors["NotOpen"] = NotOpen.selector;
        _errors["WrongRecord"] = WrongRecord.selector;
        _errors["WrongFlags"] = WrongFlags.selector;
        _errors["WrongSlots"] = WrongSlots.selector;
        _errors["WrongLength"] = WrongLength.selector;
        _errors["WrongCaller"] = WrongCaller.selector;
    }

    function test_Forgeries_EachIsRefusedAsTheCorpusSays() public {
        string memory json = vm.readFile("../tests/vectors/forgeries/forgeries.json");
        uint256 count = 0;
        for (; vm.keyExistsJson(json, string.concat("[", vm.toString(count), "]")); ++count) {
            string memory forgery = string.concat("[", vm.toString(count), "]");
            uint256 step = stepOf(vm.parseJsonString(json, string.concat(forgery, ".insteadOf")));
            uint256 snapshot = vm.snapshotState();
            replay(step);
            Call memory call = callAt(json, string.concat(forgery, ".calldata"));
            string memory name = vm.parseJsonString(json, string.concat(forgery, ".contract"));
            check(_errors[name] != 0, string.concat("an error that this test does not know: ", name));
            if (_errors[name] == ProofRefused.selector) {
                string memory signals = string.concat(forgery, ".signals[");
                vm.expectRevert(
                    abi.encodeWithSelector(
                        ProofRefused.selector,
                        vm.parseJsonUint(json, string.concat(signals, "0]")),
                        vm.parseJsonUint(json, string.concat(signals, "1]")),
                        vm.parseJsonUint(json, string.concat(signals, "2]"))
                    )
                );
            } else {
                vm.expectPartialRevert(_errors[name]);
            }
            sendAs(operator, call);
            // The honest step passes in the same place: what was refused was the forgery.
            send(callOf(step));
            vm.revertToState(snapshot);
        }
        check(count >= LEAST, "the corpus is whole");
    }

    function stepOf(string memory name) private view returns (uint256) {
        for (uint256 k = 0; k < NAMES.length; ++k) if (keccak256(bytes(NAMES[k])) == keccak256(bytes(name))) return k;
        revert("no such step");
    }
}
