// SPDX-License-Identifier: Apache-2.0
// A withdrawal as the customer's device signed it: the operation's canonical CBOR, read by its one layout.
pragma solidity ^0.8.24;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {WebAuthn} from "@openzeppelin/contracts/utils/cryptography/WebAuthn.sol";
import {Params} from "./generated/Params.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";

library Withdrawal {
    struct Operation {
        uint64 seq;
        bytes32 nonce;
        address dealer;
        bytes32 subject;
        uint256 newDigest;
        bytes32 x;
        bytes32 y;
    }

    /// map(9), "v", "concordat/1/operation", "seq": keys are sorted, and nothing before the sequence number varies.
    bytes32 private constant HEAD =
        keccak256(abi.encodePacked(hex"a9617675", Params.PROTOCOL_VERSION, "/operation", hex"63", "seq"));
    uint256 private constant HEAD_BYTES = 29;
    /// All that follows the sequence number.
    uint256 private constant REST_BYTES = 319;
    /// Above it, JavaScript no longer counts exactly, so no party decodes it.
    uint256 private constant MAX_SEQ = 2 ** 53 - 1;
    /// What fits, with its CBOR around it, into the 2,048 bytes that every party reads of an assertion.
    uint256 private constant MAX_ASSERTION_BYTES = 1_800;
    bytes private constant SUBJECT_TAG = bytes(string.concat(Params.PROTOCOL_VERSION, "/subject"));

    /// @notice Refuses every encoding but the canonical one: what is taken here, every party can decode.
    function parse(bytes calldata operation) internal pure returns (Operation memory parsed) {
        if (operation.length <= HEAD_BYTES + REST_BYTES) revert IConsentRegistry.OperationMalformed();
        if (keccak256(operation[:HEAD_BYTES]) != HEAD) revert IConsentRegistry.OperationMalformed();
        uint256 start = operation.length - REST_BYTES;
        parsed.seq = _seq(operation[HEAD_BYTES:start]);

        bytes calldata rest = operation[start:];
        // each key with the head of its byte string
        bool same = bytes8(rest[0:]) == bytes8(bytes.concat(hex"65", "nonce", hex"5820"))
            && bytes8(rest[40:]) == bytes8(bytes.concat(hex"66", "dealer", hex"54"))
            && bytes10(rest[68:]) == bytes10(bytes.concat(hex"67", "subject", hex"5820"))
            && bytes12(rest[110:]) == bytes12(bytes.concat(hex"69", "newDigest", hex"5820"))
            && bytes12(rest[154:]) == bytes12(bytes.concat(hex"69", "oldDigest", hex"5820"))
            && bytes12(rest[198:]) == bytes12(bytes.concat(hex"69", "publicKey", hex"5840"))
            && bytes13(rest[274:]) == bytes13(bytes.concat(hex"6a", "recordHash", hex"5820"));
        // a digest at or above the field's order has no canonical form
        if (!same || uint256(bytes32(rest[166:])) >= Params.SCALAR_FIELD) revert IConsentRegistry.OperationMalformed();

        parsed.nonce = bytes32(rest[8:]);
        parsed.dealer = address(bytes20(rest[48:]));
        parsed.subject = bytes32(rest[78:]);
        parsed.newDigest = uint256(bytes32(rest[122:]));
        parsed.x = bytes32(rest[210:]);
        parsed.y = bytes32(rest[242:]);
    }

    /// @notice keccak256("concordat/1/subject" ‖ x ‖ y ‖ dealer ‖ nonce): nobody else's key speaks for it.
    function subjectOf(Operation memory operation) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(SUBJECT_TAG, operation.x, operation.y, operation.dealer, operation.nonce)
        );
    }

    /// @notice WebAuthn over sha256(operation): type, challenge, user present and verified, signature with a low s. Not the relying
    ///         party: whoever holds the key may leave from anywhere, and the other parties take a withdrawal by the same rule.
    function isSigned(
        bytes calldata operation,
        IConsentRegistry.Assertion calldata assertion,
        bytes32 x,
        bytes32 y
    ) internal view returns (bool) {
        bytes calldata clientData = assertion.clientDataJSON;
        if (assertion.authenticatorData.length + clientData.length > MAX_ASSERTION_BYTES) return false;
        bytes memory challenge = abi.encodePacked(sha256(operation));
        // WebAuthn §5.8.1.2: every browser writes these members first, so that nobody has to parse JSON
        bytes memory start =
            bytes(string.concat('{"type":"webauthn.get","challenge":"', Base64.encodeURL(challenge), '"'));
        if (clientData.length < start.length || keccak256(clientData[:start.length]) != keccak256(start)) return false;
        return WebAuthn.verify(
            challenge,
            WebAuthn.WebAuthnAuth({
                r: assertion.r,
                s: assertion.s,
                challengeIndex: 23,
                typeIndex: 1,
                authenticatorData: assertion.authenticatorData,
                clientDataJSON: string(clientData)
            }),
            x,
            y
        );
    }

    /// An unsigned integer of CBOR, in its shortest form, from 1.
    function _seq(bytes calldata encoded) private pure returns (uint64) {
        uint256 first = uint8(encoded[0]);
        uint256 least;
        uint256 value = first;
        if (first < 24) least = 1;
        else if (first == 24) least = 24;
        else if (first == 25) least = 2 ** 8;
        else if (first == 26) least = 2 ** 16;
        else if (first == 27) least = 2 ** 32;
        else revert IConsentRegistry.OperationMalformed();

        uint256 length = first < 24 ? 0 : 1 << (first - 24);
        if (encoded.length != 1 + length) revert IConsentRegistry.OperationMalformed();
        if (length != 0) value = uint256(bytes32(encoded[1:])) >> (8 * (32 - length));
        if (value < least || value > MAX_SEQ) revert IConsentRegistry.OperationMalformed();
        return uint64(value);
    }
}
