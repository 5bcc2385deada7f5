// SPDX-License-Identifier: Apache-2.0
// Forced withdrawals, with real passkey signatures: P-23 to P-26.
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {Expect} from "./Expect.sol";
import {Passkeys} from "./Passkeys.sol";

contract ForcedTest is Passkeys {
    address private immutable dealer;

    /// Both customers are there with operation 1.
    constructor() {
        dealer = parties[0];
        _anchor(1, _places(1, 1));
    }

    /// Over every width of a sequence number.
    function testFuzz_P23_aLaterOperation(uint64 seq, uint64 there, uint8 width, bool near) external {
        seq >>= width % 64;
        if (near) there = seq - (seq == 0 ? 0 : 1) + there % 3;
        _anchor(2, _places(there, 1));
        (bool ok, bytes memory result) = _force(_places(there, 1), _withdrawal(dealer, 0, seq), 0);
        // 2^53 - 1: above it, JavaScript does not count exactly
        Expect.same(seq > there && seq < 1 << 53, ok, result, "P-23: seq");
    }

    /// One byte is not what was signed.
    function testFuzz_P23_theSignedBytesAlone(uint16 position, uint8 difference) external {
        bytes memory operation = _encode(_withdrawal(dealer, 0, 2));
        IConsentRegistry.Assertion memory a = _assert(operation, 0);
        uint256 i = position % (operation.length + a.authenticatorData.length + a.clientDataJSON.length);
        bytes1 flip = bytes1(difference == 0 ? 1 : difference);
        if (i < operation.length) operation[i] ^= flip;
        else if (i < operation.length + a.authenticatorData.length) a.authenticatorData[i - operation.length] ^= flip;
        else a.clientDataJSON[i - operation.length - a.authenticatorData.length] ^= flip;
        (bool ok,) = _send(operation, a, _membership(dealer, _places(1, 1), 0, 1));
        Expect.refused(ok, "P-23: not the signed bytes");
    }

    /// Signed by its own key, and yet not the canonical encoding.
    function testFuzz_P23_canonicalBytesAlone(uint16 position, uint8 difference) external {
        bytes memory operation = _encode(_withdrawal(dealer, 0, 2));
        // whatever stands in the record's hash, at the end, is the customer's own affair; so is the old digest below the field
        uint256 i = position % (operation.length - 32);
        bytes1 flip = bytes1(difference == 0 ? 1 : difference);
        operation[i] ^= flip;
        (bool ok,) = _send(operation, _assert(operation, 0), _membership(dealer, _places(1, 1), 0, 1));
        uint256 seqAt = 29;
        uint256 oldDigestAt = operation.length - 153;
        bool free = i >= oldDigestAt && i < oldDigestAt + 32;
        bool laterSeq = i == seqAt && uint8(operation[i]) > 1 && uint8(operation[i]) < 24;
        require(!ok || free || laterSeq, "P-23: not canonical");
    }

    function testFuzz_P24_byAnybodyAtAnyTime(address sender, bool paused, bool removed) external {
        if (paused) _operate(abi.encodeCall(federation.pause, ()));
        if (removed) _operate(abi.encodeCall(federation.removeDealer, (dealer)));
        bytes memory operation = _encode(_withdrawal(dealer, 1, 2));
        bytes memory data = abi.encodeCall(
            IConsentRegistry.forceWithdraw, (operation, _assert(operation, 1), _membership(dealer, _places(1, 1), 1, 1))
        );
        (bool ok, bytes memory result) = _as(sender, address(registry), data);
        Expect.taken(ok, result, "P-24: forceWithdraw");
    }

    function testFuzz_P25_neitherSelectsNorCommits(uint8 forced, bool acknowledged) external {
        _claimOthers();
        for (uint256 i = 0; i < CUSTOMERS; i++) {
            if ((forced >> i) & 1 == 1) _mustForce(i);
        }
        bool pending = forced & 3 != 0;
        if (acknowledged) {
            Place[CUSTOMERS] memory gone;
            _anchor(2, gone);
            IConsentRegistry.Departure[] memory departures = new IConsentRegistry.Departure[](2);
            (departures[0], departures[1]) = (_departure(dealer, gone, 0), _departure(dealer, gone, 1));
            _mustAs(parties[7], address(registry), abi.encodeCall(registry.acknowledge, (dealer, departures)));
            pending = false;
        }
        Place[CUSTOMERS] memory places;
        if (!acknowledged) places = _places(1, 1);
        bytes memory data = _selectCall(_requirement(0), _bucketOf(_bucketsOf(dealer, places), OTHERS));
        (bool ok, bytes memory result) = _as(dealer, address(registry), data);
        Expect.same(!pending, ok, result, "P-25: admitSelection");
    }

    /// Forced, then anchored with the customer gone, there as before, or back with some operation.
    function testFuzz_P26_goneOrBack(uint8 seq, bool there, bool asDeparture) external {
        _mustForce(0);
        Place[CUSTOMERS] memory places = _places(seq % 5, 1);
        if (!there) places[0].digest = 0;
        _anchor(2, places);
        bytes memory data;
        if (asDeparture) {
            IConsentRegistry.Departure[] memory departures = new IConsentRegistry.Departure[](1);
            departures[0] = _departure(dealer, places, 0);
            data = abi.encodeCall(registry.acknowledge, (dealer, departures));
        } else {
            IConsentRegistry.Membership memory m = _membership(dealer, places, 0, places[0].seq);
            data = abi.encodeCall(registry.acknowledgeReturn, (dealer, _subjectOf(dealer, 0), m));
        }
        (bool ok, bytes memory result) = _as(parties[7], address(registry), data);
        // the withdrawal is operation 2
        bool lawful = asDeparture ? !there : there && seq % 5 > 2;
        Expect.same(lawful, ok, result, "P-26: acknowledge");
        require(registry.pendingWithdrawals(dealer).length == (lawful ? 0 : 1), "P-26: pending");
    }

    function _places(uint64 first, uint64 second) private pure returns (Place[CUSTOMERS] memory) {
        return [Place(1, first), Place(2, second)];
    }

    function _anchor(uint64 epoch, Place[CUSTOMERS] memory places) private {
        State memory s = _peopleState(dealer, epoch, places);
        _mustAs(dealer, address(registry), _anchorCall(s, _quorum(s)));
    }

    function _force(Place[CUSTOMERS] memory places, Operation memory o, uint256 customer)
        private
        returns (bool, bytes memory)
    {
        bytes memory operation = _encode(o);
        return
            _send(operation, _assert(operation, customer), _membership(dealer, places, customer, places[customer].seq));
    }

    function _mustForce(uint256 customer) private {
        (bool ok, bytes memory result) = _force(_places(1, 1), _withdrawal(dealer, customer, 2), customer);
        Expect.taken(ok, result, "P-24: forceWithdraw");
    }

    function _send(bytes memory operation, IConsentRegistry.Assertion memory a, IConsentRegistry.Membership memory m)
        private
        returns (bool, bytes memory)
    {
        return _as(parties[7], address(registry), abi.encodeCall(registry.forceWithdraw, (operation, a, m)));
    }

    function _claimOthers() private {
        uint256[23] memory signals = _signals(dealer, _requirement(0), FAR, 0, NO_CAP);
        signals[7] = OTHERS;
        verifier.accept(_hashOf(_proof(1), signals));
        _mustAs(dealer, address(registry), _claimCall(_proof(1), signals));
    }
}
