// SPDX-License-Identifier: Apache-2.0
// A federation and the deployments that carry it on: P-27 to P-31.
pragma solidity ^0.8.24;

import {Federation} from "../src/Federation.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {IFederation} from "../src/interfaces/IFederation.sol";
import {IRoundLedger} from "../src/interfaces/IRoundLedger.sol";
import {Expect} from "./Expect.sol";
import {Line} from "./Line.sol";

/// Names any predecessor, and has any registry.
contract HeirDouble {
    address public immutable predecessor;
    address public immutable registry;

    constructor(address predecessor_, address registry_) {
        predecessor = predecessor_;
        registry = registry_;
    }
}

/// Every run deploys two to five federations.
/// forge-config: default.fuzz.runs = 64
contract SuccessionTest is Line {
    bytes32 private constant TASK = keccak256("task");
    bytes32 private constant BASE = keccak256("base");

    function testFuzz_P27_thePredecessorIsABoundFederation(uint8 which) external {
        Federation unbound = Federation(_deployFederation(address(0)));
        address named = which % 4 == 0
            ? address(federation)
            : which % 4 == 1 ? address(unbound) : which % 4 == 2 ? address(registry) : parties[which % PARTIES];
        try this.deployAfter(named) returns (address made) {
            require(which % 4 == 0, "P-27: deployed");
            require(Federation(made).predecessor() == named, "P-27: another predecessor");
        } catch {
            require(which % 4 != 0, "P-27: refused");
        }
        require(federation.predecessor() == address(0), "P-27: the first of its line");
    }

    function deployAfter(address named) external returns (address) {
        return _deployFederation(named);
    }

    /// By anybody; any heir, bound or not, that names this federation or another; once.
    function testFuzz_P27_namedOnceByItsOperator(uint8 who, bool names, bool bound, bool stop) external {
        address sender = parties[who % 2 == 0 ? OPERATOR : who % PARTIES];
        if (stop) _operate(abi.encodeCall(federation.pause, ()));
        HeirDouble heir =
            new HeirDouble(names ? address(federation) : address(registry), bound ? address(registry) : address(0));
        bytes memory data = abi.encodeCall(federation.nameSuccessor, (address(heir)));
        (bool ok, bytes memory result) = _as(sender, address(federation), data);
        Expect.same(sender == parties[OPERATOR] && names && bound, ok, result, "P-27: nameSuccessor");
        require(federation.successor() == (ok ? address(heir) : address(0)), "P-27: another successor");
        require(federation.paused() == (ok || stop), "P-27: paused");
        if (!ok) return;
        HeirDouble another = new HeirDouble(address(federation), address(registry));
        data = abi.encodeCall(federation.nameSuccessor, (address(another)));
        (ok, result) = _as(parties[OPERATOR], address(federation), data);
        Expect.refusedBy(ok, result, IFederation.Superseded.selector, "P-27: named twice");
        (ok, result) = _as(parties[OPERATOR], address(federation), abi.encodeCall(federation.unpause, ()));
        Expect.refusedBy(ok, result, IFederation.Superseded.selector, "P-27: goes on");
    }

    /// One that its own predecessor has not named cannot name another: no line begins without consent.
    function testFuzz_P28_atMostOneInForce(uint8 length, uint8 named) external {
        _lengthen(2 + length % 3);
        uint256 links = named % line.length;
        for (uint256 i = 0; i < links; i++) {
            _succeed(i);
        }
        for (uint256 i = 0; i < line.length; i++) {
            (bool ok, bytes memory result) =
                address(line[i].federation).call(abi.encodeCall(IFederation.requireInForce, ()));
            Expect.same(i == links, ok, result, "P-28: in force");
            if (i + 1 == line.length || i <= links) continue;
            bytes memory data = abi.encodeCall(IFederation.nameSuccessor, (address(line[i + 1].federation)));
            (ok, result) = _as(parties[OPERATOR], address(line[i].federation), data);
            Expect.refusedBy(ok, result, IFederation.NotNamedByPredecessor.selector, "P-28: a line of its own");
        }
    }

    /// Of two deployments, before and after the one has named the other: anchors, forced withdrawals, acknowledgements, rounds.
    function testFuzz_P28_oneTakesThem(bool linked, bool asked, uint8 which) external {
        Place[CUSTOMERS] memory places = _everybodyIn();
        _anchorPeople(0, 1, places);
        if (which % 4 > 1) _mustForce(0, 0, places);
        _lengthen(2);
        if (linked) _succeed(0);
        uint256 d = asked ? 1 : 0;
        _go(d);
        bytes memory data;
        address target = address(registry);
        if (which % 4 == 0) {
            State memory s = _peopleState(dealer, 2, places);
            data = _anchorCall(s, _quorum(s));
        } else if (which % 4 == 1) {
            data = _forceCall(1, places);
        } else if (which % 4 == 2) {
            data = abi.encodeCall(registry.acknowledge, (dealer, new IConsentRegistry.Departure[](0)));
        } else {
            data = _openingOf(TASK, BASE);
            target = address(ledger);
        }
        (bool ok, bytes memory result) = _as(which % 4 == 3 ? parties[COORDINATOR] : dealer, target, data);
        Expect.same(linked == asked, ok, result, "P-28: taken by one");
    }

    /// A first anchor under the heir, of any epoch and length, with the old head or another.
    function testFuzz_P29_theLogGoesOn(uint64 epoch, uint64 first, uint64 second, bool sameHead, bool near, uint8 skip)
        external
    {
        unchecked {
            if (near) (epoch, second) = (epoch % 4, first - 1 + second % 3);
        }
        State memory s = _state(dealer, 1, 0);
        s.operationCount = first;
        _mustAs(dealer, address(registry), _anchorCall(s, _quorum(s)));
        // some deployments may pass without an anchor of this dealer
        uint256 last = 1 + skip % 3;
        _lengthen(last + 1);
        for (uint256 i = 0; i < last; i++) {
            _succeed(i);
        }
        _go(last);
        require(registry.currentAnchor(dealer).root == _rootOf(s), "P-29: another anchor");
        require(!registry.hasAnchored(dealer), "P-29: anchored by itself");
        State memory next = _state(dealer, 2, 1);
        next.epoch = epoch;
        next.operationCount = second;
        if (sameHead) next.logHead = s.logHead;
        (bool ok, bytes memory result) = _as(dealer, address(registry), _anchorCall(next, _quorum(next)));
        bool lawful = epoch == 2 && (second > first || (second == first && next.logHead == s.logHead));
        Expect.same(lawful, ok, result, "P-29: anchor");
        require(registry.currentAnchor(dealer).root == _rootOf(ok ? next : s), "P-29: another root");
        require(registry.hasAnchored(dealer) == ok, "P-29: hasAnchored");
    }

    /// A root that another quorum witnessed is nothing to commit under.
    function testFuzz_P29_nothingUnderAnEarlierRoot(bool anchored) external {
        (bytes32 root, uint64 members) = _consent(0, 1, _requirement(0), FAR, 0, NO_CAP);
        _lengthen(2);
        _succeed(0);
        _go(1);
        if (anchored) (root, members) = _consent(0, 1, _requirement(0), FAR, 0, NO_CAP);
        _mustAs(parties[COORDINATOR], address(ledger), _openingOf(TASK, BASE));
        bytes memory data =
            abi.encodeCall(ledger.commit, (1, 1, root, BASE, BASE, BASE, uint32(members)));
        (bool ok, bytes memory result) = _as(dealer, address(ledger), data);
        Expect.same(anchored, ok, result, "P-29: commit");
        if (!anchored) Expect.refusedBy(ok, result, IRoundLedger.StaleRoot.selector, "P-29: commit");
    }

    /// Any of two customers, each forced out here or there, or not at all; then gone, or back by a later operation.
    function testFuzz_P30_whatWasForcedStillBinds(uint8 forced, uint8 skip, bool gone, uint8 acknowledged) external {
        Place[CUSTOMERS] memory places = _everybodyIn();
        _anchorPeople(0, 1, places);
        uint256 last = 1 + skip % 2;
        _lengthen(last + 1);
        uint256 pending = 0;
        for (uint256 d = 0; d <= last; d++) {
            if (d > 0) _succeed(d - 1);
            for (uint256 i = 0; i < CUSTOMERS; i++) {
                if ((forced >> (2 * i)) & 3 != 1 + d) continue;
                _mustForce(d, i, places);
                pending++;
            }
        }
        _go(last);
        require(registry.pendingCount(dealer) == pending, "P-30: before the first anchor");
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            if (registry.pendingSeq(dealer, _subjectOf(dealer, i)) == 0) continue;
            (bool twice, bytes memory why) = _as(parties[7], address(registry), _forceCall(i, places));
            Expect.refusedBy(twice, why, IConsentRegistry.AlreadyPending.selector, "P-30: forced twice");
        }
        // an earlier root settles nothing
        (bool early,) = _as(parties[7], address(registry), _returnCall(0, places));
        Expect.refused(early, "P-30: settled by an earlier root");
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            places[i] = gone ? Place(0, 0) : Place(1 + i, 3);
        }
        _anchorPeople(last, 2, places);
        _claimOthers();
        _expectStanding(places, pending);
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            if ((acknowledged >> i) & 1 == 0) continue;
            if (registry.pendingSeq(dealer, _subjectOf(dealer, i)) != 0) pending--;
            // twice: one withdrawal is acknowledged once
            for (uint256 again = 0; again < 2; again++) {
                _mustAs(parties[7], address(registry), gone ? _departureCall(i, places) : _returnCall(i, places));
            }
        }
        _expectStanding(places, pending);
    }

    function testFuzz_P30_settledForTheNextOneToo(bool acknowledged) external {
        Place[CUSTOMERS] memory places = _everybodyIn();
        _anchorPeople(0, 1, places);
        _mustForce(0, 0, places);
        _lengthen(3);
        _succeed(0);
        places[0] = Place(0, 0);
        _anchorPeople(1, 2, places);
        if (acknowledged) _mustAs(parties[7], address(registry), _departureCall(0, places));
        _succeed(1);
        _go(2);
        uint256 pending = acknowledged ? 0 : 1;
        require(registry.pendingCount(dealer) == pending, "P-30: pending");
        _anchorPeople(2, 3, places);
        _claimOthers();
        _expectStanding(places, pending);
    }

    /// Rounds of two tasks in three deployments, each on any base.
    function testFuzz_P31_oneHistoryOfAModel(uint8[9] calldata steps) external {
        _lengthen(3);
        bytes32[] memory roots;
        bytes32[2] memory models;
        uint64 rounds = 0;
        for (uint256 i = 0; i < steps.length; i++) {
            if (i > 0 && i % 3 == 0) _succeed(i / 3 - 1);
            _go(i / 3);
            if (i % 3 == 0) roots = _consentOfAll();
            uint256 task = steps[i] & 1;
            bytes32 base = steps[i] & 2 == 0 && models[task] != 0 ? models[task] : keccak256(abi.encode("any", i % 4));
            (bool ok, bytes memory result) =
                _as(parties[COORDINATOR], address(ledger), _openingOf(bytes32(task), base));
            Expect.same(models[task] == 0 || base == models[task], ok, result, "P-31: base");
            require(ledger.lastModelOf(bytes32(task)) == models[task], "P-31: another model");
            if (!ok) continue;
            rounds++;
            require(ledger.roundCount() == rounds, "P-31: the number of a round");
            if (steps[i] & 4 == 0) continue;
            models[task] = keccak256(abi.encode("model", i));
            _commitAll(rounds, roots);
            _finalise(rounds);
            _publish(rounds, models[task]);
        }
    }

    /// What was not ended has failed, its set and all; what was is as it was.
    function testFuzz_P31_earlierRoundsAreKnown(uint8 stage) external {
        stage %= 4;
        bytes32[] memory roots = _consentOfAll();
        _mustAs(parties[COORDINATOR], address(ledger), _openingOf(TASK, BASE));
        if (stage > 0) _commitAll(1, roots);
        if (stage > 1) _finalise(1);
        if (stage > 2) _publish(1, keccak256("model"));
        IRoundLedger.Round memory r = ledger.roundOf(1);
        IRoundLedger.Commitment memory c = ledger.commitOf(1, dealer);
        _lengthen(2);
        _succeed(0);
        _go(1);
        if (stage < 3) r.status = IRoundLedger.Status.Failed;
        require(keccak256(abi.encode(ledger.roundOf(1))) == keccak256(abi.encode(r)), "P-31: another round");
        require(keccak256(abi.encode(ledger.commitOf(1, dealer))) == keccak256(abi.encode(c)), "P-31: another commit");
        require(ledger.roundOf(2).status == IRoundLedger.Status.None, "P-31: a round nobody opened");
    }

    /// Pending as many as this, each once; and a selection only when there are none.
    function _expectStanding(Place[CUSTOMERS] memory places, uint256 pending) private {
        IConsentRegistry.PendingWithdrawal[] memory all = registry.pendingWithdrawals(dealer);
        require(all.length == pending && registry.pendingCount(dealer) == pending, "P-30: how many are pending");
        for (uint256 i = 0; i < all.length; i++) {
            require(all[i].seq == registry.pendingSeq(dealer, all[i].subject) && all[i].seq != 0, "P-30: another seq");
            require(i == 0 || all[i].subject != all[i - 1].subject, "P-30: one twice");
        }
        bytes memory data = _selectCall(_requirement(0), _bucketOf(_bucketsOf(dealer, places), OTHERS));
        (bool ok, bytes memory result) = _as(dealer, address(registry), data);
        Expect.same(pending == 0, ok, result, "P-30: admitSelection");
    }
}
