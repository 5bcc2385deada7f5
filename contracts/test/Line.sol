// SPDX-License-Identifier: Apache-2.0
// A line of deployments, each naming the one before as its predecessor, with the same parties; and a dealer's steps in any of them.
pragma solidity ^0.8.24;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {Federation} from "../src/Federation.sol";
import {RoundLedger} from "../src/RoundLedger.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {Passkeys} from "./Passkeys.sol";

abstract contract Line is Passkeys {
    struct Deployment {
        Federation federation;
        ConsentRegistry registry;
        RoundLedger ledger;
    }

    Deployment[] internal line;
    address internal immutable dealer;

    constructor() {
        line.push(Deployment(federation, registry, ledger));
        dealer = parties[0];
    }

    /// Until there are so many; nobody has named any of the new ones yet.
    function _lengthen(uint256 length) internal {
        while (line.length < length) {
            federation = Federation(_deployFederation(address(line[line.length - 1].federation)));
            _deployBound();
            line.push(Deployment(federation, registry, ledger));
        }
        _go(0);
    }

    /// From here on the parties act in this one.
    function _go(uint256 deployment) internal {
        Deployment storage d = line[deployment];
        (federation, registry, ledger) = (d.federation, d.registry, d.ledger);
    }

    function _succeed(uint256 deployment) internal {
        address successor = address(line[deployment + 1].federation);
        bytes memory data = abi.encodeCall(federation.nameSuccessor, (successor));
        _mustAs(parties[OPERATOR], address(line[deployment].federation), data);
    }

    function _everybodyIn() internal pure returns (Place[CUSTOMERS] memory) {
        return [Place(1, 1), Place(2, 1)];
    }

    function _anchorPeople(uint256 deployment, uint64 epoch, Place[CUSTOMERS] memory places) internal {
        _go(deployment);
        State memory s = _peopleState(dealer, epoch, places);
        _mustAs(dealer, address(registry), _anchorCall(s, _quorum(s)));
    }

    function _forceCall(uint256 customer, Place[CUSTOMERS] memory places) internal view returns (bytes memory) {
        bytes memory operation = _encode(_withdrawal(dealer, customer, 2));
        return abi.encodeCall(
            IConsentRegistry.forceWithdraw,
            (
                operation,
                _assert(operation, customer),
                _membership(dealer, places, customer, places[customer].seq)
            )
        );
    }

    function _mustForce(uint256 deployment, uint256 customer, Place[CUSTOMERS] memory places) internal {
        _mustAs(parties[7], address(line[deployment].registry), _forceCall(customer, places));
    }

    function _departureCall(uint256 customer, Place[CUSTOMERS] memory places) internal view returns (bytes memory) {
        IConsentRegistry.Departure[] memory departures = new IConsentRegistry.Departure[](1);
        departures[0] = _departure(dealer, places, customer);
        return abi.encodeCall(IConsentRegistry.acknowledge, (dealer, departures));
    }

    function _returnCall(uint256 customer, Place[CUSTOMERS] memory places) internal view returns (bytes memory) {
        IConsentRegistry.Membership memory m = _membership(dealer, places, customer, places[customer].seq);
        return abi.encodeCall(IConsentRegistry.acknowledgeReturn, (dealer, _subjectOf(dealer, customer), m));
    }

    function _claimOthers() internal {
        uint256[23] memory signals = _signals(dealer, _requirement(0), FAR, 0, NO_CAP);
        signals[7] = OTHERS;
        verifier.accept(_hashOf(_proof(1), signals));
        _mustAs(dealer, address(registry), _claimCall(_proof(1), signals));
    }

    function _openingOf(bytes32 task, bytes32 base) internal view returns (bytes memory) {
        uint64 deadline = uint64(block.timestamp) + 100;
        return abi.encodeCall(ledger.openRound, (task, _requirement(0).required0, 0, 1, base, 500, deadline));
    }

    function _consentOfAll() internal returns (bytes32[] memory roots) {
        roots = new bytes32[](DEALERS);
        for (uint256 i = 0; i < DEALERS; i++) {
            (roots[i],) = _consent(i, 1, _requirement(0), FAR, 0, NO_CAP);
        }
    }

    function _commitAll(uint64 round, bytes32[] memory roots) internal {
        for (uint256 i = 0; i < DEALERS; i++) {
            bytes memory data = abi.encodeCall(ledger.commit, (round, 1, roots[i], RECORD, RECORD, RECORD, 5));
            _mustAs(parties[i], address(ledger), data);
        }
    }

    function _finalise(uint64 round) internal {
        address[] memory set = new address[](DEALERS);
        uint32[] memory attempts = new uint32[](DEALERS);
        for (uint256 i = 0; i < DEALERS; i++) {
            (set[i], attempts[i]) = (parties[i], 1);
            for (uint256 j = i; j > 0 && set[j] < set[j - 1]; j--) {
                (set[j], set[j - 1]) = (set[j - 1], set[j]);
            }
        }
        _mustAs(parties[COORDINATOR], address(ledger), abi.encodeCall(ledger.finaliseSet, (round, set, attempts)));
    }

    function _publish(uint64 round, bytes32 model) internal {
        bytes memory data = abi.encodeCall(ledger.publish, (round, model, RECORD, 9_000, 7_000, RECORD));
        _mustAs(parties[COORDINATOR], address(ledger), data);
    }
}
