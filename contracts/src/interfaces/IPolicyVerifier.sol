// SPDX-License-Identifier: Apache-2.0
// The Groth16 verifier of the policy circuit, as snarkjs' template writes it.
pragma solidity ^0.8.24;

interface IPolicyVerifier {
    /// @notice Checks one Groth16 proof against the verification key in the verifier's code.
    /// @dev It returns false instead of reverting, also when it runs short of gas: whoever calls it must require the result.
    /// @param pub ctx, required0, required1, minEvidence, validUntil, accuracyFloor, privacyCap, digest[16]
    function verifyProof(uint256[2] calldata a, uint256[2][2] calldata b, uint256[2] calldata c, uint256[23] calldata pub)
        external
        view
        returns (bool);
}
