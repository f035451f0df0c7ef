// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../src/Errors.sol";
import {Groth16Verifier} from "../src/Groth16Verifier.sol";
import {IPoseidonT3, IPoseidonT6} from "../src/interfaces/IPoseidon.sol";
import {ISettlementVerifier} from "../src/interfaces/ISettlementVerifier.sol";
import {ShaleMarket} from "../src/ShaleMarket.sol";
import {ScriptedVerifier} from "./doubles/ScriptedVerifier.sol";
import {TrapdoorKey} from "./doubles/TrapdoorKey.sol";
import {MarketFixture} from "./support/MarketFixture.sol";
import {Statement} from "./support/Statement.sol";

/// @dev What a deployment may be made of, and the verifier contract.
contract DeploymentTest is MarketFixture {
    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    function test_Deploy_DevelopmentKeyOnMainnet_Reverts() public {
        vm.chainId(314);
        ShaleMarket.Parts memory made = parts();
        vm.expectRevert(abi.encodeWithSelector(DevelopmentKey.selector, 314, address(verifier8)));
        new ShaleMarket(made);
        made.verifier8 = new ScriptedVerifier(8, false);
        vm.expectRevert(abi.encodeWithSelector(DevelopmentKey.selector, 314, address(verifier64)));
        new ShaleMarket(made);
        made.verifier64 = new ScriptedVerifier(64, false);
        vm.expectRevert(abi.encodeWithSelector(DevelopmentKey.selector, 314, address(verifier256)));
        new ShaleMarket(made);
        made.verifier256 = new ScriptedVerifier(256, false);
        new ShaleMarket(made);
        vm.chainId(314159);
        new ShaleMarket(parts());
    }

    function test_Deploy_VerifierOfAnotherSize_Reverts() public {
        ShaleMarket.Parts memory made = parts();
        made.verifier64 = verifier8;
        vm.expectRevert(abi.encodeWithSelector(WrongPart.selector, address(verifier8), 64, 8));
        new ShaleMarket(made);
    }

    function test_Deploy_WithoutASize_PagesOfItCannotBeOpened() public {
        ShaleMarket.Parts memory made = parts();
        made.verifier64 = made.verifier256 = ISettlementVerifier(address(0));
        market = new ShaleMarket(made);
        newPage(provider, operator, 8);
        for (uint256 size = 64; size <= 256; size *= 4) {
            vm.prank(operator);
            vm.expectRevert(abi.encodeWithSelector(SizeNotOffered.selector, size));
            market.openPage(provider, size);
        }
    }

    function test_Deploy_OtherHash_Reverts() public {
        ShaleMarket.Parts memory made = parts();
        // Two pairs hashed one way are not circomlib's.
        made.pairHash = IPoseidonT3(address(new OtherHash()));
        vm.expectPartialRevert(WrongPart.selector);
        new ShaleMarket(made);
        made = parts();
        made.leafHash = IPoseidonT6(address(new OtherHash()));
        vm.expectPartialRevert(WrongPart.selector);
        new ShaleMarket(made);
    }

    function test_Deploy_ShortWindows_Reverts() public {
        ShaleMarket.Parts memory made = parts();
        made.closeEpochs = 2879;
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 2880, 2879));
        new ShaleMarket(made);
        made.closeEpochs = 2880;
        made.confirmEpochs = 1799;
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 1800, 1799));
        new ShaleMarket(made);
        made.confirmEpochs = 1800;
        made.acceptEpochs = 0;
        vm.expectRevert(abi.encodeWithSelector(BelowMinimum.selector, 1, 0));
        new ShaleMarket(made);
        made.acceptEpochs = 1;
        new ShaleMarket(made);
    }

    function test_VoucherDomain_IsAsWrittenDown() public {
        same(market.voucherDomain(), Statement.domain(block.chainid, address(market)), "domain");
        vm.chainId(314);
        same(market.voucherDomain(), Statement.domain(314, address(market)), "another chain");
    }

    function verifier() private returns (Groth16Verifier) {
        return new Groth16Verifier(TrapdoorKey.key(), 8, true);
    }

    function testFuzz_Verifier_AcceptsExactlyTheProvenStatement(uint256 c, uint256 r, uint256 d, uint8 which) public {
        uint256[3] memory inputs = [c % Statement.P, r % Statement.P, d % Statement.P];
        Groth16Verifier made = verifier();
        uint256[8] memory proof = TrapdoorKey.prove(inputs);
        check(made.verify(proof, inputs), "proven");
        uint256[3] memory other = [inputs[0], inputs[1], inputs[2]];
        other[which % 3] = addmod(other[which % 3], 1, Statement.P);
        check(!made.verify(proof, other), "another statement");
        proof[which % 8] = addmod(proof[which % 8], 1, Q);
        check(!gently(made, proof, inputs), "another proof");
    }

    /// The same residues, written differently.
    function test_Verifier_NotCanonical_IsRefused() public {
        Groth16Verifier made = verifier();
        uint256[3] memory inputs = [uint256(1), 2, 3];
        uint256[8] memory proof = TrapdoorKey.prove(inputs);
        for (uint256 i = 0; i < 3; ++i) {
            inputs[i] += Statement.P;
            check(!gently(made, proof, inputs), "input + p");
            inputs[i] -= Statement.P;
        }
        for (uint256 i = 0; i < 8; ++i) {
            proof[i] += Q;
            check(!gently(made, proof, inputs), "coordinate + q");
            proof[i] -= Q;
        }
        check(made.verify(proof, inputs), "as it was");
    }

    function test_Verifier_PointsAtInfinity_AreRefused() public {
        Groth16Verifier made = verifier();
        uint256[8] memory proof;
        check(!gently(made, proof, [uint256(0), 0, 0]), "all infinity");
    }

    /// @dev A precompile that refuses its input takes all gas it is given.
    function gently(Groth16Verifier made, uint256[8] memory proof, uint256[3] memory inputs) private view returns (bool) {
        return made.verify{gas: 10_000_000}(proof, inputs);
    }

    function test_Verifier_KeyIsReadBack() public {
        Groth16Verifier made = verifier();
        same(abi.encode(made.verifyingKey()), abi.encode(TrapdoorKey.key()), "key");
        same(made.slots(), 8, "slots");
        check(made.isDevelopmentKey(), "development");
    }

    function test_Verifier_BadKey_Reverts() public {
        for (uint256 which = 0; which < 22; ++which) {
            bytes memory encoded = abi.encode(TrapdoorKey.key());
            assembly {
                let word := add(add(encoded, 32), mul(32, which))
                mstore(word, add(mload(word), 1))
            }
            Groth16Verifier.VerifyingKey memory key = abi.decode(encoded, (Groth16Verifier.VerifyingKey));
            vm.expectPartialRevert(WrongKey.selector);
            this.construct{gas: 50_000_000}(key);
        }
        Groth16Verifier.VerifyingKey memory infinite = TrapdoorKey.key();
        infinite.ic[2] = [uint256(0), 0];
        vm.expectRevert(abi.encodeWithSelector(WrongKey.selector, 0));
        this.construct(infinite);
        infinite = TrapdoorKey.key();
        infinite.delta2 = [uint256(0), 0, 0, 0];
        vm.expectRevert(abi.encodeWithSelector(WrongKey.selector, 0));
        this.construct(infinite);
    }

    /// A set-up that nobody contributed to.
    function test_Verifier_GammaIsDelta_Reverts() public {
        Groth16Verifier.VerifyingKey memory key = TrapdoorKey.key();
        key.delta2 = key.gamma2;
        vm.expectRevert(abi.encodeWithSelector(WrongKey.selector, key.delta2[0]));
        this.construct(key);
    }

    function construct(Groth16Verifier.VerifyingKey calldata key) external {
        new Groth16Verifier(key, 8, true);
    }
}

contract OtherHash {
    function hash(uint256[2] calldata inputs) external pure returns (uint256) {
        return inputs[0] ^ inputs[1];
    }

    function hash(uint256[5] calldata inputs) external pure returns (uint256) {
        return inputs[0] ^ inputs[1];
    }
}
