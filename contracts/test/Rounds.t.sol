// SPDX-License-Identifier: Apache-2.0
// RoundLedger, over the whole range of its arguments and any order of its calls: P-11, P-12, P-18 to P-22.
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {IRoundLedger} from "../src/interfaces/IRoundLedger.sol";
import {BucketTree} from "./BucketTree.sol";
import {Consent} from "./Consent.sol";
import {Expect} from "./Expect.sol";
import {VM} from "./Vm.sol";

contract RoundsTest is Consent {
    bytes32 private constant TASK = keccak256("task");
    bytes32 private constant BASE = keccak256("base");

    bytes32[] private roots;
    uint64[] private members;

    constructor() {
        for (uint256 i = 0; i < DEALERS; i++) {
            (bytes32 root, uint64 count) = _consent(i, 1, _requirement(0), FAR, 0, NO_CAP);
            roots.push(root);
            members.push(count);
        }
    }

    /// Rounds of two tasks on any base; some are published.
    function testFuzz_P11_onTheModelPublishedLast(uint8[10] calldata steps) external {
        bytes32[2] memory last;
        for (uint256 i = 0; i < steps.length; i++) {
            uint256 task = steps[i] & 1;
            // no model at all, one that may be the last, one that never is
            uint256 which = (steps[i] >> 1) % 4;
            bytes32 base =
                which == 0 ? bytes32(0) : which == 1 ? keccak256("another") : last[task] == 0 ? BASE : last[task];
            (bool ok, bytes memory result) = _open(bytes32(task), base, _requirement(0), 0);
            Expect.same(base != 0 && (last[task] == 0 || base == last[task]), ok, result, "P-11: base");
            if (!ok || steps[i] & 128 == 0) continue;
            uint64 round = ledger.roundCount();
            _commitAll(round);
            _finalise(round);
            last[task] = keccak256(abi.encode("model", i));
            _mustAs(parties[COORDINATOR], address(ledger), _publication(round, last[task]));
            require(ledger.lastModelOf(bytes32(task)) == last[task], "P-11: another model");
        }
    }

    function testFuzz_P11_theCoordinatorAlone(address who) external {
        if (who == parties[COORDINATOR]) return;
        _mustOpen();
        address[] memory none = new address[](0);
        bytes[4] memory calls = [
            _opening(TASK, BASE, _requirement(0), 0),
            abi.encodeCall(ledger.finaliseSet, (1, none, new uint32[](0))),
            abi.encodeCall(ledger.failRound, (1, "")),
            _publication(1, BASE)
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            (bool ok, bytes memory result) = _as(who, address(ledger), calls[i]);
            Expect.refusedBy(ok, result, IRoundLedger.NotTheCoordinator.selector, "P-11: a stranger");
        }
    }

    function testFuzz_P11_withinAWeek(uint64 deadline, bool near) external {
        if (near) deadline = uint64(START + (deadline % 2) * WEEK) - 1 + (deadline >> 1) % 3;
        bytes memory data = abi.encodeCall(ledger.openRound, (TASK, 1, 0, 1, BASE, 0, deadline));
        (bool ok, bytes memory result) = _as(parties[COORDINATOR], address(ledger), data);
        Expect.same(deadline > START && deadline <= START + WEEK, ok, result, "P-11: deadline");
    }

    function testFuzz_P12_trainingAndEvidence(
        uint256 required0,
        uint256 required1,
        uint8 evidence,
        uint32 epsilon,
        uint8 near
    ) external {
        if (near & 1 == 1) required0 %= 1 << 97;
        if (near & 2 == 2) required1 %= 1 << 97;
        if (near & 4 == 4) required0 = (required0 << 16) % (1 << 96) | required0 % 2;
        if (near & 8 == 8) evidence %= 5;
        if (near & 16 == 16) epsilon = uint32(NO_CAP - 1) + epsilon % 4;
        bool lawful = required0 < 1 << 96 && required1 < 1 << 96 && required0 % (1 << 16) != 0 && evidence > 0
            && evidence < 4 && epsilon <= NO_CAP;
        (bool ok, bytes memory result) = _open(TASK, BASE, Requirement(required0, required1, evidence), epsilon);
        Expect.same(lawful, ok, result, "P-12: openRound");
    }

    /// Any list of parties, of whom the first `committed` dealers committed: i + 1 times.
    function testFuzz_P18_distinctCommittedAscending(uint8[] calldata picks, uint8 committed, bool sorted, uint8 moved)
        external
    {
        _mustOpen();
        committed = uint8(3 + committed % 3);
        for (uint256 i = 0; i < committed; i++) {
            for (uint32 attempt = 1; attempt <= i + 1; attempt++) {
                _commit(1, i, attempt);
            }
        }
        address[] memory set = new address[](picks.length % 7);
        bool lawful = set.length >= 3;
        for (uint256 i = 0; i < set.length; i++) {
            set[i] = picks[i] == 255 ? address(0) : parties[picks[i] % (picks[i] > 200 ? PARTIES : DEALERS)];
        }
        if (sorted) _sort(set);
        uint32[] memory attempts = new uint32[](set.length);
        for (uint256 i = 0; i < set.length; i++) {
            attempts[i] = ledger.commitOf(1, set[i]).attempt;
            lawful = lawful && set[i] > (i == 0 ? address(0) : set[i - 1]) && attempts[i] != 0;
        }
        if (moved % 4 == 0 && set.length > 0) {
            // one that was looked at is another than stands
            attempts[moved % set.length] ^= uint32(1) << (moved % 32);
            lawful = false;
        }
        bytes memory data = abi.encodeCall(ledger.finaliseSet, (1, set, attempts));
        (bool ok, bytes memory result) = _as(parties[COORDINATOR], address(ledger), data);
        Expect.same(lawful, ok, result, "P-18: finaliseSet");
        (bytes32 hash, uint32 size) = ledger.setOf(1);
        require(hash == (ok ? keccak256(abi.encode(uint64(1), set)) : bytes32(0)), "P-18: another set");
        require(size == (ok ? set.length : 0), "P-18: another size");
    }

    /// As many attempts as dealers.
    function testFuzz_P18_anAttemptForEachDealer(uint8 count) external {
        _mustOpen();
        _commitAll(1);
        address[] memory set = _everybody();
        uint32[] memory attempts = new uint32[](count % 9);
        for (uint256 i = 0; i < attempts.length; i++) {
            attempts[i] = 1;
        }
        bytes memory data = abi.encodeCall(ledger.finaliseSet, (1, set, attempts));
        (bool ok, bytes memory result) = _as(parties[COORDINATOR], address(ledger), data);
        Expect.same(attempts.length == set.length, ok, result, "P-18: attempts");
    }

    /// Two rounds on one base, their last steps in any order.
    function testFuzz_P19_publishedOnceOnTheLastModel(uint8[12] calldata steps) external {
        for (uint64 round = 1; round <= 2; round++) {
            _mustOpen();
            _commitAll(round);
        }
        IRoundLedger.Status[3] memory status;
        status[1] = status[2] = IRoundLedger.Status.Open;
        bool published = false;
        for (uint256 i = 0; i < steps.length; i++) {
            uint64 round = 1 + steps[i] % 2;
            IRoundLedger.Status was = status[round];
            uint256 what = (steps[i] >> 1) % 7;
            bytes memory data = what < 3
                ? _setCall(round)
                : what < 6
                    ? _publication(round, keccak256(abi.encode(i)))
                    : abi.encodeCall(ledger.failRound, (round, ""));
            bool lawful = what < 3
                ? was == IRoundLedger.Status.Open
                : what < 6
                    ? was == IRoundLedger.Status.Finalised && !published
                    : was == IRoundLedger.Status.Open || was == IRoundLedger.Status.Finalised;
            (bool ok, bytes memory result) = _as(parties[COORDINATOR], address(ledger), data);
            Expect.same(lawful, ok, result, "P-19: a step");
            if (!ok) continue;
            if (what >= 3 && what < 6) published = true;
            status[round] = what < 3
                ? IRoundLedger.Status.Finalised
                : what < 6 ? IRoundLedger.Status.Published : IRoundLedger.Status.Failed;
            require(ledger.roundOf(round).status == status[round], "P-19: status");
        }
    }

    function testFuzz_P20_nothingWhilePaused(uint8 which, bool again) external {
        _mustOpen();
        _commitAll(1);
        _finalise(1);
        _mustOpen();
        _commitAll(2);
        uint256[23] memory signals = _signals(parties[0], _requirement(0), FAR, 0, NO_CAP);
        signals[7] = 1;
        verifier.accept(_hashOf(_proof(1), signals));
        bytes[6] memory calls = [
            _claimCall(_proof(1), signals),
            _selectCall(_requirement(0), BucketTree.prove(_bucketSet(1), 7)),
            _opening(TASK, BASE, _requirement(0), 0),
            abi.encodeCall(ledger.commit, (2, 2, roots[0], BASE, BASE, BASE, 1)),
            _setCall(2),
            _publication(1, BASE)
        ];
        which %= 6;
        address who = parties[which < 2 || which == 3 ? 0 : COORDINATOR];
        address target = which < 2 ? address(registry) : address(ledger);
        _operate(abi.encodeCall(federation.pause, ()));
        (bool ok, bytes memory result) = _as(who, target, calls[which]);
        Expect.refusedBy(ok, result, IRoundLedger.FederationPaused.selector, "P-20: while paused");
        if (!again) return;
        _operate(abi.encodeCall(federation.unpause, ()));
        (ok, result) = _as(who, target, calls[which]);
        Expect.taken(ok, result, "P-20: after the pause");
    }

    /// One bucket of one customer, and any number of both: the same gas to the last unit.
    function testFuzz_P21_theSameCost(uint8 buckets, uint32 customers) external {
        IConsentRegistry.Bucket[] memory few = _buckets(1, 0);
        IConsentRegistry.Bucket[] memory many = _buckets(1 + buckets % 16, 0);
        few[0].memberCount = 1;
        for (uint256 i = 0; i < many.length; i++) {
            many[i].memberCount = 1 + uint64(customers) % 1_000_000;
        }
        BucketTree.sort(many);
        bytes32 rootOfFew = _reconsent(0, few);
        bytes32 rootOfMany = _reconsent(1, many);
        _mustOpen();
        bytes memory ofFew = abi.encodeCall(ledger.commit, (1, 1, rootOfFew, BASE, BASE, BASE, 1));
        bytes memory ofMany = abi.encodeCall(ledger.commit, (1, 1, rootOfMany, BASE, BASE, BASE, 1));
        // a third one first: then what both read is warm, and no memory of this test grows while they are measured
        _gasOf(2, abi.encodeCall(ledger.commit, (1, 1, roots[2], BASE, BASE, BASE, 1)));
        uint256 costOfFew = _gasOf(0, ofFew);
        uint256 costOfMany = _gasOf(1, ofMany);
        require(
            costOfFew == costOfMany,
            string.concat("P-21: the cost differs: ", VM.toString(costOfFew), ", ", VM.toString(costOfMany))
        );
    }

    function testFuzz_P22_theKeysItOpenedWith(uint8[6] calldata steps) external {
        bytes32[7] memory opened;
        uint256 registered = HOLDERS;
        for (uint256 i = 0; i < steps.length; i++) {
            bytes32 keys = federation.keysHash();
            _mustOpen();
            opened[i + 1] = keys;
            if (steps[i] % 4 == 0 && registered < PARTIES - FIRST_HOLDER) {
                address fresh = parties[FIRST_HOLDER + registered++];
                _operate(abi.encodeCall(federation.registerKeyHolder, (fresh)));
                (bool ok,) = _open(TASK, BASE, _requirement(0), 0);
                Expect.refused(ok, "P-22: opened without a key");
                _rotate(fresh, 100 + i);
            } else {
                _rotate(parties[FIRST_HOLDER + steps[i] % HOLDERS], 100 + i);
            }
            require(federation.keysHash() != keys, "P-22: the same keys");
            for (uint64 round = 1; round <= i + 1; round++) {
                require(ledger.roundOf(round).keysHash == opened[round], "P-22: a round's keys moved");
            }
        }
    }

    function _rotate(address holder, uint256 label) private {
        _mustAs(
            holder, address(federation), abi.encodeCall(federation.rotateKey, (_publicKey(label, PUBLIC_KEY_BYTES)))
        );
    }

    function _reconsent(uint256 party, IConsentRegistry.Bucket[] memory buckets) private returns (bytes32) {
        State memory s = _state(parties[party], 2, 0);
        s.bucketsRoot = BucketTree.nodesOf(buckets)[0];
        _mustAs(parties[party], address(registry), _anchorCall(s, _quorum(s)));
        uint256[23] memory signals = _signals(parties[party], _requirement(0), FAR, 0, NO_CAP);
        for (uint256 i = 0; i < buckets.length; i++) {
            signals[7 + i] = buckets[i].digest;
        }
        verifier.accept(_hashOf(_proof(1), signals));
        _mustAs(parties[party], address(registry), _claimCall(_proof(1), signals));
        BucketTree.Multiproof memory m = BucketTree.prove(buckets, (1 << buckets.length) - 1);
        _mustAs(parties[party], address(registry), _selectCall(_requirement(0), m));
        return _rootOf(s);
    }

    function _gasOf(uint256 party, bytes memory data) private returns (uint256 used) {
        address target = address(ledger);
        VM.prank(parties[party]);
        uint256 before = gasleft();
        (bool ok,) = target.call(data);
        used = before - gasleft();
        require(ok, "P-21: refused");
    }

    function _opening(bytes32 task, bytes32 base, Requirement memory r, uint32 epsilon)
        private
        view
        returns (bytes memory)
    {
        uint64 deadline = uint64(block.timestamp) + 100;
        return abi.encodeCall(
            ledger.openRound, (task, r.required0, r.required1, uint8(r.minEvidence), base, epsilon, deadline)
        );
    }

    function _open(bytes32 task, bytes32 base, Requirement memory r, uint32 epsilon)
        private
        returns (bool, bytes memory)
    {
        return _as(parties[COORDINATOR], address(ledger), _opening(task, base, r, epsilon));
    }

    function _mustOpen() private {
        _mustAs(parties[COORDINATOR], address(ledger), _opening(TASK, BASE, _requirement(0), 0));
    }

    function _commit(uint64 round, uint256 party, uint32 attempt) private {
        bytes memory data =
            abi.encodeCall(ledger.commit, (round, attempt, roots[party], BASE, BASE, BASE, uint32(members[party])));
        _mustAs(parties[party], address(ledger), data);
    }

    function _commitAll(uint64 round) private {
        for (uint256 i = 0; i < DEALERS; i++) {
            _commit(round, i, 1);
        }
    }

    function _everybody() private view returns (address[] memory set) {
        set = new address[](DEALERS);
        for (uint256 i = 0; i < DEALERS; i++) {
            set[i] = parties[i];
        }
        _sort(set);
    }

    function _setCall(uint64 round) private view returns (bytes memory) {
        uint32[] memory attempts = new uint32[](DEALERS);
        for (uint256 i = 0; i < DEALERS; i++) {
            attempts[i] = 1;
        }
        return abi.encodeCall(ledger.finaliseSet, (round, _everybody(), attempts));
    }

    function _finalise(uint64 round) private {
        _mustAs(parties[COORDINATOR], address(ledger), _setCall(round));
    }

    function _publication(uint64 round, bytes32 model) private view returns (bytes memory) {
        return abi.encodeCall(ledger.publish, (round, model, BASE, 9_000, 7_000, BASE));
    }

    function _sort(address[] memory set) private pure {
        for (uint256 i = 1; i < set.length; i++) {
            for (uint256 j = i; j > 0 && set[j] < set[j - 1]; j--) {
                (set[j], set[j - 1]) = (set[j - 1], set[j]);
            }
        }
    }
}
