// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NotCanonical, NotOnCurve} from "../Errors.sol";

/// @title The scalar field of BN254 and the curve BabyJubjub over it
/// @dev BabyJubjub in circomlib's form: a·x² + y² = 1 + d·x²·y² (EIP-2494).
library Field {
    /// @dev The order of BN254's groups, the field's modulus.
    uint256 internal constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant A = 168700;
    uint256 private constant D = 168696;

    /// @dev Reverts unless the element is below the order.
    function requireCanonical(uint256 element) internal pure {
        if (element >= ORDER) revert NotCanonical(ORDER, element);
    }

    /// @dev Reverts unless the point's coordinates are canonical and it is on the curve. Its subgroup is checked off chain, by the provider.
    function requireOnCurve(uint256 x, uint256 y) internal pure {
        requireCanonical(x);
        requireCanonical(y);
        uint256 xx = mulmod(x, x, ORDER);
        uint256 yy = mulmod(y, y, ORDER);
        uint256 left = addmod(mulmod(A, xx, ORDER), yy, ORDER);
        uint256 right = addmod(1, mulmod(D, mulmod(xx, yy, ORDER), ORDER), ORDER);
        if (left != right) revert NotOnCurve(x, y);
    }
}
