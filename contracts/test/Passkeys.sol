// SPDX-License-Identifier: Apache-2.0
// Customers with passkeys: signed withdrawals, and the trees in which a dealer has its customers.
pragma solidity ^0.8.24;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {BucketTree} from "./BucketTree.sol";
import {Consent} from "./Consent.sol";
import {VM} from "./Vm.sol";

abstract contract Passkeys is Consent {
    /// One customer in a dealer's trees; digest 0: in no bucket.
    struct Place {
        uint256 digest;
        uint64 seq;
    }

    struct Operation {
        bytes seq;
        bytes32 nonce;
        address dealer;
        bytes32 subject;
        uint256 newDigest;
        uint256 oldDigest;
        bytes32 x;
        bytes32 y;
        bytes32 recordHash;
    }

    uint256 internal constant CUSTOMERS = 2;
    uint256 internal constant P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;
    bytes32 internal constant RECORD = keccak256("CSA record");
    /// Somebody who is always there, so that something is left to select.
    uint256 internal constant OTHERS = 9;

    function _passkey(uint256 customer) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("passkey", customer))) % (P256_ORDER - 1) + 1;
    }

    function _withdrawal(address dealer, uint256 customer, uint64 seq) internal pure returns (Operation memory o) {
        o.seq = _cborOf(seq);
        o.nonce = keccak256(abi.encode("nonce", customer));
        o.dealer = dealer;
        (uint256 x, uint256 y) = VM.publicKeyP256(_passkey(customer));
        (o.x, o.y) = (bytes32(x), bytes32(y));
        o.subject = _subjectOf(dealer, customer);
        o.oldDigest = 1 + customer;
        o.recordHash = RECORD;
    }

    function _subjectOf(address dealer, uint256 customer) internal pure returns (bytes32) {
        (uint256 x, uint256 y) = VM.publicKeyP256(_passkey(customer));
        return
            keccak256(abi.encodePacked("concordat/1/subject", x, y, dealer, keccak256(abi.encode("nonce", customer))));
    }

    /// RFC 8949 §4.2.1: the shortest form.
    function _cborOf(uint64 value) internal pure returns (bytes memory) {
        if (value < 24) return abi.encodePacked(uint8(value));
        if (value < 1 << 8) return abi.encodePacked(uint8(24), uint8(value));
        if (value < 1 << 16) return abi.encodePacked(uint8(25), uint16(value));
        if (value < 1 << 32) return abi.encodePacked(uint8(26), uint32(value));
        return abi.encodePacked(uint8(27), value);
    }

    function _encode(Operation memory o) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(hex"a9617675", "concordat/1/operation", hex"63", "seq", o.seq);
        bytes memory who = abi.encodePacked(
            hex"65",
            "nonce",
            hex"5820",
            o.nonce,
            hex"66",
            "dealer",
            hex"54",
            o.dealer,
            hex"67",
            "subject",
            hex"5820",
            o.subject
        );
        bytes memory digests = abi.encodePacked(
            hex"69", "newDigest", hex"5820", o.newDigest, hex"69", "oldDigest", hex"5820", o.oldDigest
        );
        bytes memory key =
            abi.encodePacked(hex"69", "publicKey", hex"5840", o.x, o.y, hex"6a", "recordHash", hex"5820", o.recordHash);
        return bytes.concat(head, who, digests, key);
    }

    function _assert(bytes memory operation, uint256 customer)
        internal
        pure
        returns (IConsentRegistry.Assertion memory)
    {
        return _assert(operation, customer, 5, "webauthn.get");
    }

    /// @param flags 1: present, 4: verified.
    function _assert(bytes memory operation, uint256 customer, uint8 flags, string memory kind)
        internal
        pure
        returns (IConsentRegistry.Assertion memory a)
    {
        a.authenticatorData = abi.encodePacked(sha256("consent.example"), flags, uint32(7));
        a.clientDataJSON = abi.encodePacked(
            '{"type":"',
            kind,
            '","challenge":"',
            Base64.encodeURL(abi.encodePacked(sha256(operation))),
            '","origin":"https://consent.example","crossOrigin":false}'
        );
        bytes32 digest = sha256(bytes.concat(a.authenticatorData, sha256(a.clientDataJSON)));
        (a.r, a.s) = VM.signP256(_passkey(customer), digest);
        if (uint256(a.s) > P256_ORDER / 2) a.s = bytes32(P256_ORDER - uint256(a.s));
    }

    function _leaf(bytes memory encoded) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(encoded)));
    }

    function _memberLeaf(address dealer, uint256 customer, uint64 seq) internal pure returns (bytes32) {
        return _leaf(abi.encode(_subjectOf(dealer, customer), RECORD, seq));
    }

    /// A bucket for each customer who is there, whose only member it is, and one of others.
    function _bucketsOf(address dealer, Place[CUSTOMERS] memory places)
        internal
        pure
        returns (IConsentRegistry.Bucket[] memory buckets)
    {
        uint256 count = 1;
        buckets = new IConsentRegistry.Bucket[](CUSTOMERS + 1);
        buckets[0] = IConsentRegistry.Bucket(OTHERS, keccak256("others"), 5);
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            if (places[i].digest == 0) continue;
            buckets[count++] = IConsentRegistry.Bucket(places[i].digest, _memberLeaf(dealer, i, places[i].seq), 1);
        }
        assembly ("memory-safe") {
            mstore(buckets, count)
        }
        BucketTree.sort(buckets);
    }

    /// Proof of one bucket, by its digest.
    function _bucketOf(IConsentRegistry.Bucket[] memory buckets, uint256 digest)
        internal
        pure
        returns (BucketTree.Multiproof memory)
    {
        uint256 i = 0;
        while (buckets[i].digest != digest) i++;
        return BucketTree.prove(buckets, 1 << i);
    }

    function _subjectLeaf(address dealer, uint256 customer, uint256 digest) internal pure returns (bytes32) {
        uint256 next = type(uint256).max - customer;
        return _leaf(abi.encode(_subjectOf(dealer, customer), digest, next));
    }

    function _peopleState(address dealer, uint64 epoch, Place[CUSTOMERS] memory places)
        internal
        pure
        returns (State memory s)
    {
        s = _state(dealer, epoch, 0);
        s.bucketsRoot = BucketTree.nodesOf(_bucketsOf(dealer, places))[0];
        s.subjectsRoot =
            BucketTree.hashPair(_subjectLeaf(dealer, 0, places[0].digest), _subjectLeaf(dealer, 1, places[1].digest));
    }

    /// @param seq Of the operation that the member is said to be there with.
    function _membership(address dealer, Place[CUSTOMERS] memory places, uint256 customer, uint64 seq)
        internal
        pure
        returns (IConsentRegistry.Membership memory m)
    {
        uint256 digest = places[customer].digest;
        BucketTree.Multiproof memory proof = _bucketOf(_bucketsOf(dealer, places), digest == 0 ? OTHERS : digest);
        m.recordHash = RECORD;
        m.seq = seq;
        m.bucket = proof.buckets[0];
        m.bucketProof = proof.proof;
        m.memberProof = new bytes32[](0);
    }

    function _departure(address dealer, Place[CUSTOMERS] memory places, uint256 customer)
        internal
        pure
        returns (IConsentRegistry.Departure memory d)
    {
        d.subject = _subjectOf(dealer, customer);
        d.nextSubject = bytes32(type(uint256).max - customer);
        d.proof = new bytes32[](1);
        d.proof[0] = _subjectLeaf(dealer, 1 - customer, places[1 - customer].digest);
    }
}
