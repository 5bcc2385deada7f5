// SPDX-License-Identifier: Apache-2.0
// What a dealer sends to the registry, built without the registry's help: signed states, claims, buckets.
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {Params} from "../src/generated/Params.sol";
import {BucketTree} from "./BucketTree.sol";
import {World} from "./World.sol";
import {VM} from "./Vm.sol";

abstract contract Consent is World {
    struct State {
        address dealer;
        uint64 epoch;
        bytes32 bucketsRoot;
        bytes32 subjectsRoot;
        bytes32 logHead;
        uint64 operationCount;
    }

    struct Requirement {
        uint256 required0;
        uint256 required1;
        uint256 minEvidence;
    }

    struct Proof {
        uint256[2] a;
        uint256[2][2] b;
        uint256[2] c;
    }

    uint256 internal constant CHAIN_ID = 31337;
    uint256 internal constant REQUIREMENTS = 3;
    uint256 internal constant SETS = 4;
    uint256 internal constant LARGEST_SET = 8;

    function _requirement(uint256 which) internal pure returns (Requirement memory) {
        if (which == 0) return Requirement(1 | (1 << 20), 0, 1);
        if (which == 1) return Requirement(0xffff, 1 << 95, 2);
        return Requirement(1 << 15, 5, 3);
    }

    function _keyOf(Requirement memory r) internal pure returns (bytes32) {
        return keccak256(abi.encode(r.required0, r.required1, r.minEvidence));
    }

    /// 1, 3, 6 or 8 buckets, sorted; digests from 1.
    function _bucketSet(uint256 which) internal pure returns (IConsentRegistry.Bucket[] memory) {
        return _buckets(which == 0 ? 1 : which == 1 ? 3 : which == 2 ? 6 : LARGEST_SET, which);
    }

    function _buckets(uint256 count, uint256 salt) internal pure returns (IConsentRegistry.Bucket[] memory set) {
        set = new IConsentRegistry.Bucket[](count);
        for (uint256 i = 0; i < count; i++) {
            uint256 digest = i + 1;
            set[i] = IConsentRegistry.Bucket(
                digest, keccak256(abi.encode("members", digest, salt)), uint64(1 + (digest * 7 + salt) % 13)
            );
        }
        BucketTree.sort(set);
    }

    function _state(address dealer, uint64 epoch, uint256 set) internal pure returns (State memory) {
        bytes32 root = BucketTree.nodesOf(_bucketSet(set))[0];
        return State(
            dealer,
            epoch,
            root,
            keccak256(abi.encode("subjects", epoch)),
            keccak256(abi.encode("log", epoch)),
            10 * epoch
        );
    }

    function _rootOf(State memory s) internal pure returns (bytes32) {
        bytes32 tag = keccak256("concordat/1/anchor");
        return keccak256(abi.encode(tag, s.dealer, s.epoch, s.bucketsRoot, s.subjectsRoot, s.logHead, s.operationCount));
    }

    /// EIP-712, from its text.
    function _digestOf(State memory s, uint256 chainId, address verifyingContract) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Concordat"),
                keccak256("1"),
                chainId,
                verifyingContract
            )
        );
        bytes32 typeHash = keccak256(
            "Anchor(address dealer,uint64 epoch,bytes32 bucketsRoot,bytes32 subjectsRoot,bytes32 logHead,uint64 operationCount)"
        );
        bytes32 structHash = keccak256(
            abi.encode(typeHash, s.dealer, s.epoch, s.bucketsRoot, s.subjectsRoot, s.logHead, s.operationCount)
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _digestOf(State memory s) internal view returns (bytes32) {
        return _digestOf(s, CHAIN_ID, address(federation));
    }

    function _signature(uint256 party, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(keyOf(party), digest);
        return abi.encodePacked(r, s, v);
    }

    /// By the first witnesses of the world.
    function _quorum(State memory s) internal view virtual returns (bytes[] memory signatures) {
        signatures = new bytes[](QUORUM);
        for (uint256 i = 0; i < QUORUM; i++) {
            signatures[i] = _signature(FIRST_WITNESS + i, _digestOf(s));
        }
    }

    function _anchorCall(State memory s, bytes[] memory signatures) internal pure returns (bytes memory) {
        return abi.encodeCall(
            IConsentRegistry.anchor, (s.epoch, s.bucketsRoot, s.subjectsRoot, s.logHead, s.operationCount, signatures)
        );
    }

    function _context(uint256 chainId, address verifyingContract, address dealer) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(keccak256("concordat/1/policy-claim"), chainId, verifyingContract, dealer)))
            % Params.SCALAR_FIELD;
    }

    function _signals(address dealer, Requirement memory r, uint256 validUntil, uint256 floor, uint256 cap)
        internal
        view
        returns (uint256[23] memory signals)
    {
        signals[0] = _context(CHAIN_ID, address(registry), dealer);
        signals[1] = r.required0;
        signals[2] = r.required1;
        signals[3] = r.minEvidence;
        signals[4] = validUntil;
        signals[5] = floor;
        signals[6] = cap;
    }

    function _proof(uint256 salt) internal pure returns (Proof memory proof) {
        proof.a = [salt, 1];
        proof.b = [[uint256(2), 3], [uint256(4), 5]];
        proof.c = [uint256(6), 7];
    }

    function _hashOf(Proof memory p, uint256[23] memory signals) internal pure returns (bytes32) {
        return keccak256(abi.encode(p.a, p.b, p.c, signals));
    }

    function _claimCall(Proof memory p, uint256[23] memory signals) internal pure returns (bytes memory) {
        return abi.encodeCall(IConsentRegistry.admitPolicies, (p.a, p.b, p.c, signals));
    }

    function _selectCall(Requirement memory r, BucketTree.Multiproof memory m) internal pure returns (bytes memory) {
        return abi.encodeCall(
            IConsentRegistry.admitSelection,
            (r.required0, r.required1, uint8(r.minEvidence), m.buckets, m.proof, m.flags)
        );
    }

    /// Anchor, claim, selection of a whole set: from here on the dealer's commits stand.
    function _consent(uint256 party, uint256 set, Requirement memory r, uint256 validUntil, uint256 floor, uint256 cap)
        internal
        returns (bytes32 root, uint64 members)
    {
        address dealer = parties[party];
        State memory s = _state(dealer, registry.currentAnchor(dealer).epoch + 1, set);
        _mustAs(dealer, address(registry), _anchorCall(s, _quorum(s)));
        IConsentRegistry.Bucket[] memory buckets = _bucketSet(set);
        uint256[23] memory signals = _signals(dealer, r, validUntil, floor, cap);
        for (uint256 i = 0; i < buckets.length; i++) {
            signals[7 + i] = buckets[i].digest;
            members += buckets[i].memberCount;
        }
        Proof memory p = _proof(1);
        verifier.accept(_hashOf(p, signals));
        _mustAs(dealer, address(registry), _claimCall(p, signals));
        _mustAs(dealer, address(registry), _selectCall(r, BucketTree.prove(buckets, (1 << buckets.length) - 1)));
        return (_rootOf(s), members);
    }
}
