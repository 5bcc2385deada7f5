// SPDX-License-Identifier: Apache-2.0
// A verifier whose answer the test chooses: it accepts one proof, with one list of signals, and no other.
pragma solidity ^0.8.24;

import {IPolicyVerifier} from "../src/interfaces/IPolicyVerifier.sol";

contract VerifierDouble is IPolicyVerifier {
    bytes32 public accepted;

    function accept(bytes32 hash) external {
        accepted = hash;
    }

    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[23] calldata pub
    ) external view returns (bool) {
        return keccak256(abi.encode(a, b, c, pub)) == accepted;
    }
}
