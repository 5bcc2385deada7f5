// SPDX-License-Identifier: Apache-2.0
// One dealer and two customers whom it may ignore: withdrawals forced by anybody, acknowledged or not.
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {Dice} from "../Dice.sol";
import {Passkeys} from "../Passkeys.sol";
import {Judge} from "./Judge.sol";

contract ForcedHandler is Passkeys, Judge {
    address private immutable dealer;

    uint64 private epoch;
    Place[CUSTOMERS] private places;
    /// Of the withdrawal that is pending; 0: none.
    uint64[CUSTOMERS] private pendingSeq;
    bytes32 private current;
    bytes32 private selected;
    uint32 private attempt;
    bool private paused;
    bool private removed;

    constructor() {
        dealer = parties[0];
        uint256[23] memory signals = _signals(dealer, _requirement(0), FAR, 0, NO_CAP);
        signals[7] = OTHERS;
        verifier.accept(_hashOf(_proof(1), signals));
        _mustAs(dealer, address(registry), _claimCall(_proof(1), signals));
        bytes memory opening = abi.encodeCall(
            ledger.openRound,
            (keccak256("task"), _requirement(0).required0, 0, 1, keccak256("base"), 0, uint64(block.timestamp + WEEK))
        );
        _mustAs(parties[COORDINATOR], address(ledger), opening);
    }

    /// Customers leave, come back, and stay with a later operation.
    function anchor(uint256 seed) external {
        Dice memory dice = Dice(seed);
        Place[CUSTOMERS] memory next = places;
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            if (dice.oneIn(2)) next[i] = Place(dice.oneIn(3) ? 0 : 1 + i, next[i].seq + 1 + uint64(dice.roll(3)));
        }
        State memory s = _peopleState(dealer, epoch + 1, next);
        (bool ok,) = _as(dealer, address(registry), _anchorCall(s, _quorum(s)));
        _judge("anchor", ok, _rule(5, !removed), paused ? 7 : 0);
        if (!ok) return;
        epoch++;
        current = _rootOf(s);
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            places[i] = next[i];
        }
    }

    function force(uint256 seed) external {
        Dice memory dice = Dice(seed);
        uint256 customer = dice.roll(CUSTOMERS);
        uint64 there = places[customer].seq;
        uint64 seq = there + uint64(dice.roll(4));
        uint256 fault = dice.roll(20);
        (bytes memory operation, bool genuine) = _anyOperation(dice, customer, seq, fault);
        IConsentRegistry.Assertion memory assertion = _anyAssertion(operation, customer, fault);
        IConsentRegistry.Membership memory m = _membership(dealer, places, customer, fault == 9 ? there ^ 1 : there);
        bool lawful = genuine && (fault < 5 || fault > 9) && epoch > 0 && places[customer].digest != 0 && seq > there
            && seq > 0 && pendingSeq[customer] == 0;
        bytes memory data = abi.encodeCall(IConsentRegistry.forceWithdraw, (operation, assertion, m));
        (bool ok,) = _as(parties[dice.roll(PARTIES)], address(registry), data);
        _judge(paused ? "force while paused" : "force", ok, _rule(23, lawful), 24);
        if (ok) pendingSeq[customer] = seq;
    }

    function acknowledge(uint256 seed) external {
        Dice memory dice = Dice(seed);
        IConsentRegistry.Departure[] memory departures = new IConsentRegistry.Departure[](dice.roll(3));
        bool gone = true;
        for (uint256 i = 0; i < departures.length; i++) {
            departures[i] = _departure(dealer, places, i);
            gone = gone && epoch > 0 && places[i].digest == 0;
        }
        if (departures.length > 0 && dice.oneIn(8)) {
            departures[0].nextSubject = bytes32(dice.word());
            gone = false;
        }
        bytes memory data = abi.encodeCall(IConsentRegistry.acknowledge, (dealer, departures));
        (bool ok,) = _as(parties[dice.roll(PARTIES)], address(registry), data);
        _judge("acknowledge", ok, _rule(26, gone));
        for (uint256 i = 0; ok && i < departures.length; i++) {
            pendingSeq[i] = 0;
        }
    }

    function acknowledgeReturn(uint256 seed) external {
        Dice memory dice = Dice(seed);
        uint256 customer = dice.roll(CUSTOMERS);
        uint64 there = places[customer].seq;
        uint64 said = dice.oneIn(6) ? there + 1 : there;
        IConsentRegistry.Membership memory m = _membership(dealer, places, customer, said);
        bytes memory data =
            abi.encodeCall(IConsentRegistry.acknowledgeReturn, (dealer, _subjectOf(dealer, customer), m));
        (bool ok,) = _as(parties[dice.roll(PARTIES)], address(registry), data);
        bool back = epoch > 0 && places[customer].digest != 0 && said == there && there > pendingSeq[customer];
        _judge("acknowledgeReturn", ok, _rule(26, back));
        if (ok) pendingSeq[customer] = 0;
    }

    function select(uint256) external {
        bytes memory data = _selectCall(_requirement(0), _bucketOf(_bucketsOf(dealer, places), OTHERS));
        (bool ok,) = _as(dealer, address(registry), data);
        _judge("select", ok, _rule(10, !removed && epoch > 0) | _rule(20, !paused) | _rule(25, _pending() == 0));
        if (ok) selected = current;
    }

    function commit(uint256) external {
        bytes memory data = abi.encodeCall(ledger.commit, (1, attempt + 1, current, RECORD, RECORD, RECORD, 5));
        (bool ok,) = _as(dealer, address(ledger), data);
        uint256 broken = _rule(13, !removed) | _rule(14, current != 0 && selected == current) | _rule(20, !paused)
            | _rule(25, _pending() == 0);
        _judge("commit", ok, broken);
        if (ok) attempt++;
    }

    function office(uint256 seed) external {
        if (seed % 2 == 0) {
            _operate(paused ? abi.encodeCall(federation.unpause, ()) : abi.encodeCall(federation.pause, ()));
            paused = !paused;
        } else {
            _operate(
                removed
                    ? abi.encodeCall(federation.registerDealer, (dealer))
                    : abi.encodeCall(federation.removeDealer, (dealer))
            );
            removed = !removed;
        }
    }

    function checkPending() external view {
        IConsentRegistry.PendingWithdrawal[] memory stored = registry.pendingWithdrawals(dealer);
        require(stored.length == _pending(), "P-26: cleared or forced by itself");
        for (uint256 i = 0; i < stored.length; i++) {
            uint256 customer = stored[i].subject == _subjectOf(dealer, 0) ? 0 : 1;
            require(stored[i].subject == _subjectOf(dealer, customer), "P-23: somebody else");
            require(stored[i].seq == pendingSeq[customer] && stored[i].seq != 0, "P-23: another operation");
        }
    }

    function _pending() private view returns (uint256 count) {
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            if (pendingSeq[i] != 0) count++;
        }
    }

    /// Faults 0 to 4: not a withdrawal, not the signer's subject, another dealer, a byte too many, a long sequence number.
    function _anyOperation(Dice memory dice, uint256 customer, uint64 seq, uint256 fault)
        private
        view
        returns (bytes memory operation, bool genuine)
    {
        Operation memory o = _withdrawal(dealer, customer, seq);
        if (fault == 0) o.newDigest = 1 + dice.roll(3);
        if (fault == 1) o.subject = _subjectOf(dealer, 1 - customer);
        if (fault == 2) o = _withdrawal(parties[1], customer, seq);
        if (fault == 4) o.seq = abi.encodePacked(uint8(25), uint16(seq));
        operation = _encode(o);
        if (fault == 3) operation = bytes.concat(operation, hex"00");
        genuine = fault > 4;
    }

    /// Faults 5 to 8: another key, not verified, another ceremony, the malleable twin.
    function _anyAssertion(bytes memory operation, uint256 customer, uint256 fault)
        private
        pure
        returns (IConsentRegistry.Assertion memory a)
    {
        a = _assert(
            operation,
            fault == 5 ? 1 - customer : customer,
            fault == 6 ? 1 : 5,
            fault == 7 ? "webauthn.create" : "webauthn.get"
        );
        if (fault == 8) a.s = bytes32(P256_ORDER - uint256(a.s));
    }
}
