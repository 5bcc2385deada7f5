// SPDX-License-Identifier: Apache-2.0
// What happened in each training round: opened, committed to, its set fixed, published or failed.
pragma solidity ^0.8.24;

import {IConsentRegistry} from "./IConsentRegistry.sol";
import {IFederation} from "./IFederation.sol";

interface IRoundLedger {
    /// Open -> Finalised -> Published, and Failed from the first two.
    enum Status {
        None,
        Open,
        Finalised,
        Published,
        Failed
    }

    struct Round {
        bytes32 taskHash;
        bytes32 requirementKey;
        bytes32 baseModelHash;
        bytes32 seed;
        /// Zero until published.
        bytes32 modelHash;
        /// keccak256(abi.encode(round, dealers)); zero until finalised.
        bytes32 setHash;
        /// The federation's keysHash when the round opened: its shares are sealed to these keys.
        bytes32 keysHash;
        uint64 deadline;
        uint64 openedAtBlock;
        uint32 epsilonAfterMilli;
        uint32 setSize;
        Status status;
    }

    /// What a key-holder must check an upload against. The roots a commit also names are in its event.
    struct Commitment {
        bytes32 payloadHash;
        bytes32 sharesRoot;
        uint32 attempt;
        uint32 weight;
    }

    /// The task's accuracy, measured on the base model of `round`.
    struct Attestation {
        uint16 accuracyBps;
        uint16 aucBps;
        uint64 attestedAt;
        uint64 round;
    }

    event RoundOpened(
        uint64 indexed round,
        bytes32 indexed taskHash,
        bytes32 indexed requirementKey,
        bytes32 baseModelHash,
        bytes32 seed,
        uint64 deadline,
        uint32 epsilonAfterMilli,
        bytes32 keysHash
    );
    event Committed(
        uint64 indexed round,
        address indexed dealer,
        uint32 attempt,
        bytes32 anchoredRoot,
        bytes32 payloadHash,
        bytes32 sharesRoot,
        bytes32 recordsRoot,
        uint32 weight
    );
    event SetFinalised(uint64 indexed round, address[] dealers);
    event RoundFailed(uint64 indexed round, string reason);
    event Published(
        uint64 indexed round,
        bytes32 indexed taskHash,
        bytes32 modelHash,
        bytes32 aggregateHash,
        uint16 accuracyBps,
        uint16 aucBps,
        bytes32 transcriptHead
    );

    error NotTheCoordinator(address sender);
    error NotADealer(address sender);
    error FederationPaused();
    error RequirementInvalid();
    error ModelHashMissing();
    error BaseModelNotLast(bytes32 given, bytes32 last);
    error EpsilonOutOfRange(uint32 given);
    error DeadlinePassed(uint64 deadline);
    error DeadlineTooFar(uint64 deadline);
    error RoundNotOpen(uint64 round);
    error RoundNotFinalised(uint64 round);
    error RoundOver(uint64 round);
    error AttemptNotRising(uint32 given, uint32 last);
    /// `given`: the root committed to, or, when that is the current one, the root of the dealer's selection.
    error StaleRoot(bytes32 given, bytes32 current);
    error ConsentExpired(uint40 validUntil);
    error MetricStale(uint64 attestedAt, uint32 maxAgeSeconds);
    error AccuracyUnderFloor(uint16 accuracyBps, uint16 floorBps);
    error PrivacyCapExceeded(uint32 epsilonAfterMilli, uint32 capMilli);
    error WeightExceedsConsent(uint32 weight, uint64 memberCount);
    error CohortTooSmall(uint256 given, uint256 minCohort);
    error DealersNotAscending(uint256 position);
    error DealerNotCommitted(address dealer);
    error CommitMoved(address dealer, uint32 given, uint32 standing);
    error AttemptsMismatch(uint256 dealers, uint256 attempts);
    error MetricOutOfRange(uint16 given);

    /// @param baseModelHash The model that the task published last, under whichever deployment of the line; any for its first round.
    /// @param epsilonAfterMilli The task's ε per customer after this round, thousandths; 2^20-1 = no differential privacy.
    /// @param deadline Unix seconds; commits are taken before it. At most a week ahead: keys are kept until a round is over.
    /// @return round Numbered from 1; the numbers go on where the predecessor's ledger left them.
    function openRound(
        bytes32 taskHash,
        uint256 required0,
        uint256 required1,
        uint8 minEvidence,
        bytes32 baseModelHash,
        uint32 epsilonAfterMilli,
        uint64 deadline
    ) external returns (uint64 round);

    /// @notice Binds the sender to one upload, if its customers' consent stands now. A higher attempt replaces a lower one.
    /// @param anchoredRoot The dealer's current root.
    /// @param weight Records the update counts for; at most the members selected.
    function commit(
        uint64 round,
        uint32 attempt,
        bytes32 anchoredRoot,
        bytes32 payloadHash,
        bytes32 sharesRoot,
        bytes32 recordsRoot,
        uint32 weight
    ) external;

    /// @notice Fixes, for ever, whose sum may be opened.
    /// @param dealers Strictly ascending.
    /// @param attempts Of each dealer: the attempt that was looked at; refused when the dealer has committed another since.
    function finaliseSet(uint64 round, address[] calldata dealers, uint32[] calldata attempts) external;

    /// @notice Ends a round that was not published. Privacy spent by a set already finalised stays spent.
    function failRound(uint64 round, string calldata reason) external;

    /// @notice Publishes the next model, and attests the accuracy of the round's base model.
    function publish(
        uint64 round,
        bytes32 modelHash,
        bytes32 aggregateHash,
        uint16 accuracyBps,
        uint16 aucBps,
        bytes32 transcriptHead
    ) external;

    function federation() external view returns (IFederation);
    function registry() external view returns (IConsentRegistry);
    /// @notice The ledger that this one carries on; zero for the first of its line.
    function predecessor() external view returns (IRoundLedger);
    /// @notice The last round's number.
    function roundCount() external view returns (uint64);
    /// @notice A round of this ledger, or of one before it. What a ledger had not ended when it was superseded has failed.
    function roundOf(uint64 round) external view returns (Round memory);
    /// @notice In a round of this ledger, or of one before it.
    function commitOf(uint64 round, address dealer) external view returns (Commitment memory);
    /// @notice Hash and size of the finalised set; its members are in `SetFinalised`.
    function setOf(uint64 round) external view returns (bytes32 setHash, uint32 size);
    function attestationOf(bytes32 taskHash) external view returns (Attestation memory);
    function lastModelOf(bytes32 taskHash) external view returns (bytes32);
}
