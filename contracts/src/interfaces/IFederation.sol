// SPDX-License-Identifier: Apache-2.0
// Who is in a federation, and the parameters nobody may bend.
pragma solidity ^0.8.24;

interface IFederation {
    struct Parameters {
        /// Fewest dealers in an opened sum; at least 3: in a sum over two, each learns the other's update.
        uint16 minCohort;
        /// Key-holders whose answers open a sum (t of n).
        uint8 keyHolderThreshold;
        /// Distinct witnesses who must sign an anchor.
        uint8 witnessQuorum;
        /// Oldest accuracy attestation, in seconds, that still meets a customer's floor.
        uint32 metricMaxAgeSeconds;
        /// sha256 of the policy circuit's verification key file.
        bytes32 verificationKeyHash;
    }

    struct KeyHolder {
        address keyHolder;
        /// Rotations so far; 0 before the first key.
        uint32 keyEpoch;
        /// keccak256 of the current public key, whose bytes are in its `KeyRotated`; zero before the first.
        bytes32 keyHash;
    }

    /// At deployment, by a federation that is to take over from another.
    event PredecessorNamed(address indexed predecessor);
    /// Together with `Paused`, unless it was: from here on the successor takes anchors and opens rounds.
    event SuccessorNamed(address indexed successor);
    event ContractsSet(address registry, address ledger);
    event CoordinatorSet(address indexed coordinator);
    event DealerRegistered(address indexed dealer);
    event DealerRemoved(address indexed dealer);
    event WitnessRegistered(address indexed witness);
    event WitnessRemoved(address indexed witness);
    /// @param index Position from 1: the x coordinate of this holder's key shares.
    event KeyHolderRegistered(address indexed keyHolder, uint16 index);
    /// Only before its first key; the index stays.
    event KeyHolderReplaced(address indexed keyHolder, address indexed successor, uint16 index);
    /// @param epoch Of this key, from 1.
    /// @param publicKey X-Wing, 1,216 bytes: what dealers seal this holder's shares to.
    event KeyRotated(address indexed keyHolder, uint16 index, uint32 epoch, bytes publicKey);

    error InvalidParameters();
    error ContractsAlreadySet();
    /// A contract to be bound does not itself point back at this federation.
    error ForeignContract(address given);
    /// What is named as the predecessor is no federation with contracts of its own.
    error PredecessorUnbound(address predecessor);
    /// The predecessor has not named this federation as its successor.
    error NotNamedByPredecessor(address predecessor);
    /// Another federation has taken over from this one, for ever.
    error Superseded(address successor);
    error ZeroAddress();
    error PublicKeyMalformed(uint256 length);
    /// The key offered is the one in use.
    error KeyNotNew(bytes32 keyHash);
    /// Key-holder `index` (from 1) has no key, or is yet to be registered for the threshold to be met.
    error KeyMissing(uint256 index);
    error TooManyKeyHolders(uint256 most);
    error OfficeNotEmptied();
    error KeyHolderActive(address keyHolder);
    error AlreadyRegistered(address party);
    error NotRegistered(address party);

    /// @notice Binds registry and ledger, once and for ever. Operator only.
    function setContracts(address registry, address ledger) external;
    /// @notice Hands over to a new deployment, once and for ever. Operator only. Refused unless that one was deployed with this as its
    ///         predecessor and has its contracts. This federation is paused from then on, and its registry takes no anchor any more.
    function nameSuccessor(address successor) external;
    function setCoordinator(address coordinator) external;
    function registerDealer(address dealer) external;
    function removeDealer(address dealer) external;
    function registerWitness(address witness) external;
    function removeWitness(address witness) external;
    /// @notice Key-holders are never removed: the index of one is part of every share that was ever dealt.
    function registerKeyHolder(address keyHolder) external;
    /// @notice For a mistyped address: gives its index to another. Refused once it had a key.
    function replaceKeyHolder(address keyHolder, address replacement) external;
    /// @notice Replaces the sender's sealing key. Taken while paused too: it lets the sender erase the key before.
    function rotateKey(bytes calldata publicKey) external;
    /// @notice The emergency brake: stops claims, selections, rounds, commits, sets and publications; never an anchor, nor
    /// the rotation of a key.
    function pause() external;
    function unpause() external;

    function parameters() external view returns (Parameters memory);
    /// @notice The federation that this one carries on; zero for the first of its line.
    function predecessor() external view returns (address);
    /// @notice The federation that carries this one on; zero while there is none.
    function successor() external view returns (address);
    /// @notice Passes for the one federation of a line that takes anchors and opens rounds: it has no successor, and its predecessor, if
    ///         it has one, names it.
    function requireInForce() external view;
    function coordinator() external view returns (address);
    function registry() external view returns (address);
    function ledger() external view returns (address);
    function dealers() external view returns (address[] memory);
    function witnesses() external view returns (address[] memory);
    function keyHolders() external view returns (KeyHolder[] memory);
    /// @notice keccak256 of the current key hashes in order of index. Refused while a key, or a holder, is missing.
    function keysHash() external view returns (bytes32);
    function isDealer(address party) external view returns (bool);
    function isWitness(address party) external view returns (bool);
    function paused() external view returns (bool);
    /// @notice EIP-712 domain separator of everything the parties sign.
    function domainSeparator() external view returns (bytes32);
}
