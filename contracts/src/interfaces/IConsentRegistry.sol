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

    /// A WebAuthn assertion: authenticatorData and clientDataJSON as the browser returned them, r and s of a low-s signature.
    struct Assertion {
        bytes authenticatorData;
        bytes clientDataJSON;
        bytes32 r;
        bytes32 s;
    }

    /// That a subject is in a bucket, and with which operation: member under bucket under bucketsRoot.
    struct Membership {
        bytes32 recordHash;
        uint64 seq;
        bytes32[] memberProof;
        Bucket bucket;
        bytes32[] bucketProof;
    }

    /// That a subject is in no bucket: (subject, 0, nextSubject) under subjectsRoot.
    struct Departure {
        bytes32 subject;
        bytes32 nextSubject;
        bytes32[] proof;
    }

    /// A forced withdrawal that the dealer has not yet acknowledged.
    struct PendingWithdrawal {
        bytes32 subject;
        /// Of the withdrawal.
        uint64 seq;
        /// Where its event stands: this registry, or one before it.
        uint64 blockNumber;
        address registry;
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

    /// The whole signed operation: the dealer takes it from here, and witnesses and auditors can check that it did.
    event ForcedWithdrawal(
        address indexed dealer,
        bytes32 indexed subject,
        uint64 seq,
        bytes operation,
        bytes authenticatorData,
        bytes clientDataJSON,
        bytes32 r,
        bytes32 s
    );
    /// @param epoch The anchor under which the subject is out, or under a later operation of its own.
    event ForcedWithdrawalAcknowledged(address indexed dealer, bytes32 indexed subject, uint64 epoch);

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
    /// Not the canonical CBOR of a consent operation.
    error OperationMalformed();
    /// The operation moves the subject to another policy; only a withdrawal (digest 0) can be forced.
    error NotAWithdrawal(uint256 newDigest);
    /// The operation names another subject than its key, dealer and nonce make.
    error WrongSubject(bytes32 given, bytes32 expected);
    error SubjectNotUnderRoot(bytes32 subject, bytes32 root);
    /// The subject's own log is at this sequence number or past it.
    error OperationStale(uint64 given, uint64 current);
    error PasskeyRefused();
    error AlreadyPending(address dealer, bytes32 subject);
    /// Customers were taken out on chain, and the dealer has not acknowledged it.
    error ForcedWithdrawalPending(address dealer, uint256 count);

    /// @notice Makes a consent state the dealer's current one; every commit and selection under the last one is stale at once.
    /// @param epoch The last epoch plus one; the first is 1. A dealer's log, epochs and all, goes on where the predecessor's registry
    ///              left it.
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

    /// @notice Records a withdrawal that a dealer does not take. Anyone may bring it, also while the federation is paused. Until it
    ///         is acknowledged the dealer neither selects nor commits. Its anchors are still taken: they carry the withdrawals of
    ///         other customers, and in the end this one.
    /// @param operation The bytes that the customer signed, digest 0.
    /// @param membership Where the subject stands under the dealer's current root. Its sequence number keeps a withdrawal that was
    ///                   taken long ago from being forced on a customer who has come back since.
    function forceWithdraw(bytes calldata operation, Assertion calldata assertion, Membership calldata membership) external;

    /// @notice Clears forced withdrawals whose subjects are in no bucket under the dealer's current root. Anyone may; those that are
    ///         not pending are passed over.
    function acknowledge(address dealer, Departure[] calldata departures) external;

    /// @notice Clears a forced withdrawal whose subject is under the dealer's current root with a later operation of its own: it has
    ///         come back. Anyone may; nothing happens when it is not pending.
    function acknowledgeReturn(address dealer, bytes32 subject, Membership calldata membership) external;

    function federation() external view returns (IFederation);
    function verifier() external view returns (IPolicyVerifier);
    /// @notice The registry that this one carries on; zero for the first of its line.
    function predecessor() external view returns (IConsentRegistry);
    /// @notice The dealer's last anchor, here or, until its first one here, in the registries before this.
    function currentAnchor(address dealer) external view returns (AnchorRecord memory);
    function selectionOf(address dealer, bytes32 requirementKey) external view returns (Selection memory);
    function claimOf(address dealer, bytes32 requirementKey, uint256 digest) external view returns (Claim memory);
    /// @notice Whether the dealer has anchored in this registry: it neither selects nor commits before.
    function hasAnchored(address dealer) external view returns (bool);
    /// @notice The current root, if anchored in this registry, the forced withdrawals not yet acknowledged and the selection: all that a commit needs.
    function standingOf(address dealer, bytes32 requirementKey)
        external
        view
        returns (bytes32 currentRoot, uint256 pending, Selection memory selection);
    /// @notice Forced withdrawals not yet acknowledged; those made in the registries before this are among them.
    function pendingCount(address dealer) external view returns (uint256);
    /// @notice Sequence number of the subject's forced withdrawal; zero when none is pending.
    function pendingSeq(address dealer, bytes32 subject) external view returns (uint64);
    function pendingWithdrawals(address dealer) external view returns (PendingWithdrawal[] memory);

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
