// SPDX-License-Identifier: Apache-2.0
// Anchored consent roots, proven policy claims, and the selection of buckets a dealer may train on.
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {PendingWithdrawals} from "./PendingWithdrawals.sol";
import {Requirement} from "./Requirement.sol";
import {Withdrawal} from "./Withdrawal.sol";
import {Params} from "./generated/Params.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IFederation} from "./interfaces/IFederation.sol";
import {IPolicyVerifier} from "./interfaces/IPolicyVerifier.sol";

contract ConsentRegistry is PendingWithdrawals {
    bytes32 private constant ANCHOR_TYPEHASH = keccak256(
        "Anchor(address dealer,uint64 epoch,bytes32 bucketsRoot,bytes32 subjectsRoot,bytes32 logHead,uint64 operationCount)"
    );
    bytes32 private constant ANCHOR_TAG = keccak256(bytes(string.concat(Params.PROTOCOL_VERSION, "/anchor")));
    bytes32 private constant CLAIM_TAG = keccak256(bytes(string.concat(Params.PROTOCOL_VERSION, "/policy-claim")));

    // Positions of the public signals.
    uint256 private constant CTX = 0;
    uint256 private constant REQUIRED_0 = 1;
    uint256 private constant REQUIRED_1 = 2;
    uint256 private constant MIN_EVIDENCE = 3;
    uint256 private constant VALID_UNTIL = 4;
    uint256 private constant ACCURACY_FLOOR = 5;
    uint256 private constant PRIVACY_CAP = 6;
    uint256 private constant FIRST_DIGEST = 7;
    uint256 private constant SIGNALS = FIRST_DIGEST + Params.POLICIES_PER_PROOF;

    IFederation public immutable federation;
    IPolicyVerifier public immutable verifier;

    mapping(address dealer => AnchorRecord) private _anchors;
    mapping(address dealer => mapping(bytes32 requirementKey => Selection)) private _selections;
    mapping(address dealer => mapping(bytes32 requirementKey => mapping(uint256 digest => Claim))) private _claims;

    constructor(IFederation federation_, IPolicyVerifier verifier_) PendingWithdrawals(federation_) {
        federation = federation_;
        verifier = verifier_;
    }

    modifier onlyDealer() {
        if (!federation.isDealer(msg.sender)) revert NotADealer(msg.sender);
        _;
    }

    /// @custom:property P-28 Anchors, forced withdrawals and acknowledgements are taken by one registry of a line at a time.
    modifier whenInForce() {
        _requireInForce();
        _;
    }

    modifier whenRunning() {
        if (federation.paused()) revert FederationPaused();
        _;
    }

    /// @inheritdoc IConsentRegistry
    /// @custom:property P-05 Epochs of a dealer are 1, 2, 3, … without a gap, and its log never shrinks or forks.
    /// @custom:property P-06 Every anchor carries a quorum of distinct registered witnesses, none of them the dealer.
    /// @custom:property P-07 An anchor, and so a withdrawal, is taken even while the federation is paused.
    /// @custom:property P-29 A dealer's first anchor here is the one after its last under the predecessor.
    function anchor(
        uint64 epoch,
        bytes32 bucketsRoot,
        bytes32 subjectsRoot,
        bytes32 logHead,
        uint64 operationCount,
        bytes[] calldata witnessSignatures
    ) external onlyDealer whenInForce {
        _requireNext(epoch, logHead, operationCount);
        _requireQuorum(
            anchorDigest(msg.sender, epoch, bucketsRoot, subjectsRoot, logHead, operationCount), witnessSignatures
        );

        bytes32 root = keccak256(
            abi.encode(ANCHOR_TAG, msg.sender, epoch, bucketsRoot, subjectsRoot, logHead, operationCount)
        );
        if (_isUnmoved(msg.sender)) _inherit(msg.sender);
        _anchors[msg.sender] = AnchorRecord({
            root: root,
            bucketsRoot: bucketsRoot,
            subjectsRoot: subjectsRoot,
            logHead: logHead,
            epoch: epoch,
            operationCount: operationCount,
            anchoredAt: uint64(block.timestamp)
        });
        emit Anchored(msg.sender, epoch, root, bucketsRoot, subjectsRoot, logHead, operationCount);
    }

    /// @inheritdoc IConsentRegistry
    /// @custom:property P-08 A claim is stored only for the sender, on this chain and registry, by a proof that verifies.
    /// @custom:property P-09 No stored bound, and no signal, is outside its range.
    function admitPolicies(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[23] calldata publicSignals
    ) external onlyDealer whenRunning {
        _requireRanges(publicSignals);
        uint256 expected = claimContext(msg.sender);
        if (publicSignals[CTX] != expected) revert WrongContext(publicSignals[CTX], expected);
        // The verifier returns false, also when starved of gas; it does not revert.
        if (!verifier.verifyProof(a, b, c, publicSignals)) revert ProofInvalid();

        bytes32 key =
            Requirement.key(publicSignals[REQUIRED_0], publicSignals[REQUIRED_1], publicSignals[MIN_EVIDENCE]);
        Claim memory claim = Claim({
            proven: true,
            validUntil: uint40(publicSignals[VALID_UNTIL]),
            accuracyFloorBps: uint16(publicSignals[ACCURACY_FLOOR]),
            privacyCapMilli: uint32(publicSignals[PRIVACY_CAP])
        });
        uint256[] memory digests = _store(key, claim, publicSignals);
        emit PoliciesAdmitted(
            msg.sender, key, claim.validUntil, claim.accuracyFloorBps, claim.privacyCapMilli, digests
        );
    }

    /// @inheritdoc IConsentRegistry
    /// @custom:property P-25 No selection while a forced withdrawal is not acknowledged.
    /// @custom:property P-10 A selection holds only buckets under the dealer's current root, each once, each claimed for
    ///                       exactly this requirement; its bounds are the strictest of theirs.
    function admitSelection(
        uint256 required0,
        uint256 required1,
        uint8 minEvidence,
        Bucket[] calldata buckets,
        bytes32[] calldata proof,
        bool[] calldata proofFlags
    ) external onlyDealer whenRunning {
        _requireNothingPending(msg.sender);
        if (buckets.length == 0) revert NothingSelected();
        bytes32 key = Requirement.key(required0, required1, minEvidence);
        (bytes32[] memory leaves, Selection memory selection) = _fold(key, buckets);

        AnchorRecord storage current = _anchors[msg.sender];
        bytes32 bucketsRoot = current.bucketsRoot;
        if (!MerkleProof.multiProofVerifyCalldata(proof, proofFlags, bucketsRoot, leaves)) {
            revert BucketsNotUnderRoot(bucketsRoot);
        }
        selection.root = current.root;
        _selections[msg.sender][key] = selection;
        _emitSelection(key, selection, uint32(buckets.length));
    }

    /// @inheritdoc IConsentRegistry
    /// @custom:property P-23 Only a member of a bucket under the dealer's current root is forced out, only by its own passkey, only by
    ///                       an operation later than the one it is there with, and once at a time.
    /// @custom:property P-24 A withdrawal is forced even while the federation is paused, and after the dealer was removed.
    function forceWithdraw(bytes calldata operation, Assertion calldata assertion, Membership calldata membership)
        external
        whenInForce
    {
        Withdrawal.Operation memory parsed = Withdrawal.parse(operation);
        if (parsed.newDigest != 0) revert NotAWithdrawal(parsed.newDigest);
        bytes32 subject = Withdrawal.subjectOf(parsed);
        if (subject != parsed.subject) revert WrongSubject(parsed.subject, subject);
        _requireMember(currentAnchor(parsed.dealer).bucketsRoot, subject, membership);
        if (parsed.seq <= membership.seq) revert OperationStale(parsed.seq, membership.seq);
        _force(parsed.dealer, subject, parsed.seq);
        if (!Withdrawal.isSigned(operation, assertion, parsed.x, parsed.y)) revert PasskeyRefused();

        emit ForcedWithdrawal(
            parsed.dealer,
            subject,
            parsed.seq,
            operation,
            assertion.authenticatorData,
            assertion.clientDataJSON,
            assertion.r,
            assertion.s
        );
    }

    /// @inheritdoc IConsentRegistry
    /// @custom:property P-26 A forced withdrawal is cleared only by proof, under the dealer's current root, that the subject is in no
    ///                       bucket, or there with a later operation of its own.
    /// @custom:property P-30 One that was forced under the predecessor is cleared only by a root that is anchored here.
    function acknowledge(address dealer, Departure[] calldata departures) external whenInForce {
        bytes32 root = _anchors[dealer].subjectsRoot;
        for (uint256 i = 0; i < departures.length; i++) {
            Departure calldata gone = departures[i];
            bytes32 leaf = _leaf(abi.encode(gone.subject, uint256(0), gone.nextSubject));
            if (!MerkleProof.verifyCalldata(gone.proof, root, leaf)) revert SubjectNotUnderRoot(gone.subject, root);
            _clear(dealer, gone.subject);
        }
    }

    /// @inheritdoc IConsentRegistry
    function acknowledgeReturn(address dealer, bytes32 subject, Membership calldata membership) external whenInForce {
        _requireMember(_anchors[dealer].bucketsRoot, subject, membership);
        uint64 seq = pendingSeq(dealer, subject);
        if (membership.seq <= seq) revert OperationStale(membership.seq, seq);
        _clear(dealer, subject);
    }

    function currentAnchor(address dealer) public view returns (AnchorRecord memory) {
        return _isUnmoved(dealer) ? predecessor.currentAnchor(dealer) : _anchors[dealer];
    }

    function hasAnchored(address dealer) public view override returns (bool) {
        return _anchors[dealer].epoch != 0;
    }

    function selectionOf(address dealer, bytes32 requirementKey) external view returns (Selection memory) {
        return _selections[dealer][requirementKey];
    }

    function claimOf(address dealer, bytes32 requirementKey, uint256 digest) external view returns (Claim memory) {
        return _claims[dealer][requirementKey][digest];
    }

    function standingOf(address dealer, bytes32 requirementKey)
        external
        view
        returns (bytes32 currentRoot, uint256 pending, Selection memory selection)
    {
        return (_anchors[dealer].root, _owed(dealer), _selections[dealer][requirementKey]);
    }

    function claimContext(address dealer) public view returns (uint256) {
        return uint256(keccak256(abi.encode(CLAIM_TAG, block.chainid, address(this), dealer))) % Params.SCALAR_FIELD;
    }

    function anchorDigest(
        address dealer,
        uint64 epoch,
        bytes32 bucketsRoot,
        bytes32 subjectsRoot,
        bytes32 logHead,
        uint64 operationCount
    ) public view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(ANCHOR_TYPEHASH, dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount)
        );
        return MessageHashUtils.toTypedDataHash(federation.domainSeparator(), structHash);
    }

    /// Once in the bytecode, not in each of four functions.
    function _requireInForce() private view {
        federation.requireInForce();
    }

    function _requireQuorum(bytes32 digest, bytes[] calldata signatures) private view {
        uint256 needed = federation.parameters().witnessQuorum;
        if (signatures.length < needed) revert WitnessQuorumMissing(signatures.length, needed);
        address[] memory seen = new address[](signatures.length);
        for (uint256 i = 0; i < signatures.length; i++) {
            (address signer, ECDSA.RecoverError fault,) = ECDSA.tryRecoverCalldata(digest, signatures[i]);
            if (fault != ECDSA.RecoverError.NoError) revert WitnessSignatureMalformed(i);
            if (signer == msg.sender) revert SelfWitnessed(msg.sender);
            if (!federation.isWitness(signer)) revert UnknownWitness(signer);
            // Quadratic, over a handful; it keeps the order of the signatures free.
            for (uint256 j = 0; j < i; j++) {
                if (seen[j] == signer) revert DuplicateWitness(signer);
            }
            seen[i] = signer;
        }
    }

    function _requireNothingPending(address dealer) private view {
        uint256 count = _owed(dealer);
        if (count != 0) revert ForcedWithdrawalPending(dealer, count);
    }

    function _requireNext(uint64 epoch, bytes32 logHead, uint64 operationCount) private view {
        AnchorRecord memory last = currentAnchor(msg.sender);
        if (epoch != last.epoch + 1) revert EpochNotNext(epoch, last.epoch + 1);
        if (operationCount < last.operationCount) revert OperationCountFell(operationCount, last.operationCount);
        if (operationCount == last.operationCount && last.epoch != 0 && logHead != last.logHead) {
            revert LogForked(logHead, last.logHead);
        }
    }

    /// A dealer without an anchor has no root, and under no root there is nobody.
    function _requireMember(bytes32 root, bytes32 subject, Membership calldata membership) private pure {
        bytes32 member = _leaf(abi.encode(subject, membership.recordHash, membership.seq));
        bytes32 bucket = _bucketLeaf(membership.bucket);
        bool under = MerkleProof.verifyCalldata(membership.memberProof, membership.bucket.membersRoot, member)
            && MerkleProof.verifyCalldata(membership.bucketProof, root, bucket);
        if (!under) revert SubjectNotUnderRoot(subject, root);
    }

    function _clear(address dealer, bytes32 subject) private {
        if (_settle(dealer, subject)) emit ForcedWithdrawalAcknowledged(dealer, subject, _anchors[dealer].epoch);
    }

    /// Hashed twice, so that a leaf cannot pose as an inner node.
    function _leaf(bytes memory encoded) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(encoded)));
    }

    function _bucketLeaf(Bucket calldata bucket) private pure returns (bytes32) {
        return _leaf(abi.encode(bucket.digest, bucket.membersRoot, bucket.memberCount));
    }

    function _requireRanges(uint256[23] calldata signals) private pure {
        for (uint256 i = 0; i < SIGNALS; i++) {
            if (signals[i] >= Params.SCALAR_FIELD) revert SignalOutOfRange(i);
        }
        _requireBits(signals, REQUIRED_0, Params.GRANT_BITS_PER_WORD);
        _requireBits(signals, REQUIRED_1, Params.GRANT_BITS_PER_WORD);
        _requireBits(signals, MIN_EVIDENCE, Params.EVIDENCE_BITS);
        _requireBits(signals, VALID_UNTIL, Params.EXPIRY_BITS);
        _requireBits(signals, ACCURACY_FLOOR, Params.ACCURACY_FLOOR_BITS);
        _requireBits(signals, PRIVACY_CAP, Params.PRIVACY_CAP_BITS);
    }

    function _requireBits(uint256[23] calldata signals, uint256 position, uint256 bits) private pure {
        if (signals[position] >> bits != 0) revert SignalOutOfRange(position);
    }

    /// Digest 0 is an unused slot. Returns the used ones, in order.
    function _store(bytes32 key, Claim memory claim, uint256[23] calldata signals)
        private
        returns (uint256[] memory digests)
    {
        mapping(uint256 digest => Claim) storage claims = _claims[msg.sender][key];
        digests = new uint256[](Params.POLICIES_PER_PROOF);
        uint256 used = 0;
        for (uint256 i = FIRST_DIGEST; i < SIGNALS; i++) {
            if (signals[i] == 0) continue;
            claims[signals[i]] = claim;
            digests[used++] = signals[i];
        }
        if (used == 0) revert NothingClaimed();
        assembly ("memory-safe") {
            mstore(digests, used)
        }
    }

    /// Apart, for the compiler's stack.
    function _emitSelection(bytes32 key, Selection memory selection, uint32 bucketCount) private {
        emit SelectionAdmitted(
            msg.sender,
            key,
            selection.root,
            selection.memberCount,
            selection.validUntil,
            selection.accuracyFloorBps,
            selection.privacyCapMilli,
            bucketCount
        );
    }

    /// Leaves of the buckets, and their bounds folded into one: earliest end, highest floor, lowest cap, all members.
    function _fold(bytes32 key, Bucket[] calldata buckets)
        private
        view
        returns (bytes32[] memory leaves, Selection memory selection)
    {
        mapping(uint256 digest => Claim) storage claims = _claims[msg.sender][key];
        leaves = new bytes32[](buckets.length);
        selection.validUntil = type(uint40).max;
        selection.privacyCapMilli = type(uint32).max;
        bytes32 previous = 0;
        for (uint256 i = 0; i < buckets.length; i++) {
            Bucket calldata bucket = buckets[i];
            bytes32 leaf = _bucketLeaf(bucket);
            if (leaf <= previous) revert BucketsNotAscending(i);
            previous = leaf;
            leaves[i] = leaf;

            Claim memory claim = claims[bucket.digest];
            if (!claim.proven) revert PolicyNotClaimed(bucket.digest);
            selection.memberCount += bucket.memberCount;
            if (claim.validUntil < selection.validUntil) selection.validUntil = claim.validUntil;
            if (claim.accuracyFloorBps > selection.accuracyFloorBps) selection.accuracyFloorBps = claim.accuracyFloorBps;
            if (claim.privacyCapMilli < selection.privacyCapMilli) selection.privacyCapMilli = claim.privacyCapMilli;
        }
    }
}
