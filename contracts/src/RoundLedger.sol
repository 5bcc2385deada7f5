// SPDX-License-Identifier: Apache-2.0
// The rounds of a federation: every commit is checked against live consent, every set is fixed once.
pragma solidity ^0.8.24;

import {Requirement} from "./Requirement.sol";
import {Params} from "./generated/Params.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IFederation} from "./interfaces/IFederation.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";

contract RoundLedger is IRoundLedger {
    IFederation public immutable federation;
    IConsentRegistry public immutable registry;
    IRoundLedger public immutable predecessor;

    /// Zero before the first round here.
    uint64 private _lastRound;
    mapping(uint64 round => Round) private _rounds;
    mapping(uint64 round => mapping(address dealer => Commitment)) private _commitments;
    mapping(bytes32 taskHash => Attestation) private _attestations;
    mapping(bytes32 taskHash => bytes32) private _lastModels;

    constructor(IFederation federation_, IConsentRegistry registry_) {
        federation = federation_;
        registry = registry_;
        address before = federation_.predecessor();
        if (before != address(0)) predecessor = IRoundLedger(IFederation(before).ledger());
    }

    modifier onlyCoordinator() {
        if (msg.sender != federation.coordinator()) revert NotTheCoordinator(msg.sender);
        _;
    }

    /// @custom:property P-20 Nothing but failRound goes on here while the federation is paused.
    modifier whenRunning() {
        if (federation.paused()) revert FederationPaused();
        _;
    }

    /// @inheritdoc IRoundLedger
    /// @custom:property P-11 A round starts from the model its task published last.
    /// @custom:property P-12 Every round asks for model-training and for an evidence level.
    /// @custom:property P-22 A round's keys are those in force when it opened, and never change after.
    /// @custom:property P-28 Rounds are opened by one ledger of a line at a time.
    /// @custom:property P-31 The numbers of rounds, and the models of a task, go on where the predecessor's ledger left them.
    function openRound(
        bytes32 taskHash,
        uint256 required0,
        uint256 required1,
        uint8 minEvidence,
        bytes32 baseModelHash,
        uint32 epsilonAfterMilli,
        uint64 deadline
    ) external onlyCoordinator whenRunning returns (uint64 round) {
        if (!Requirement.isValid(required0, required1, minEvidence)) revert RequirementInvalid();
        if (epsilonAfterMilli >> Params.PRIVACY_CAP_BITS != 0) revert EpsilonOutOfRange(epsilonAfterMilli);
        if (deadline <= block.timestamp) revert DeadlinePassed(deadline);
        if (deadline > block.timestamp + Params.MAX_ROUND_SECONDS) revert DeadlineTooFar(deadline);
        federation.requireInForce();
        _requireBase(taskHash, baseModelHash);

        round = roundCount() + 1;
        _lastRound = round;
        Round storage r = _rounds[round];
        r.taskHash = taskHash;
        r.requirementKey = Requirement.key(required0, required1, minEvidence);
        r.baseModelHash = baseModelHash;
        r.seed = keccak256(abi.encode(blockhash(block.number - 1), address(this), round));
        r.deadline = deadline;
        r.openedAtBlock = uint64(block.number);
        r.epsilonAfterMilli = epsilonAfterMilli;
        r.keysHash = federation.keysHash();
        r.status = Status.Open;
        emit RoundOpened(
            round, taskHash, r.requirementKey, baseModelHash, r.seed, deadline, epsilonAfterMilli, r.keysHash
        );
    }

    /// @inheritdoc IRoundLedger
    /// @custom:property P-21 Constant cost, however many customers and policies stand behind the selection.
    /// @custom:property P-13 Only a registered dealer commits, to an open round, before its deadline, with a rising attempt.
    function commit(
        uint64 round,
        uint32 attempt,
        bytes32 anchoredRoot,
        bytes32 payloadHash,
        bytes32 sharesRoot,
        bytes32 recordsRoot,
        uint32 weight
    ) external whenRunning {
        if (!federation.isDealer(msg.sender)) revert NotADealer(msg.sender);
        Round storage r = _rounds[round];
        if (r.status != Status.Open) revert RoundNotOpen(round);
        if (block.timestamp >= r.deadline) revert DeadlinePassed(r.deadline);
        Commitment storage commitment = _commitments[round][msg.sender];
        if (attempt <= commitment.attempt) revert AttemptNotRising(attempt, commitment.attempt);
        _requireConsent(r, anchoredRoot, weight);

        commitment.payloadHash = payloadHash;
        commitment.sharesRoot = sharesRoot;
        commitment.attempt = attempt;
        commitment.weight = weight;
        emit Committed(round, msg.sender, attempt, anchoredRoot, payloadHash, sharesRoot, recordsRoot, weight);
    }

    /// @inheritdoc IRoundLedger
    /// @custom:property P-18 A round's set is fixed once: distinct dealers who committed, at least `minCohort` of them, each
    ///                       with the attempt that the coordinator names.
    function finaliseSet(uint64 round, address[] calldata dealers, uint32[] calldata attempts)
        external
        onlyCoordinator
        whenRunning
    {
        Round storage r = _rounds[round];
        if (r.status != Status.Open) revert RoundNotOpen(round);
        if (attempts.length != dealers.length) revert AttemptsMismatch(dealers.length, attempts.length);
        uint256 minCohort = federation.parameters().minCohort;
        if (dealers.length < minCohort) revert CohortTooSmall(dealers.length, minCohort);
        address previous = address(0);
        for (uint256 i = 0; i < dealers.length; i++) {
            address dealer = dealers[i];
            if (dealer <= previous) revert DealersNotAscending(i);
            uint32 standing = _commitments[round][dealer].attempt;
            if (standing == 0) revert DealerNotCommitted(dealer);
            // What was looked at is what is fixed: an attempt is committed once.
            if (standing != attempts[i]) revert CommitMoved(dealer, attempts[i], standing);
            previous = dealer;
        }
        r.setHash = keccak256(abi.encode(round, dealers));
        r.setSize = uint32(dealers.length);
        r.status = Status.Finalised;
        emit SetFinalised(round, dealers);
    }

    /// @inheritdoc IRoundLedger
    function failRound(uint64 round, string calldata reason) external onlyCoordinator {
        Round storage r = _rounds[round];
        if (r.status != Status.Open && r.status != Status.Finalised) revert RoundOver(round);
        r.status = Status.Failed;
        emit RoundFailed(round, reason);
    }

    /// @inheritdoc IRoundLedger
    /// @custom:property P-19 A model is published once per round, after its set was fixed, and on top of the task's last model.
    function publish(
        uint64 round,
        bytes32 modelHash,
        bytes32 aggregateHash,
        uint16 accuracyBps,
        uint16 aucBps,
        bytes32 transcriptHead
    ) external onlyCoordinator whenRunning {
        Round storage r = _rounds[round];
        if (r.status != Status.Finalised) revert RoundNotFinalised(round);
        if (modelHash == 0) revert ModelHashMissing();
        if (accuracyBps > 10_000) revert MetricOutOfRange(accuracyBps);
        if (aucBps > 10_000) revert MetricOutOfRange(aucBps);
        bytes32 taskHash = r.taskHash;
        // Another round of the task may have been published since this one opened.
        _requireBase(taskHash, r.baseModelHash);

        r.modelHash = modelHash;
        r.status = Status.Published;
        _lastModels[taskHash] = modelHash;
        _attestations[taskHash] = Attestation(accuracyBps, aucBps, uint64(block.timestamp), round);
        emit Published(round, taskHash, modelHash, aggregateHash, accuracyBps, aucBps, transcriptHead);
    }

    function roundCount() public view returns (uint64) {
        return _lastRound == 0 && address(predecessor) != address(0) ? predecessor.roundCount() : _lastRound;
    }

    function roundOf(uint64 round) external view returns (Round memory r) {
        if (!_isEarlier(round)) return _rounds[round];
        r = predecessor.roundOf(round);
        if (r.status == Status.Open || r.status == Status.Finalised) r.status = Status.Failed;
    }

    function commitOf(uint64 round, address dealer) external view returns (Commitment memory) {
        return _isEarlier(round) ? predecessor.commitOf(round, dealer) : _commitments[round][dealer];
    }

    function setOf(uint64 round) external view returns (bytes32 setHash, uint32 size) {
        return (_rounds[round].setHash, _rounds[round].setSize);
    }

    function attestationOf(bytes32 taskHash) external view returns (Attestation memory) {
        return _attestations[taskHash];
    }

    function lastModelOf(bytes32 taskHash) public view returns (bytes32 modelHash) {
        modelHash = _lastModels[taskHash];
        if (modelHash == 0 && address(predecessor) != address(0)) return predecessor.lastModelOf(taskHash);
    }

    function _isEarlier(uint64 round) private view returns (bool) {
        return address(predecessor) != address(0) && _rounds[round].status == Status.None;
    }

    function _requireBase(bytes32 taskHash, bytes32 baseModelHash) private view {
        if (baseModelHash == 0) revert ModelHashMissing();
        bytes32 last = lastModelOf(taskHash);
        if (last != 0 && baseModelHash != last) revert BaseModelNotLast(baseModelHash, last);
    }

    /// @custom:property P-14 No commit under a root that is not the dealer's current one, nor with a selection under an older one.
    /// @custom:property P-15 No commit from the second on at which the first selected policy expires.
    /// @custom:property P-16 No commit while the attested accuracy is under a selected floor, missing or too old.
    /// @custom:property P-25 No commit while a forced withdrawal is not acknowledged.
    /// @custom:property P-17 No commit whose ε passes a selected cap, nor whose weight exceeds the selected members.
    function _requireConsent(Round storage r, bytes32 anchoredRoot, uint32 weight) private view {
        (bytes32 current, uint256 pendingCount, IConsentRegistry.Selection memory selection) =
            registry.standingOf(msg.sender, r.requirementKey);
        if (pendingCount != 0) revert IConsentRegistry.ForcedWithdrawalPending(msg.sender, pendingCount);
        if (anchoredRoot != current || current == 0) revert StaleRoot(anchoredRoot, current);
        if (selection.root != current) revert StaleRoot(selection.root, current);
        if (block.timestamp >= selection.validUntil) revert ConsentExpired(selection.validUntil);
        if (selection.accuracyFloorBps != 0) _requireAccuracy(r.taskHash, selection.accuracyFloorBps);
        if (r.epsilonAfterMilli > selection.privacyCapMilli) {
            revert PrivacyCapExceeded(r.epsilonAfterMilli, selection.privacyCapMilli);
        }
        if (weight == 0 || weight > selection.memberCount) revert WeightExceedsConsent(weight, selection.memberCount);
    }

    function _requireAccuracy(bytes32 taskHash, uint16 floorBps) private view {
        Attestation storage attested = _attestations[taskHash];
        uint32 maxAge = federation.parameters().metricMaxAgeSeconds;
        // Never attested: attestedAt is 0, decades too old.
        if (block.timestamp - attested.attestedAt > maxAge) revert MetricStale(attested.attestedAt, maxAge);
        if (attested.accuracyBps < floorBps) revert AccuracyUnderFloor(attested.accuracyBps, floorBps);
    }
}
