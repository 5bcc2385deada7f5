// SPDX-License-Identifier: Apache-2.0
// Everybody's rounds, commits, sets and publications, each with at most one thing wrong, and the rounds there must be.
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {IRoundLedger} from "../../src/interfaces/IRoundLedger.sol";
import {Dice} from "../Dice.sol";
import {VM} from "../Vm.sol";
import {RegistryHandler} from "./RegistryHandler.sol";

abstract contract LedgerHandler is RegistryHandler {
    uint64 internal roundCount;
    mapping(uint64 round => IRoundLedger.Round) internal rounds;
    mapping(uint64 round => mapping(address dealer => IRoundLedger.Commitment)) internal commitments;
    mapping(bytes32 task => IRoundLedger.Attestation) internal attestations;
    mapping(bytes32 task => bytes32) internal models;

    struct Opening {
        bytes32 task;
        Requirement r;
        bytes32 base;
        uint32 epsilon;
        uint64 deadline;
    }

    struct Publication {
        bytes32 model;
        uint16 accuracyBps;
        uint16 aucBps;
    }

    function open(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address who = _mostlyCoordinator(dice);
        bytes32 task = bytes32(1 + dice.roll(2));
        bytes32 base = models[task] == 0 ? bytes32(dice.word()) : models[task];
        uint256 epsilon = dice.oneIn(4) ? dice.roll(NO_CAP + 1) : 500;
        Opening memory o =
            Opening(task, _anyRequirement(dice), base, uint32(epsilon), uint64(block.timestamp + 1 + dice.roll(6_000)));
        uint256 fault = dice.roll(16);
        if (fault == 0) o.r.required0 = dice.word() << (dice.oneIn(2) ? 16 : 0);
        if (fault == 1) o.r.required1 = dice.word() >> dice.roll(200);
        if (fault == 2) o.r.minEvidence = dice.roll(6);
        if (fault == 3) o.base = dice.oneIn(2) ? bytes32(0) : bytes32(dice.word());
        if (fault == 4) o.epsilon = uint32(NO_CAP + dice.roll(3));
        if (fault == 5) o.deadline = uint64(block.timestamp - dice.roll(2));
        if (fault == 6) o.deadline = uint64(block.timestamp + WEEK + dice.roll(2));
        _open(who, o);
    }

    function commit(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address dealer = _anyDealer(dice);
        uint64 round = _recent(dice, IRoundLedger.Status.Open);
        uint32 attempt = commitments[round][dealer].attempt + 1 + uint32(dice.roll(2));
        bytes32 root = _anchored(dealer);
        uint64 members = selections[dealer][rounds[round].requirementKey].memberCount;
        uint256 weight = dice.oneIn(2) || members == 0 ? members : 1 + dice.roll(members);
        uint256 fault = dice.roll(12);
        if (fault == 0) attempt = attempt > 2 ? attempt - 2 : 0;
        if (fault == 1) root = dice.oneIn(2) ? _anchored(parties[dice.roll(DEALERS)]) : bytes32(0);
        if (fault == 2) weight = members + 1;
        if (fault == 3) weight = 0;
        _commit(dealer, round, attempt, root, uint32(weight));
    }

    /// Most dealers' consent, whole and for the latest round: without it few campaigns would see a publication.
    function mend(uint256 seed) external {
        Dice memory dice = Dice(seed);
        uint256[] memory witnesses = _registeredWitnesses();
        if (paused || witnesses.length < QUORUM) return;
        Requirement memory r = _anyRequirement(dice);
        for (uint256 k = 0; k < REQUIREMENTS; k++) {
            if (_keyOf(_requirement(k)) == rounds[roundCount].requirementKey) r = _requirement(k);
        }
        for (uint256 party = 0; party < DEALERS; party++) {
            if (!isDealer[parties[party]] || dice.oneIn(4)) continue;
            IConsentRegistry.Claim memory c = IConsentRegistry.Claim(true, uint40(FAR), 0, uint32(NO_CAP));
            if (dice.oneIn(4)) c.validUntil = uint40(block.timestamp + dice.roll(4_000));
            if (dice.oneIn(6)) c.accuracyFloorBps = uint16(dice.roll(10_001));
            if (dice.oneIn(6)) c.privacyCapMilli = uint32(dice.roll(NO_CAP));
            _mend(party, dice.roll(SETS), r, c);
        }
    }

    /// Every dealer commits to one round as best it can.
    function rally(uint256 seed) external {
        uint64 round = _recent(Dice(seed), IRoundLedger.Status.Open);
        for (uint256 i = 0; i < DEALERS; i++) {
            uint64 members = selections[parties[i]][rounds[round].requirementKey].memberCount;
            uint32 attempt = commitments[round][parties[i]].attempt + 1;
            _commit(parties[i], round, attempt, _anchored(parties[i]), uint32(members));
        }
    }

    function finalise(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address who = _mostlyCoordinator(dice);
        uint64 round = _recent(dice, IRoundLedger.Status.Open);
        address[] memory set = _committed(round);
        uint256 fault = dice.roll(18);
        if (set.length > 1 && fault < 4) _spoilSet(set, dice, fault);
        uint32[] memory attempts = _attemptsOf(round, set);
        if (fault == 4 && set.length > 0) attempts[dice.roll(set.length)] -= 1;
        if (fault == 5) attempts = new uint32[](set.length + 1);
        uint256 broken = _rule(18, who == coordinator && _mayFinalise(round, set, attempts)) | _rule(20, !paused);
        (bool ok,) = _as(who, address(ledger), abi.encodeCall(ledger.finaliseSet, (round, set, attempts)));
        _judge("finalise", ok, broken);
        if (!ok) return;
        rounds[round].setHash = keccak256(abi.encode(round, set));
        rounds[round].setSize = uint32(set.length);
        rounds[round].status = IRoundLedger.Status.Finalised;
        checkRound(round);
    }

    function fail(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (!dice.oneIn(3)) return;
        address who = _mostlyCoordinator(dice);
        uint64 round = _recent(dice, IRoundLedger.Status.Finalised);
        IRoundLedger.Status status = rounds[round].status;
        bool lawful = status == IRoundLedger.Status.Open || status == IRoundLedger.Status.Finalised;
        (bool ok,) = _as(who, address(ledger), abi.encodeCall(ledger.failRound, (round, "fuzzed")));
        _judge("fail", ok, _rule(19, who == coordinator && lawful));
        if (ok) rounds[round].status = IRoundLedger.Status.Failed;
    }

    function publish(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address who = _mostlyCoordinator(dice);
        uint64 round = _recent(dice, IRoundLedger.Status.Finalised);
        IRoundLedger.Round storage r = rounds[round];
        Publication memory p;
        p.model = dice.oneIn(12) ? bytes32(0) : bytes32(dice.word());
        p.accuracyBps = uint16(dice.oneIn(8) ? 9_999 + dice.roll(3) : dice.roll(10_001));
        p.aucBps = uint16(dice.oneIn(8) ? 9_999 + dice.roll(3) : dice.roll(10_001));
        bytes memory data = abi.encodeCall(ledger.publish, (round, p.model, p.model, p.accuracyBps, p.aucBps, p.model));
        uint256 broken = _rule(19, who == coordinator && _mayPublish(r, p)) | _rule(20, !paused);
        (bool ok,) = _as(who, address(ledger), data);
        _judge("publish", ok, broken);
        if (!ok) return;
        r.status = IRoundLedger.Status.Published;
        r.modelHash = p.model;
        models[r.taskHash] = p.model;
        attestations[r.taskHash] = IRoundLedger.Attestation(p.accuracyBps, p.aucBps, uint64(block.timestamp), round);
        checkRound(round);
    }

    /// On by some seconds, or onto the very second at which something ends, or the one before.
    function pass(uint256 seed) external {
        Dice memory dice = Dice(seed);
        uint256 to = block.timestamp + dice.roll(120);
        uint256 what = dice.roll(12);
        IRoundLedger.Round storage r = rounds[_recent(dice, IRoundLedger.Status.Open)];
        if (what == 0) to = r.deadline - (r.deadline > 0 ? dice.roll(2) : 0);
        if (what == 1) to = selections[parties[dice.roll(DEALERS)]][r.requirementKey].validUntil;
        if (what == 2 && attestations[r.taskHash].attestedAt != 0) {
            to = attestations[r.taskHash].attestedAt + METRIC_MAX_AGE + dice.roll(2);
        }
        if (to > block.timestamp && to < START + 40_000_000) VM.warp(to);
        VM.roll(block.number + 1);
    }

    function checkRounds() external view {
        require(ledger.roundCount() == roundCount, "P-11: rounds");
        for (uint64 round = roundCount; round > 0 && round + 3 > roundCount; round--) {
            checkRound(round);
        }
        if (roundCount > 0) checkRound(1);
    }

    /// Every field of it: the keys it opened with too.
    function checkRound(uint64 round) public view {
        IRoundLedger.Round memory stored = ledger.roundOf(round);
        require(stored.keysHash == rounds[round].keysHash, "P-22: a round's keys");
        require(
            stored.setHash == rounds[round].setHash && stored.setSize == rounds[round].setSize, "P-18: a round's set"
        );
        require(keccak256(abi.encode(stored)) == keccak256(abi.encode(rounds[round])), "P-19: a round");
        bytes32 task = rounds[round].taskHash;
        require(ledger.lastModelOf(task) == models[task], "P-11: a task's last model");
        bytes32 attested = keccak256(abi.encode(ledger.attestationOf(task)));
        require(attested == keccak256(abi.encode(attestations[task])), "P-16: an attestation");
        for (uint256 i = 0; i < DEALERS; i++) {
            bytes32 stands = keccak256(abi.encode(ledger.commitOf(round, parties[i])));
            require(stands == keccak256(abi.encode(commitments[round][parties[i]])), "P-13: a commitment");
        }
    }

    /// By witnesses of the moment, none of them a dealer of `mend`.
    function _quorum(State memory s) internal view override returns (bytes[] memory signatures) {
        uint256[] memory witnesses = _registeredWitnesses();
        signatures = new bytes[](QUORUM);
        for (uint256 i = 0; i < QUORUM; i++) {
            signatures[i] = _signature(witnesses[i], _digestOf(s));
        }
    }

    function _registeredWitnesses() private view returns (uint256[] memory witnesses) {
        witnesses = new uint256[](PARTIES);
        uint256 count = 0;
        for (uint256 i = DEALERS; i < PARTIES; i++) {
            if (isWitness[parties[i]]) witnesses[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(witnesses, count)
        }
    }

    function _mend(uint256 party, uint256 set, Requirement memory r, IConsentRegistry.Claim memory c) private {
        address dealer = parties[party];
        (bytes32 root, uint64 members) = _consent(party, set, r, c.validUntil, c.accuracyFloorBps, c.privacyCapMilli);
        last[dealer] = _state(dealer, last[dealer].epoch + 1, set);
        setOf[dealer] = set;
        for (uint256 i = _bucketSet(set).length; i > 0; i--) {
            claims[dealer][_keyOf(r)][i] = c;
        }
        selections[dealer][_keyOf(r)] =
            IConsentRegistry.Selection(root, members, c.validUntil, c.accuracyFloorBps, c.privacyCapMilli);
    }

    function _open(address who, Opening memory o) private {
        uint256 broken = _rule(
            11,
            who == coordinator && o.base != 0 && (models[o.task] == 0 || o.base == models[o.task])
                && _isAhead(o.deadline)
        ) | _rule(12, _mayAsk(o.r) && o.epsilon <= NO_CAP) | _rule(20, !paused) | _rule(22, _keysHash() != 0);
        bytes memory data = abi.encodeCall(
            ledger.openRound,
            (o.task, o.r.required0, o.r.required1, uint8(o.r.minEvidence), o.base, o.epsilon, o.deadline)
        );
        (bool ok,) = _as(who, address(ledger), data);
        _judge("open", ok, broken);
        if (!ok) return;
        IRoundLedger.Round storage r = rounds[++roundCount];
        r.taskHash = o.task;
        r.requirementKey = _keyOf(o.r);
        r.baseModelHash = o.base;
        r.seed = keccak256(abi.encode(blockhash(block.number - 1), address(ledger), roundCount));
        r.keysHash = _keysHash();
        r.deadline = o.deadline;
        r.openedAtBlock = uint64(block.number);
        r.epsilonAfterMilli = o.epsilon;
        r.status = IRoundLedger.Status.Open;
    }

    function _mayFinalise(uint64 round, address[] memory set, uint32[] memory attempts) private view returns (bool) {
        if (rounds[round].status != IRoundLedger.Status.Open || set.length < _parameters().minCohort) return false;
        if (attempts.length != set.length) return false;
        for (uint256 i = 0; i < set.length; i++) {
            uint32 standing = commitments[round][set[i]].attempt;
            if (set[i] <= (i == 0 ? address(0) : set[i - 1]) || standing == 0 || standing != attempts[i]) return false;
        }
        return true;
    }

    function _isAhead(uint64 deadline) private view returns (bool) {
        return deadline > block.timestamp && deadline <= block.timestamp + WEEK;
    }

    function _attemptsOf(uint64 round, address[] memory set) private view returns (uint32[] memory attempts) {
        attempts = new uint32[](set.length);
        for (uint256 i = 0; i < set.length; i++) {
            attempts[i] = commitments[round][set[i]].attempt;
            // of one who never committed; 0 must not pass either
            if (attempts[i] == 0) attempts[i] = 1;
        }
    }

    function _mayPublish(IRoundLedger.Round storage r, Publication memory p) private view returns (bool) {
        bool latest = models[r.taskHash] == 0 || models[r.taskHash] == r.baseModelHash;
        return r.status == IRoundLedger.Status.Finalised && latest && p.model != 0 && p.accuracyBps <= 10_000
            && p.aucBps <= 10_000;
    }

    /// The bits of model-training and a level of evidence, as docs/spec/02-contracts.md has them.
    function _mayAsk(Requirement memory r) private pure returns (bool) {
        return r.required0 < 1 << 96 && r.required1 < 1 << 96 && r.required0 % (1 << 16) != 0 && r.minEvidence > 0
            && r.minEvidence < 4;
    }

    function _commit(address dealer, uint64 round, uint32 attempt, bytes32 root, uint32 weight) private {
        uint256 broken =
            _mayCommit(dealer, round, attempt) | _consents(dealer, rounds[round], root, weight) | _rule(20, !paused);
        bytes32 salt = keccak256(abi.encode(round, dealer, attempt));
        bytes memory data = abi.encodeCall(ledger.commit, (round, attempt, root, salt, ~salt, salt, weight));
        (bool ok,) = _as(dealer, address(ledger), data);
        _judge("commit", ok, broken);
        if (ok) commitments[round][dealer] = IRoundLedger.Commitment(salt, ~salt, attempt, weight);
    }

    function _mayCommit(address dealer, uint64 round, uint32 attempt) private view returns (uint256) {
        bool open_ = rounds[round].status == IRoundLedger.Status.Open && block.timestamp < rounds[round].deadline;
        return _rule(13, isDealer[dealer] && open_ && attempt > commitments[round][dealer].attempt);
    }

    function _consents(address dealer, IRoundLedger.Round storage r, bytes32 root, uint32 weight)
        private
        view
        returns (uint256)
    {
        IConsentRegistry.Selection storage s = selections[dealer][r.requirementKey];
        IRoundLedger.Attestation storage a = attestations[r.taskHash];
        bytes32 current = _anchored(dealer);
        bool accurate = s.accuracyFloorBps == 0
            || (a.round != 0 && block.timestamp <= a.attestedAt + METRIC_MAX_AGE && a.accuracyBps >= s.accuracyFloorBps);
        return _rule(14, current != 0 && root == current && s.root == current)
            | _rule(15, block.timestamp < s.validUntil) | _rule(16, accurate)
            | _rule(17, r.epsilonAfterMilli <= s.privacyCapMilli && weight > 0 && weight <= s.memberCount);
    }

    function _committed(uint64 round) private view returns (address[] memory set) {
        set = new address[](PARTIES);
        uint256 size = 0;
        for (uint256 i = 0; i < PARTIES; i++) {
            if (commitments[round][parties[i]].attempt == 0) continue;
            set[size++] = parties[i];
            for (uint256 j = size - 1; j > 0 && set[j] < set[j - 1]; j--) {
                (set[j], set[j - 1]) = (set[j - 1], set[j]);
            }
        }
        assembly ("memory-safe") {
            mstore(set, size)
        }
    }

    function _spoilSet(address[] memory set, Dice memory dice, uint256 fault) private view {
        uint256 i = dice.roll(set.length);
        if (fault == 0) (set[0], set[i]) = (set[i], set[0]);
        if (fault == 1) set[i] = set[(i + 1) % set.length];
        if (fault == 2) set[i] = dice.oneIn(2) ? address(0) : parties[dice.roll(PARTIES)];
        if (fault == 3) {
            assembly ("memory-safe") {
                mstore(set, i)
            }
        }
    }

    function _mostlyCoordinator(Dice memory dice) private view returns (address) {
        return dice.oneIn(12) ? parties[dice.roll(PARTIES)] : coordinator;
    }

    /// The latest of this status; at times any of the last four, or none at all.
    function _recent(Dice memory dice, IRoundLedger.Status status) private view returns (uint64) {
        uint64 back = uint64(dice.roll(4));
        if (dice.oneIn(4)) return back > roundCount ? roundCount + 1 : roundCount - back;
        for (uint64 round = roundCount; round > 0 && round + 6 > roundCount; round--) {
            if (rounds[round].status == status) return round;
        }
        return roundCount;
    }
}
