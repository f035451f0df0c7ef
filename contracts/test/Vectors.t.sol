// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProofRefused} from "../src/Errors.sol";
import {Groth16Verifier} from "../src/Groth16Verifier.sol";
import {ISettlementVerifier} from "../src/interfaces/ISettlementVerifier.sol";
import {ShaleMarket} from "../src/ShaleMarket.sol";
import {LeaseState, Order} from "../src/Types.sol";
import {Call, ProverFixture} from "./support/ProverFixture.sol";

/// @dev tests/vectors/settlement-8: real proofs of our prover, verified by the real verifier under their key, settle a page from its first lease to a reused slot.
contract VectorsTest is ProverFixture {
    string private constant FOLDER = "../tests/vectors/settlement-8/";
    string[6] private NAMES = ["00-empty", "01-first-sync-and-pay", "02-pay", "03-top-up", "04-close", "05-slot-reused"];
    Groth16Verifier private _verifier;

    function setUp() public override {
        super.setUp();
        string memory statement = read(0, "statement");
        vm.chainId(vm.parseJsonUint(statement, ".chainId"));
        _verifier = new Groth16Verifier(verifyingKey(), 8, true);
        ShaleMarket.Parts memory made = parts();
        made.verifier8 = _verifier;
        // The address is part of what is signed and proved.
        address home = vm.parseJsonAddress(statement, ".contract");
        vm.etch(home, address(new ShaleMarket(made)).code);
        market = ShaleMarket(home);
        page = newPage(provider, operator, 8);
    }

    function read(uint256 k, string memory file) private view returns (string memory) {
        return vm.readFile(string.concat(FOLDER, NAMES[k], "/", file, ".json"));
    }

    function verifyingKey() private view returns (Groth16Verifier.VerifyingKey memory key) {
        string memory json = vm.readFile(string.concat(FOLDER, "verification_key.json"));
        key.alpha1 = g1(json, ".vk_alpha_1");
        key.beta2 = g2(json, ".vk_beta_2");
        key.gamma2 = g2(json, ".vk_gamma_2");
        key.delta2 = g2(json, ".vk_delta_2");
        for (uint256 i = 0; i < 4; ++i) key.ic[i] = g1(json, string.concat(".IC[", vm.toString(i), "]"));
    }

    function g1(string memory json, string memory where) private pure returns (uint256[2] memory) {
        return [vm.parseJsonUint(json, string.concat(where, "[0]")), vm.parseJsonUint(json, string.concat(where, "[1]"))];
    }

    /// @dev iden3's files have c0 first.
    function g2(string memory json, string memory where) private pure returns (uint256[4] memory) {
        return [
            vm.parseJsonUint(json, string.concat(where, "[0][1]")),
            vm.parseJsonUint(json, string.concat(where, "[0][0]")),
            vm.parseJsonUint(json, string.concat(where, "[1][1]")),
            vm.parseJsonUint(json, string.concat(where, "[1][0]"))
        ];
    }

    function callOf(uint256 k) private view returns (Call memory call) {
        string memory json = read(k, "calldata");
        call.provider = uint32(vm.parseJsonUint(json, ".provider"));
        call.page = uint32(vm.parseJsonUint(json, ".page"));
        call.newRoot = vm.parseJsonUint(json, ".newRoot");
        call.paid = vm.parseJsonUint(json, ".paid");
        call.entries = vm.parseJsonBytes(json, ".entries");
        call.leaseIds = vm.parseJsonBytes(json, ".leaseIds");
        call.c = vm.parseJsonUint(json, ".c");
        for (uint256 i = 0; i < 8; ++i) call.proof[i] = vm.parseJsonUint(json, string.concat(".proof[", vm.toString(i), "]"));
    }

    /// @dev Makes the market's records those of the statement: orders, deposits and top-ups as they are missing.
    function prepare(uint256 k, bool confirmed) private {
        string memory json = read(k, "statement");
        for (uint256 i = 0; vm.keyExistsJson(json, string.concat(".records[", vm.toString(i), "]")); ++i) {
            string memory record = string.concat(".records[", vm.toString(i), "]");
            uint64 leaseId = uint64(vm.parseJsonUint(json, string.concat(record, ".leaseId")));
            uint256 deposit = vm.parseJsonUint(json, string.concat(record, ".deposit"));
            if (leaseId > market.leaseCount()) {
                Order memory order = newOrder();
                order.ax = vm.parseJsonUint(json, string.concat(record, ".ax"));
                order.ay = vm.parseJsonUint(json, string.concat(record, ".ay"));
                vm.prank(client);
                same(market.createLease{value: BOND}(order), leaseId, "lease number");
                vm.prank(operator);
                market.accept(leaseId, page, newTerms());
                same(market.getLease(leaseId).slot, vm.parseJsonUint(json, string.concat(record, ".slot")), "slot");
            }
            if (!confirmed) continue;
            bytes32 terms = market.getLease(leaseId).termsHash;
            if (stateOf(leaseId) == LeaseState.Accepted) {
                vm.prank(client);
                market.confirm{value: deposit}(leaseId, terms);
            }
            uint256 recorded = market.getLease(leaseId).amount;
            if (recorded == deposit) continue;
            vm.prank(client);
            market.topUp{value: deposit - recorded}(leaseId);
        }
    }

    /// @dev Up to, and not including, the settlement of a statement.
    function replay(uint256 until) private {
        for (uint256 k = 0; k <= until; ++k) {
            prepare(k, true);
            // The fourth lease's slot was reserved before the third's was freed.
            if (k == 1) prepare(2, false);
            if (k < until) send(callOf(k));
        }
    }

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
            vm.expectCall(address(_verifier), abi.encodeCall(ISettlementVerifier.verify, (call.proof, inputs)));
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
