// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProofRefused} from "../src/Errors.sol";
import {ISettlementVerifier} from "../src/interfaces/ISettlementVerifier.sol";
import {LeaseState} from "../src/Types.sol";
import {Call} from "./support/ProverFixture.sol";
import {VectorFixture} from "./support/VectorFixture.sol";

/// @dev tests/vectors/settlement-8: real proofs of our prover, verified by the real verifier under their key, settle a page from its first lease to a reused slot.
contract VectorsTest is VectorFixture {
    function test_Vectors_RealProofs_SettleInOrder() public {
        uint256 total = 0;
        for (uint256 k = 0; k < NAMES.length; ++k) {
            prepare(k, true);
            if (k == 1) prepare(2, false);
            string memory statement = read(k, "statement");
            Call memory call = callOf(k);
            same(market.getPage(provider, page).root, vm.parseJsonUint(statement, ".oldRoot"), "old root");
            string memory signals = read(k, "public");
            uint256[3] memory inputs =
                [vm.parseJsonUint(signals, "[0]"), vm.parseJsonUint(signals, "[1]"), vm.parseJsonUint(signals, "[2]")];
            same(inputs[0], vm.parseJsonUint(statement, ".c"), "C");
            same(inputs[1], vm.parseJsonUint(statement, ".r"), "r");
            same(inputs[2], vm.parseJsonUint(statement, ".d"), "d");
            vm.expectCall(address(groth16), abi.encodeCall(ISettlementVerifier.verify, (call.proof, inputs)));
            send(call);
            total += call.paid;
            same(market.getPage(provider, page).root, vm.parseJsonUint(statement, ".newRoot"), "new root");
            same(earned(provider), total, "earned");
        }
        same(market.voucherDomain(), vm.parseJsonUint(read(0, "statement"), ".domain"), "domain");
        requireState(1, LeaseState.Closed);
        requireState(2, LeaseState.Closed);
        requireState(3, LeaseState.Closed);
        same(market.getPage(provider, page).live, 9, "slots 0 and 3");
    }

    function test_Vectors_AnyWordOfTheProofAltered_IsRefused() public {
        replay(3);
        Call memory call = callOf(3);
        for (uint256 i = 0; i < 8; ++i) {
            call.proof[i] ^= 1;
            refusedGently(call);
            call.proof[i] ^= 1;
        }
        call.c ^= 1;
        refusedGently(call);
        call.c ^= 1;
        send(call);
    }

    function test_Vectors_ProofOfAnotherStatement_IsRefused() public {
        replay(2);
        Call memory call = callOf(2);
        for (uint256 k = 0; k < NAMES.length; ++k) {
            if (k == 2) continue;
            call.proof = callOf(k).proof;
            refusedGently(call);
        }
    }

    function test_Vectors_OnAnotherChain_AreRefused() public {
        replay(1);
        Call memory call = callOf(1);
        vm.chainId(314);
        refusedGently(call);
    }

    /// @dev A pairing that fails takes all the gas it is given.
    function refusedGently(Call memory call) private {
        vm.expectPartialRevert(ProofRefused.selector);
        vm.prank(operator);
        market.settle{gas: 30_000_000}(
            call.provider, call.page, call.newRoot, call.paid, call.entries, call.leaseIds, call.c, call.proof
        );
    }

    /// The leaf and the siblings that our own tree gives a client are the ones that the chain's Poseidon proves.
    function test_Vectors_LeafAndSiblings_FinishOnChain() public {
        replay(5);
        send(callOf(5));
        string memory statement = read(5, "statement");
        uint256 leaf = 0;
        while (vm.parseJsonUint(statement, path(leaf, ".leaseId")) != 4) ++leaf;
        vm.prank(client);
        market.requestClose(4);
        vm.roll(block.number + CLOSE_EPOCHS);
        vm.prank(client);
        market.freeze(4);
        uint256[] memory siblings = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) siblings[i] = vm.parseJsonUint(statement, path(leaf, string.concat(".siblings[", vm.toString(i), "]")));
        market.finish(
            4,
            uint96(vm.parseJsonUint(statement, path(leaf, ".deposit"))),
            uint96(vm.parseJsonUint(statement, path(leaf, ".claimed"))),
            siblings
        );
        same(market.getLease(4).amount, 40 ether, "paid in full");
    }

    function path(uint256 leaf, string memory field) private pure returns (string memory) {
        return string.concat(".newLeaves[", vm.toString(leaf), "]", field);
    }
}
