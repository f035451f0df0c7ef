// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BelowMinimum, WrongKey} from "./Errors.sol";
import {ISettlementVerifier} from "./interfaces/ISettlementVerifier.sol";
import {Field} from "./lib/Field.sol";

/// @title Groth16 over BN254 for three public inputs, with the verifying key in the code
/// @notice The key is given once, at deployment, and is part of the code from then on (immutables): whoever wants to know what a deployment verifies
///         reads `verifyingKey`, and the compiled code is the same for every page size and every ceremony.
/// @dev Jens Groth, "On the Size of Pairing-based Non-interactive Arguments", EUROCRYPT 2016; pairing by EIP-196 and EIP-197.
contract Groth16Verifier is ISettlementVerifier {
    /// @notice A verifying key. G1 points are x, y; G2 points are x.c1, x.c0, y.c1, y.c0 (c1 belongs to i), as EIP-197 has them.
    struct VerifyingKey {
        uint256[2] alpha1;
        uint256[4] beta2;
        uint256[4] gamma2;
        uint256[4] delta2;
        /// @dev the points of the constant 1, C, r and d
        uint256[2][4] ic;
    }

    /// @dev The modulus of BN254's base field.
    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @inheritdoc ISettlementVerifier
    bool public immutable isDevelopmentKey;
    /// @inheritdoc ISettlementVerifier
    uint256 public immutable slots;

    uint256 private immutable _alphaX;
    uint256 private immutable _alphaY;
    uint256 private immutable _betaX1;
    uint256 private immutable _betaX0;
    uint256 private immutable _betaY1;
    uint256 private immutable _betaY0;
    uint256 private immutable _gammaX1;
    uint256 private immutable _gammaX0;
    uint256 private immutable _gammaY1;
    uint256 private immutable _gammaY0;
    uint256 private immutable _deltaX1;
    uint256 private immutable _deltaX0;
    uint256 private immutable _deltaY1;
    uint256 private immutable _deltaY0;
    uint256 private immutable _ic0X;
    uint256 private immutable _ic0Y;
    uint256 private immutable _ic1X;
    uint256 private immutable _ic1Y;
    uint256 private immutable _ic2X;
    uint256 private immutable _ic2Y;
    uint256 private immutable _ic3X;
    uint256 private immutable _ic3Y;

    /// @param key the verifying key; reverts with `WrongKey` if a point is not canonical, off its curve, outside its subgroup or infinity, or if gamma
    ///        and delta are one point: then nobody contributed to the set-up's second phase, and anybody can make a proof of anything
    /// @param slots_ the page size of the circuit that the key is for
    /// @param development whether the key comes from a development set-up
    constructor(VerifyingKey memory key, uint256 slots_, bool development) {
        _checkG1(key.alpha1);
        _checkG2(key.beta2);
        _checkG2(key.gamma2);
        _checkG2(key.delta2);
        for (uint256 i = 0; i < 4; ++i) _checkG1(key.ic[i]);
        if (keccak256(abi.encode(key.gamma2)) == keccak256(abi.encode(key.delta2))) revert WrongKey(key.delta2[0]);
        if (slots_ == 0) revert BelowMinimum(1, 0);
        isDevelopmentKey = development;
        slots = slots_;
        _alphaX = key.alpha1[0];
        _alphaY = key.alpha1[1];
        _betaX1 = key.beta2[0];
        _betaX0 = key.beta2[1];
        _betaY1 = key.beta2[2];
        _betaY0 = key.beta2[3];
        _gammaX1 = key.gamma2[0];
        _gammaX0 = key.gamma2[1];
        _gammaY1 = key.gamma2[2];
        _gammaY0 = key.gamma2[3];
        _deltaX1 = key.delta2[0];
        _deltaX0 = key.delta2[1];
        _deltaY1 = key.delta2[2];
        _deltaY0 = key.delta2[3];
        _ic0X = key.ic[0][0];
        _ic0Y = key.ic[0][1];
        _ic1X = key.ic[1][0];
        _ic1Y = key.ic[1][1];
        _ic2X = key.ic[2][0];
        _ic2Y = key.ic[2][1];
        _ic3X = key.ic[3][0];
        _ic3Y = key.ic[3][1];
    }

    /// @notice The key that proofs are verified under.
    /// @return key the key, as it was given at deployment
    function verifyingKey() external view returns (VerifyingKey memory key) {
        key.alpha1 = [_alphaX, _alphaY];
        key.beta2 = [_betaX1, _betaX0, _betaY1, _betaY0];
        key.gamma2 = [_gammaX1, _gammaX0, _gammaY1, _gammaY0];
        key.delta2 = [_deltaX1, _deltaX0, _deltaY1, _deltaY0];
        key.ic = [[_ic0X, _ic0Y], [_ic1X, _ic1Y], [_ic2X, _ic2Y], [_ic3X, _ic3Y]];
    }

    /// @inheritdoc ISettlementVerifier
    function verify(uint256[8] calldata proof, uint256[3] calldata inputs) external view returns (bool) {
        // The precompile refuses a coordinate ≥ Q; A.y is negated here, so it is looked at here.
        if (inputs[0] >= Field.ORDER || inputs[1] >= Field.ORDER || inputs[2] >= Field.ORDER || proof[1] >= Q) return false;
        (bool summed, uint256 x, uint256 y) = _inputPoint(inputs);
        if (!summed) return false;
        // e(−A, B) · e(alpha, beta) · e(inputs, gamma) · e(C, delta) = 1
        uint256[24] memory pairs;
        pairs[0] = proof[0];
        pairs[1] = Q - proof[1];
        pairs[2] = proof[2];
        pairs[3] = proof[3];
        pairs[4] = proof[4];
        pairs[5] = proof[5];
        pairs[6] = _alphaX;
        pairs[7] = _alphaY;
        pairs[8] = _betaX1;
        pairs[9] = _betaX0;
        pairs[10] = _betaY1;
        pairs[11] = _betaY0;
        pairs[12] = x;
        pairs[13] = y;
        pairs[14] = _gammaX1;
        pairs[15] = _gammaX0;
        pairs[16] = _gammaY1;
        pairs[17] = _gammaY0;
        pairs[18] = proof[6];
        pairs[19] = proof[7];
        pairs[20] = _deltaX1;
        pairs[21] = _deltaX0;
        pairs[22] = _deltaY1;
        pairs[23] = _deltaY0;
        bool called;
        uint256 product;
        assembly ("memory-safe") {
            called := staticcall(gas(), 8, pairs, 768, 0, 32)
            product := mload(0)
        }
        return called && product == 1;
    }

    /// @dev ic0 + C·ic1 + r·ic2 + d·ic3
    function _inputPoint(uint256[3] calldata inputs) private view returns (bool ok, uint256 x, uint256 y) {
        uint256[5] memory work;
        work[0] = _ic0X;
        work[1] = _ic0Y;
        ok = _addMultiple(work, _ic1X, _ic1Y, inputs[0]) && _addMultiple(work, _ic2X, _ic2Y, inputs[1])
            && _addMultiple(work, _ic3X, _ic3Y, inputs[2]);
        (x, y) = (work[0], work[1]);
    }

    /// @dev work[0..1] += scalar · (x, y); work[2..4] is room for the multiplication.
    function _addMultiple(uint256[5] memory work, uint256 x, uint256 y, uint256 scalar) private view returns (bool ok) {
        assembly ("memory-safe") {
            let factor := add(work, 0x40)
            mstore(factor, x)
            mstore(add(factor, 0x20), y)
            mstore(add(factor, 0x40), scalar)
            ok := staticcall(gas(), 7, factor, 96, factor, 64)
            ok := and(staticcall(gas(), 6, work, 128, work, 64), ok)
        }
    }

    /// @dev The addition precompile takes points on the curve only.
    function _checkG1(uint256[2] memory point) private view {
        uint256[4] memory terms = [point[0], point[1], 0, 0];
        bool valid;
        assembly ("memory-safe") {
            valid := staticcall(gas(), 6, terms, 128, 0, 64)
        }
        if (!valid || point[0] | point[1] == 0) revert WrongKey(point[0]);
    }

    /// @dev The pairing precompile takes points on the twist and in the subgroup only; paired with infinity the product is 1.
    function _checkG2(uint256[4] memory point) private view {
        uint256[6] memory pair = [0, 0, point[0], point[1], point[2], point[3]];
        bool valid;
        assembly ("memory-safe") {
            valid := staticcall(gas(), 8, pair, 192, 0, 32)
        }
        if (!valid || point[0] | point[1] | point[2] | point[3] == 0) revert WrongKey(point[0]);
    }
}
