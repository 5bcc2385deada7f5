// SPDX-License-Identifier: Apache-2.0
// What each transaction costs, in one fixed life of a federation: docs/gas.md is generated from it (forge test --isolate).
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {BucketTree} from "./BucketTree.sol";
import {Passkeys} from "./Passkeys.sol";
import {VM} from "./Vm.sol";

contract GasTest is Passkeys {
    bytes32 private constant TASK = keccak256("task");
    bytes32 private constant BASE = keccak256("base");

    function test_gasOfMembership() external {
        address somebody = address(0xc0ffee254729296a45a3885639AC7E10F9d54979);
        _measure(OPERATOR, address(federation), abi.encodeCall(federation.registerDealer, (somebody)), "registerDealer");
        _measure(
            OPERATOR, address(federation), abi.encodeCall(federation.registerKeyHolder, (somebody)), "registerKeyHolder"
        );
        bytes memory key = _anyKey();
        _measure(
            FIRST_HOLDER, address(federation), abi.encodeCall(federation.rotateKey, (key)), "rotateKey (1,216 bytes)"
        );
        _measure(OPERATOR, address(federation), abi.encodeCall(federation.pause, ()), "pause");
        _measure(OPERATOR, address(federation), abi.encodeCall(federation.unpause, ()), "unpause");
    }

    function test_gasOfConsent() external {
        State memory s = _state(parties[0], 1, 3);
        _measure(0, address(registry), _anchorCall(s, _quorum(s)), "anchor, the first (quorum of 2)");
        s = _state(parties[0], 2, 3);
        _measure(0, address(registry), _anchorCall(s, _quorum(s)), "anchor, the next");
        _measureClaim(1, 1, "admitPolicies, 1 policy (without the Groth16 check)");
        _measureClaim(1, 16, "admitPolicies, 16 policies (without the Groth16 check)");
        IConsentRegistry.Bucket[] memory buckets = _bucketSet(3);
        _measure(
            0,
            address(registry),
            _selectCall(_requirement(0), BucketTree.prove(buckets, 1)),
            "admitSelection, 1 bucket of 8"
        );
        _measure(
            0,
            address(registry),
            _selectCall(_requirement(0), BucketTree.prove(buckets, 255)),
            "admitSelection, 8 buckets of 8, in place of another"
        );
    }

    function test_gasOfForcedWithdrawals() external {
        Place[CUSTOMERS] memory places = [Place(1, 1), Place(2, 1)];
        State memory s = _peopleState(parties[0], 1, places);
        _mustAs(parties[0], address(registry), _anchorCall(s, _quorum(s)));
        bytes memory operation = _encode(_withdrawal(parties[0], 0, 2));
        bytes memory data = abi.encodeCall(
            registry.forceWithdraw, (operation, _assert(operation, 0), _membership(parties[0], places, 0, 1))
        );
        _measure(7, address(registry), data, "forceWithdraw (P-256 in Solidity)");
        Place[CUSTOMERS] memory gone;
        s = _peopleState(parties[0], 2, gone);
        _mustAs(parties[0], address(registry), _anchorCall(s, _quorum(s)));
        IConsentRegistry.Departure[] memory departures = new IConsentRegistry.Departure[](1);
        departures[0] = _departure(parties[0], gone, 0);
        _measure(
            7,
            address(registry),
            abi.encodeCall(registry.acknowledge, (parties[0], departures)),
            "acknowledge, 1 withdrawal"
        );
    }

    function test_gasOfRounds() external {
        bytes32[] memory roots = new bytes32[](DEALERS);
        for (uint256 i = 0; i < DEALERS; i++) {
            (roots[i],) = _consent(i, 1, _requirement(0), FAR, 0, NO_CAP);
        }
        _measure(COORDINATOR, address(ledger), _opening(BASE), "openRound");
        _measure(0, address(ledger), _commitment(1, 1, roots[0]), "commit, the first of a dealer in a round");
        _measure(0, address(ledger), _commitment(1, 2, roots[0]), "commit, another attempt");
        for (uint256 i = 1; i < DEALERS; i++) {
            _mustAs(parties[i], address(ledger), _commitment(1, 2, roots[i]));
        }
        _measure(COORDINATOR, address(ledger), _set(1, 3), "finaliseSet, 3 dealers");
        _measure(COORDINATOR, address(ledger), _publication(1), "publish, a task's first");
        _mustAs(parties[COORDINATOR], address(ledger), _opening(keccak256(abi.encode("model", 1))));
        for (uint256 i = 0; i < DEALERS; i++) {
            _mustAs(parties[i], address(ledger), _commitment(2, 2, roots[i]));
        }
        _measure(COORDINATOR, address(ledger), _set(2, 5), "finaliseSet, 5 dealers");
        _measure(COORDINATOR, address(ledger), _publication(2), "publish, the next");
        _mustAs(parties[COORDINATOR], address(ledger), _opening(keccak256(abi.encode("model", 2))));
        _measure(COORDINATOR, address(ledger), abi.encodeCall(ledger.failRound, (3, "cohort-too-small")), "failRound");
    }

    function _measure(uint256 party, address target, bytes memory data, string memory name) private {
        _mustAs(parties[party], target, data);
        VM.snapshotGasLastCall(name);
    }

    function _measureClaim(uint256 salt, uint256 count, string memory name) private {
        uint256[23] memory signals = _signals(parties[0], _requirement(0), FAR, 9_000, 1_500);
        for (uint256 i = 0; i < count; i++) {
            // a digest is a random element of the field; those that are selected below are small
            signals[7 + i] = count == 1 || i < 8 ? 1 + i : uint256(keccak256(abi.encode(i))) >> 3;
        }
        verifier.accept(_hashOf(_proof(salt), signals));
        _measure(0, address(registry), _claimCall(_proof(salt), signals), name);
    }

    /// Random bytes, as a key's are: a zero byte of calldata costs less.
    function _anyKey() private pure returns (bytes memory key) {
        key = new bytes(PUBLIC_KEY_BYTES);
        for (uint256 i = 0; i < PUBLIC_KEY_BYTES; i += 32) {
            bytes32 word = keccak256(abi.encode("key", i));
            assembly ("memory-safe") {
                mstore(add(add(key, 32), i), word)
            }
        }
    }

    function _opening(bytes32 base) private view returns (bytes memory) {
        Requirement memory r = _requirement(0);
        return abi.encodeCall(
            ledger.openRound,
            (TASK, r.required0, r.required1, uint8(r.minEvidence), base, 500, uint64(block.timestamp) + 3_600)
        );
    }

    function _commitment(uint64 round, uint32 attempt, bytes32 root) private view returns (bytes memory) {
        return abi.encodeCall(
            ledger.commit, (round, attempt, root, keccak256("payload"), keccak256("shares"), keccak256("records"), 10)
        );
    }

    function _set(uint64 round, uint256 size) private view returns (bytes memory) {
        address[] memory set = new address[](size);
        uint32[] memory attempts = new uint32[](size);
        for (uint256 i = 0; i < size; i++) {
            (set[i], attempts[i]) = (parties[i], 2);
            for (uint256 j = i; j > 0 && set[j] < set[j - 1]; j--) {
                (set[j], set[j - 1]) = (set[j - 1], set[j]);
            }
        }
        return abi.encodeCall(ledger.finaliseSet, (round, set, attempts));
    }

    function _publication(uint256 round) private view returns (bytes memory) {
        bytes32 model = keccak256(abi.encode("model", round));
        return abi.encodeCall(
            ledger.publish, (uint64(round), model, keccak256("aggregate"), 9_300, 7_400, keccak256("transcript"))
        );
    }
}
