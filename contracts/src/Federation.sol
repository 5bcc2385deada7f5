// SPDX-License-Identifier: Apache-2.0
// Membership and parameters of one federation, and the EIP-712 domain its parties sign under.
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {Params} from "./generated/Params.sol";
import {IFederation} from "./interfaces/IFederation.sol";

/// What a contract that is bound to a federation must say of itself.
interface IBound {
    function federation() external view returns (address);
}

interface IBoundLedger is IBound {
    function registry() external view returns (address);
}

/// @custom:property P-01 Only the operator changes membership, and only in the steps below.
contract Federation is IFederation, Ownable2Step, Pausable, EIP712 {
    using EnumerableSet for EnumerableSet.AddressSet;

    /// X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 beside X25519.
    uint256 private constant PUBLIC_KEY_BYTES = 1216;

    // Immutable, so that no rule below can move under a round, and a commit pays no storage read for them.
    uint16 private immutable _minCohort;
    uint8 private immutable _keyHolderThreshold;
    uint8 private immutable _witnessQuorum;
    uint32 private immutable _metricMaxAgeSeconds;
    bytes32 private immutable _verificationKeyHash;

    address public immutable predecessor;

    address public successor;
    address public coordinator;
    address public registry;
    address public ledger;
    EnumerableSet.AddressSet private _dealers;
    EnumerableSet.AddressSet private _witnesses;
    KeyHolder[] private _keyHolders;
    /// From 1; 0 is nobody's.
    mapping(address keyHolder => uint16) private _keyHolderIndex;

    /// @custom:property P-02 Parameters never change; a cohort is at least three, the threshold at least two, the quorum one.
    /// @custom:property P-27 A predecessor is named at deployment, and is a federation with contracts of its own.
    constructor(address operator, Parameters memory p, address predecessor_)
        Ownable(operator)
        EIP712("Concordat", "1")
    {
        if (p.minCohort < Params.MIN_COHORT || p.keyHolderThreshold < Params.MIN_THRESHOLD) revert InvalidParameters();
        if (p.witnessQuorum == 0 || p.metricMaxAgeSeconds == 0) revert InvalidParameters();
        _minCohort = p.minCohort;
        _keyHolderThreshold = p.keyHolderThreshold;
        _witnessQuorum = p.witnessQuorum;
        _metricMaxAgeSeconds = p.metricMaxAgeSeconds;
        _verificationKeyHash = p.verificationKeyHash;
        predecessor = predecessor_;
        if (predecessor_ == address(0)) return;
        if (IFederation(predecessor_).registry() == address(0)) revert PredecessorUnbound(predecessor_);
        emit PredecessorNamed(predecessor_);
    }

    /// @inheritdoc IFederation
    /// @custom:property P-27 A successor is named once, by the operator, while in force, and only one that names this federation back;
    ///                       from then on this one is paused for ever.
    function nameSuccessor(address successor_) external onlyOwner {
        // in force itself: else a line could begin with a federation that never agreed to it
        requireInForce();
        IFederation heir = IFederation(successor_);
        if (heir.predecessor() != address(this) || heir.registry() == address(0)) revert ForeignContract(successor_);
        successor = successor_;
        if (!paused()) _pause();
        emit SuccessorNamed(successor_);
    }

    /// @custom:property P-03 Registry and ledger are bound once, and only when they point back here and at each other.
    function setContracts(address registry_, address ledger_) external onlyOwner {
        if (registry != address(0)) revert ContractsAlreadySet();
        if (IBound(registry_).federation() != address(this)) revert ForeignContract(registry_);
        if (IBound(ledger_).federation() != address(this) || IBoundLedger(ledger_).registry() != registry_) {
            revert ForeignContract(ledger_);
        }
        registry = registry_;
        ledger = ledger_;
        emit ContractsSet(registry_, ledger_);
    }

    function setCoordinator(address coordinator_) external onlyOwner {
        if (coordinator_ == address(0)) revert ZeroAddress();
        coordinator = coordinator_;
        emit CoordinatorSet(coordinator_);
    }

    function registerDealer(address dealer) external onlyOwner {
        _add(_dealers, dealer);
        emit DealerRegistered(dealer);
    }

    function removeDealer(address dealer) external onlyOwner {
        if (!_dealers.remove(dealer)) revert NotRegistered(dealer);
        emit DealerRemoved(dealer);
    }

    function registerWitness(address witness) external onlyOwner {
        _add(_witnesses, witness);
        emit WitnessRegistered(witness);
    }

    function removeWitness(address witness) external onlyOwner {
        if (!_witnesses.remove(witness)) revert NotRegistered(witness);
        emit WitnessRemoved(witness);
    }

    /// @custom:property P-04 A key-holder's index never changes; its key only by itself, and the epoch then rises by one.
    function registerKeyHolder(address keyHolder) external onlyOwner {
        if (keyHolder == address(0)) revert ZeroAddress();
        if (_keyHolderIndex[keyHolder] != 0) revert AlreadyRegistered(keyHolder);
        if (_keyHolders.length == Params.MAX_KEY_HOLDERS) revert TooManyKeyHolders(Params.MAX_KEY_HOLDERS);
        _keyHolders.push(KeyHolder(keyHolder, 0, 0));
        uint16 index = uint16(_keyHolders.length);
        _keyHolderIndex[keyHolder] = index;
        emit KeyHolderRegistered(keyHolder, index);
    }

    /// For a mistyped address: it would hold up every round, because a round needs everybody's key. One that ever had a key stays.
    function replaceKeyHolder(address keyHolder, address replacement) external onlyOwner {
        uint16 index = _keyHolderIndex[keyHolder];
        if (index == 0) revert NotRegistered(keyHolder);
        if (replacement == address(0)) revert ZeroAddress();
        if (_keyHolderIndex[replacement] != 0) revert AlreadyRegistered(replacement);
        if (_keyHolders[index - 1].keyEpoch != 0) revert KeyHolderActive(keyHolder);
        delete _keyHolderIndex[keyHolder];
        _keyHolderIndex[replacement] = index;
        _keyHolders[index - 1].keyHolder = replacement;
        emit KeyHolderReplaced(keyHolder, replacement, index);
    }

    /// Not held up by the pause: a key that cannot be replaced is one that cannot be erased.
    function rotateKey(bytes calldata publicKey) external {
        uint16 index = _keyHolderIndex[msg.sender];
        if (index == 0) revert NotRegistered(msg.sender);
        if (publicKey.length != PUBLIC_KEY_BYTES) revert PublicKeyMalformed(publicKey.length);
        KeyHolder storage holder = _keyHolders[index - 1];
        bytes32 keyHash = keccak256(publicKey);
        if (keyHash == holder.keyHash) revert KeyNotNew(keyHash);
        holder.keyHash = keyHash;
        holder.keyEpoch++;
        emit KeyRotated(msg.sender, index, holder.keyEpoch, publicKey);
    }

    /// The office is handed over, never left empty: a federation without an operator could be paused for ever.
    function renounceOwnership() public view override onlyOwner {
        revert OfficeNotEmptied();
    }

    function pause() external onlyOwner {
        _pause();
    }

    function unpause() external onlyOwner {
        if (successor != address(0)) revert Superseded(successor);
        _unpause();
    }

    /// @inheritdoc IFederation
    /// @custom:property P-28 At most one federation of a line is in force.
    function requireInForce() public view {
        if (successor != address(0)) revert Superseded(successor);
        if (predecessor == address(0)) return;
        if (IFederation(predecessor).successor() != address(this)) revert NotNamedByPredecessor(predecessor);
    }

    function parameters() external view returns (Parameters memory) {
        return Parameters(
            _minCohort, _keyHolderThreshold, _witnessQuorum, _metricMaxAgeSeconds, _verificationKeyHash
        );
    }

    function dealers() external view returns (address[] memory) {
        return _dealers.values();
    }

    function witnesses() external view returns (address[] memory) {
        return _witnesses.values();
    }

    function keyHolders() external view returns (KeyHolder[] memory) {
        return _keyHolders;
    }

    /// @custom:property P-22 A round's keys are those in force when it opened: all holders', and at least the threshold of them.
    function keysHash() external view returns (bytes32) {
        uint256 count = _keyHolders.length;
        if (count < _keyHolderThreshold) revert KeyMissing(count + 1);
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            hashes[i] = _keyHolders[i].keyHash;
            if (hashes[i] == 0) revert KeyMissing(i + 1);
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function isDealer(address party) external view returns (bool) {
        return _dealers.contains(party);
    }

    function isWitness(address party) external view returns (bool) {
        return _witnesses.contains(party);
    }

    function paused() public view override(IFederation, Pausable) returns (bool) {
        return Pausable.paused();
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _add(EnumerableSet.AddressSet storage set, address party) private {
        if (party == address(0)) revert ZeroAddress();
        if (!set.add(party)) revert AlreadyRegistered(party);
    }
}
