// SPDX-License-Identifier: Apache-2.0
// RoundLedger.commit against a registry that says anything: P-13 to P-17 and P-25, to the edge of each range.
pragma solidity ^0.8.24;

import {RoundLedger} from "../src/RoundLedger.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {IRoundLedger} from "../src/interfaces/IRoundLedger.sol";
import {Expect} from "./Expect.sol";
import {World} from "./World.sol";
import {VM} from "./Vm.sol";

/// All that a commit asks of a registry.
contract StandingDouble {
    bytes32 private _root;
    uint256 private _pending;
    IConsentRegistry.Selection private _selection;

    function say(bytes32 root, uint256 pending, IConsentRegistry.Selection calldata selection) external {
        (_root, _pending, _selection) = (root, pending, selection);
    }

    function standingOf(address, bytes32) external view returns (bytes32, uint256, IConsentRegistry.Selection memory) {
        return (_root, _pending, _selection);
    }
}

contract CommitTest is World {
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private constant TASK = keccak256("task");
    bytes32 private constant BASE = keccak256("base");

    StandingDouble private standing;

    constructor() {
        standing = new StandingDouble();
        ledger = RoundLedger(_deploy("RoundLedger", abi.encode(federation, standing)));
        standing.say(ROOT, 0, _anySelection());
    }

    function testFuzz_P13_attemptsRiseStrictly(uint32[8] memory attempts, bool near) external {
        _open(TASK, BASE, 0, 100);
        uint32 last = 0;
        for (uint256 i = 0; i < attempts.length; i++) {
            uint32 attempt = near ? attempts[i] % 6 : attempts[i];
            (bool ok, bytes memory result) = _commit(0, attempt, ROOT, 1);
            Expect.same(attempt > last, ok, result, "P-13: attempt");
            if (ok) last = attempt;
            require(ledger.commitOf(1, parties[0]).attempt == last, "P-13: another attempt stands");
        }
    }

    function testFuzz_P13_beforeTheDeadline(uint64 length, uint64 elapsed, bool near) external {
        length = 1 + length % uint64(WEEK);
        elapsed = near ? length - 1 + elapsed % 3 : elapsed % 2_000_000;
        _open(TASK, BASE, 0, length);
        VM.warp(START + elapsed);
        (bool ok, bytes memory result) = _commit(0, 1, ROOT, 1);
        Expect.same(elapsed < length, ok, result, "P-13: deadline");
    }

    function testFuzz_P13_registeredDealersInOpenRounds(uint8 party, uint8 removed, uint8 round) external {
        _open(TASK, BASE, 0, 100);
        _open(TASK, BASE, 0, 100);
        _mustAs(parties[COORDINATOR], address(ledger), abi.encodeCall(ledger.failRound, (2, "failed")));
        _operate(abi.encodeCall(federation.removeDealer, (parties[removed % DEALERS])));
        party %= uint8(PARTIES);
        round %= 4;
        bytes memory data = abi.encodeCall(ledger.commit, (round, 1, ROOT, ROOT, ROOT, ROOT, 1));
        (bool ok, bytes memory result) = _as(parties[party], address(ledger), data);
        bool lawful = round == 1 && party < DEALERS && party != removed % DEALERS;
        Expect.same(lawful, ok, result, "P-13: dealer and round");
    }

    function testFuzz_P14_theCurrentRootAlone(uint8 given, uint8 current, uint8 selected) external {
        // 0 stands for no anchor, no selection
        bytes32[3] memory roots =
            [bytes32(uint256(given) % 3), bytes32(uint256(current) % 3), bytes32(uint256(selected) % 3)];
        IConsentRegistry.Selection memory s = _anySelection();
        s.root = roots[2];
        standing.say(roots[1], 0, s);
        _open(TASK, BASE, 0, 100);
        (bool ok, bytes memory result) = _commit(0, 1, roots[0], 1);
        Expect.same(roots[0] == roots[1] && roots[1] == roots[2] && roots[1] != 0, ok, result, "P-14: root");
        if (!ok) Expect.refusedBy(ok, result, IRoundLedger.StaleRoot.selector, "P-14: root");
    }

    function testFuzz_P15_untilTheFirstExpiry(uint40 validUntil, uint64 elapsed, bool near) external {
        elapsed %= uint64(WEEK);
        if (near) validUntil = uint40(START + elapsed - 1 + validUntil % 3);
        IConsentRegistry.Selection memory s = _anySelection();
        s.validUntil = validUntil;
        standing.say(ROOT, 0, s);
        _open(TASK, BASE, 0, uint64(WEEK));
        VM.warp(START + elapsed);
        (bool ok, bytes memory result) = _commit(0, 1, ROOT, 1);
        Expect.same(START + elapsed < validUntil, ok, result, "P-15: expiry");
        if (!ok) Expect.refusedBy(ok, result, IRoundLedger.ConsentExpired.selector, "P-15: expiry");
    }

    function testFuzz_P16_accuracyAttestedAndFresh(uint16 floor, uint16 accuracy, uint32 age, bool attested, uint8 near)
        external
    {
        accuracy %= 10_001;
        if (near & 1 == 1) floor = accuracy + floor % 3;
        if (near & 5 == 5 && floor > 0) floor--;
        floor %= 10_001;
        if (near & 2 == 2) age = METRIC_MAX_AGE - 1 + age % 3;
        age %= 10_000_000;
        bytes32 base = BASE;
        if (attested) {
            _publishRound(accuracy);
            base = keccak256("model");
        }
        IConsentRegistry.Selection memory s = _anySelection();
        s.accuracyFloorBps = floor;
        standing.say(ROOT, 0, s);
        VM.warp(START + age);
        _open(TASK, base, 0, 100);
        (bool ok, bytes memory result) = _commit(0, 1, ROOT, 1);
        bool lawful = floor == 0 || (attested && age <= METRIC_MAX_AGE && accuracy >= floor);
        Expect.same(lawful, ok, result, "P-16: accuracy");
    }

    function testFuzz_P17_epsilonWithinTheCap(uint32 epsilon, uint32 cap, bool near) external {
        epsilon %= uint32(NO_CAP + 1);
        if (near) cap = epsilon == 0 ? cap % 2 : epsilon - 1 + cap % 3;
        IConsentRegistry.Selection memory s = _anySelection();
        s.privacyCapMilli = cap;
        standing.say(ROOT, 0, s);
        _open(TASK, BASE, epsilon, 100);
        (bool ok, bytes memory result) = _commit(0, 1, ROOT, 1);
        Expect.same(epsilon <= cap, ok, result, "P-17: epsilon");
    }

    function testFuzz_P17_weightOfThoseSelected(uint32 weight, uint64 members, bool near) external {
        if (near) members = weight == 0 ? members % 2 : uint64(weight) - 1 + members % 3;
        IConsentRegistry.Selection memory s = _anySelection();
        s.memberCount = members;
        standing.say(ROOT, 0, s);
        _open(TASK, BASE, 0, 100);
        (bool ok, bytes memory result) = _commit(0, 1, ROOT, weight);
        Expect.same(weight > 0 && weight <= members, ok, result, "P-17: weight");
    }

    function testFuzz_P25_notWhileAWithdrawalIsPending(uint256 pending, bool none) external {
        if (none) pending = 0;
        standing.say(ROOT, pending, _anySelection());
        _open(TASK, BASE, 0, 100);
        (bool ok, bytes memory result) = _commit(0, 1, ROOT, 1);
        Expect.same(pending == 0, ok, result, "P-25: pending");
        if (!ok) Expect.refusedBy(ok, result, IConsentRegistry.ForcedWithdrawalPending.selector, "P-25: pending");
    }

    function _anySelection() private pure returns (IConsentRegistry.Selection memory) {
        return IConsentRegistry.Selection(ROOT, type(uint64).max, type(uint40).max, 0, type(uint32).max);
    }

    function _open(bytes32 task, bytes32 base, uint32 epsilon, uint64 length) private {
        bytes memory data =
            abi.encodeCall(ledger.openRound, (task, 1, 0, 1, base, epsilon, uint64(block.timestamp) + length));
        _mustAs(parties[COORDINATOR], address(ledger), data);
    }

    /// To the latest round.
    function _commit(uint256 party, uint32 attempt, bytes32 root, uint32 weight) private returns (bool, bytes memory) {
        bytes memory data =
            abi.encodeCall(ledger.commit, (ledger.roundCount(), attempt, root, ROOT, ROOT, ROOT, weight));
        return _as(parties[party], address(ledger), data);
    }

    function _publishRound(uint16 accuracyBps) private {
        _open(TASK, BASE, 0, 100);
        address[] memory set = new address[](3);
        uint32[] memory attempts = new uint32[](3);
        for (uint256 i = 0; i < 3; i++) {
            _commit(i, 1, ROOT, 1);
            (set[i], attempts[i]) = (parties[i], 1);
            for (uint256 j = i; j > 0 && set[j] < set[j - 1]; j--) {
                (set[j], set[j - 1]) = (set[j - 1], set[j]);
            }
        }
        _mustAs(parties[COORDINATOR], address(ledger), abi.encodeCall(ledger.finaliseSet, (1, set, attempts)));
        bytes memory data = abi.encodeCall(ledger.publish, (1, keccak256("model"), ROOT, accuracyBps, 0, ROOT));
        _mustAs(parties[COORDINATOR], address(ledger), data);
    }
}
