// SPDX-License-Identifier: Apache-2.0
// What customers allowed: anchored consent roots, proven policy claims, and the buckets a dealer may train on.
pragma solidity ^0.8.24;

import {IFederation} from "./IFederation.sol";
import {IPolicyVerifier} from "./IPolicyVerifier.sol";

interface IConsentRegistry {
    struct AnchorRecord {
        bytes32 root;
        bytes32 bucketsRoot;
        bytes32 subjectsRoot;
        bytes32 logHead;
        uint64 epoch;
        uint64 operationCount;
        uint64 anchoredAt;
    }

    /// Customers with the same rules: a policy digest and the tree of its members.
    struct Bucket {
        uint256 digest;
        bytes32 membersRoot;
        uint64 memberCount;
    }

    /// What was proven of one policy for one requirement.
    struct Claim {
        bool proven;
        uint40 validUntil;
        uint16 accuracyFloorBps;
        uint32 privacyCapMilli;
    }

    /// The buckets admitted for one requirement under one anchored root, folded: the strictest bound of all.
    struct Selection {
        bytes32 root;
        uint64 memberCount;
        uint40 validUntil;
        uint16 accuracyFloorBps;
        uint32 privacyCapMilli;
    }

    event Anchored(
        address indexed dealer,
        uint64 indexed epoch,
        bytes32 root,
        bytes32 bucketsRoot,
        bytes32 subjectsRoot,
        bytes32 logHead,
        uint64 operationCount
    );
    event PoliciesAdmitted(
        address indexed dealer,
        bytes32 indexed requirementKey,
        uint40 validUntil,
        uint16 accuracyFloorBps,
        uint32 privacyCapMilli,
        uint256[] digests
    );
    event SelectionAdmitted(
        address indexed dealer,
        bytes32 indexed requirementKey,
        bytes32 root,
        uint64 memberCount,
        uint40 validUntil,
        uint16 accuracyFloorBps,
        uint32 privacyCapMilli,
        uint32 bucketCount
    );

    error NotADealer(address sender);
    error FederationPaused();
    error EpochNotNext(uint64 given, uint64 expected);
    error OperationCountFell(uint64 given, uint64 current);
    /// No operation was added, yet the log's head differs: two histories.
    error LogForked(bytes32 given, bytes32 current);
    error WitnessQuorumMissing(uint256 given, uint256 needed);
    error UnknownWitness(address signer);
    error DuplicateWitness(address signer);
    error SelfWitnessed(address dealer);
    error WitnessSignatureMalformed(uint256 position);
    /// A public signal is outside the scalar field or its bit width.
    error SignalOutOfRange(uint256 position);
    error WrongContext(uint256 given, uint256 expected);
    error NothingClaimed();
    error ProofInvalid();
    error NothingSelected();
    /// Leaf hashes must rise strictly: a bucket counts once.
    error BucketsNotAscending(uint256 position);
    error PolicyNotClaimed(uint256 digest);
    error BucketsNotUnderRoot(bytes32 bucketsRoot);

    /// @notice Makes a consent state the dealer's current one; every commit and selection under the last one is stale at once.
    /// @param epoch The last epoch plus one; the first is 1.
    /// @param operationCount Length of the consent log; never falls.
    /// @param witnessSignatures 65-byte ECDSA signatures over EIP-712 `Anchor`, one per distinct witness, in any order.
    function anchor(
        uint64 epoch,
        bytes32 bucketsRoot,
        bytes32 subjectsRoot,
        bytes32 logHead,
        uint64 operationCount,
        bytes[] calldata witnessSignatures
    ) external;

    /// @notice Records what a proof says of up to 16 policies. A later claim on the same policy and requirement replaces it.
    function admitPolicies(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[23] calldata publicSignals
    ) external;

    /// @notice Chooses the buckets to train on, under the dealer's current root. Replaces the last selection.
    /// @param buckets In ascending order of leaf hash.
    /// @param proof OpenZeppelin Merkle multiproof of their leaves, with `proofFlags`.
    function admitSelection(
        uint256 required0,
        uint256 required1,
        uint8 minEvidence,
        Bucket[] calldata buckets,
        bytes32[] calldata proof,
        bool[] calldata proofFlags
    ) external;

    function federation() external view returns (IFederation);
    function verifier() external view returns (IPolicyVerifier);
    function currentAnchor(address dealer) external view returns (AnchorRecord memory);
    function selectionOf(address dealer, bytes32 requirementKey) external view returns (Selection memory);
    function claimOf(address dealer, bytes32 requirementKey, uint256 digest) external view returns (Claim memory);
    /// @notice The current root and the selection, in one call: all that a commit needs.
    function standingOf(address dealer, bytes32 requirementKey)
        external
        view
        returns (bytes32 currentRoot, Selection memory selection);

    /// @notice The public input that ties a claim to this chain, this registry and one dealer.
    function claimContext(address dealer) external view returns (uint256);
    /// @notice What a witness signs (the EIP-712 digest).
    function anchorDigest(
        address dealer,
        uint64 epoch,
        bytes32 bucketsRoot,
        bytes32 subjectsRoot,
        bytes32 logHead,
        uint64 operationCount
    ) external view returns (bytes32);
}
