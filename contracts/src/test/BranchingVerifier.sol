// SPDX-License-Identifier: Apache-2.0
// A test double for the Groth16 verifier: "verifies" exactly the proofs whose first coordinate is 1. Never deployed by us.
pragma solidity ^0.8.24;

import {IPolicyVerifier} from "../interfaces/IPolicyVerifier.sol";

contract BranchingVerifier is IPolicyVerifier {
    function verifyProof(uint256[2] calldata a, uint256[2][2] calldata, uint256[2] calldata, uint256[23] calldata)
        external
        pure
        returns (bool)
    {
        return a[0] == 1;
    }
}
