// SPDX-License-Identifier: Apache-2.0
// What a task needs of a policy: 192 grant bits and an evidence level.
pragma solidity ^0.8.24;

import {Params} from "./generated/Params.sol";

library Requirement {
    /// Scene 0, model-training: the lowest 16 bits of the matrix (one per field class).
    uint256 private constant TRAINING_ROW = 0xffff;

    /// @notice keccak256(abi.encode(required0, required1, minEvidence)), as protocol/consent/policy.ts computes it.
    function key(uint256 required0, uint256 required1, uint256 minEvidence) internal pure returns (bytes32) {
        return keccak256(abi.encode(required0, required1, minEvidence));
    }

    /// @notice Whether a task may ask for this. Without the training row, or with evidence 0, a round would ask for less
    ///         than any customer was promised.
    function isValid(uint256 required0, uint256 required1, uint256 minEvidence) internal pure returns (bool) {
        return required0 >> Params.GRANT_BITS_PER_WORD == 0 && required1 >> Params.GRANT_BITS_PER_WORD == 0
            && required0 & TRAINING_ROW != 0 && minEvidence != 0 && minEvidence >> Params.EVIDENCE_BITS == 0;
    }
}
