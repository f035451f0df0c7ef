// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Groth16Verifier} from "../../src/Groth16Verifier.sol";
import {Statement} from "../support/Statement.sol";

/// @dev A Groth16 key whose secret is written here, so that a test can make a proof that the real verifier accepts for any statement: for measuring gas,
///      and for showing what a leaked set-up would mean. The points of G2 are its generator, delta
///      its negative; those of G1 are known multiples of theirs.
library TrapdoorKey {
    uint256 private constant ALPHA = 0xa1fa;
    uint256 private constant IC0 = 0x1c0;
    uint256 private constant IC1 = 0x1c1;
    uint256 private constant IC2 = 0x1c2;
    uint256 private constant IC3 = 0x1c3;
    uint256 private constant S = 0x5;
    /// @dev The modulus of BN254's base field.
    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    function key() internal view returns (Groth16Verifier.VerifyingKey memory made) {
        made.alpha1 = multiple(ALPHA);
        made.beta2 = made.gamma2 = generator2();
        made.delta2 = generator2();
        made.delta2[2] = Q - made.delta2[2];
        made.delta2[3] = Q - made.delta2[3];
        made.ic = [multiple(IC0), multiple(IC1), multiple(IC2), multiple(IC3)];
    }

    /// @dev A proof of (C, r, d): with B the generator, A = alpha + ic0 + C·ic1 + r·ic2 + d·ic3 − S and C = S satisfy the equation.
    function prove(uint256[3] memory inputs) internal view returns (uint256[8] memory proof) {
        uint256 scalar = addmod(ALPHA + IC0 - S, mulmod(inputs[0], IC1, Statement.P), Statement.P);
        scalar = addmod(scalar, mulmod(inputs[1], IC2, Statement.P), Statement.P);
        scalar = addmod(scalar, mulmod(inputs[2], IC3, Statement.P), Statement.P);
        (proof[0], proof[1]) = split(multiple(scalar));
        uint256[4] memory b = generator2();
        (proof[2], proof[3], proof[4], proof[5]) = (b[0], b[1], b[2], b[3]);
        (proof[6], proof[7]) = split(multiple(S));
    }

    /// @dev EIP-197's generator of G2.
    function generator2() internal pure returns (uint256[4] memory) {
        return [
            11559732032986387107991004021392285783925812861821192530917403151452391805634,
            10857046999023057135944570762232829481370756359578518086990519993285655852781,
            4082367875863433681332203403145435568316851327593401208105741076214120093531,
            8495653923123431417604973247489272438418190587263600148770280649306958101930
        ];
    }

    /// @dev scalar · (1, 2)
    function multiple(uint256 scalar) internal view returns (uint256[2] memory point) {
        (bool ok, bytes memory answer) = address(7).staticcall(abi.encode(uint256(1), uint256(2), scalar));
        require(ok, "ecMul");
        (point[0], point[1]) = abi.decode(answer, (uint256, uint256));
    }

    function split(uint256[2] memory point) private pure returns (uint256, uint256) {
        return (point[0], point[1]);
    }
}
