// SPDX-License-Identifier: Apache-2.0
// ConsentRegistry, over the whole range of its arguments: P-05 to P-10.
pragma solidity ^0.8.24;

import {Params} from "../src/generated/Params.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {BucketTree} from "./BucketTree.sol";
import {Consent} from "./Consent.sol";
import {Dice} from "./Dice.sol";
import {Expect} from "./Expect.sol";

contract RegistryTest is Consent {
    function testFuzz_P05_epochsAndLengths(uint64 epoch, uint64 first, uint64 second, bool sameHead, bool near)
        external
    {
        unchecked {
            // wraps at both ends, which are edges too
            if (near) (epoch, second) = (epoch % 4, first - 1 + second % 3);
        }
        State memory s = _state(parties[0], 1, 0);
        s.operationCount = first;
        _mustAs(parties[0], address(registry), _anchorCall(s, _quorum(s)));
        State memory next = _state(parties[0], 2, 1);
        next.epoch = epoch;
        next.operationCount = second;
        if (sameHead) next.logHead = s.logHead;
        (bool ok, bytes memory result) = _as(parties[0], address(registry), _anchorCall(next, _quorum(next)));
        bool lawful = epoch == 2 && (second > first || (second == first && next.logHead == s.logHead));
        Expect.same(lawful, ok, result, "P-05: anchor");
        require(registry.currentAnchor(parties[0]).root == _rootOf(ok ? next : s), "P-05: another root");
    }

    /// Any parties, in any order, any number of times.
    function testFuzz_P06_quorumOfDistinctWitnesses(uint8[] calldata picks) external {
        uint256 count = picks.length % 6;
        State memory s = _state(parties[0], 1, 0);
        bytes[] memory signatures = new bytes[](count);
        bool lawful = count >= QUORUM;
        uint256 seen = 0;
        for (uint256 i = 0; i < count; i++) {
            // mostly witnesses
            uint256 party = picks[i] % 5 == 0 ? (picks[i] >> 3) % PARTIES : FIRST_WITNESS + (picks[i] >> 3) % WITNESSES;
            lawful = lawful && federation.isWitness(parties[party]) && (seen >> party) & 1 == 0;
            seen |= 1 << party;
            signatures[i] = _signature(party, _digestOf(s));
        }
        (bool ok, bytes memory result) = _as(parties[0], address(registry), _anchorCall(s, signatures));
        Expect.same(lawful, ok, result, "P-06: anchor");
    }

    /// A dealer who is a witness too, beside a quorum without it.
    function testFuzz_P06_notTheDealerItself(uint8 dealer, uint8 position) external {
        uint256 self = dealer % DEALERS;
        _operate(abi.encodeCall(federation.registerWitness, (parties[self])));
        State memory s = _state(parties[self], 1, 0);
        bytes[] memory signatures = new bytes[](3);
        for (uint256 i = 0; i < 3; i++) {
            signatures[i] = _signature(i == position % 3 ? self : FIRST_WITNESS + i, _digestOf(s));
        }
        (bool ok, bytes memory result) = _as(parties[self], address(registry), _anchorCall(s, signatures));
        Expect.refusedBy(ok, result, IConsentRegistry.SelfWitnessed.selector, "P-06: own witness");
    }

    /// The witnesses signed something that differs in one thing.
    function testFuzz_P06_overExactlyThisState(uint8 thing, uint256 difference) external {
        State memory s = _state(parties[0], 1, 0);
        State memory signed = _state(parties[0], 1, 0);
        if (difference == 0) difference = 1;
        uint256 chainId = CHAIN_ID;
        address at_ = address(federation);
        thing %= 8;
        if (thing == 0) signed.dealer = address(uint160(s.dealer) ^ uint160(difference | 1));
        if (thing == 1) signed.epoch ^= uint64(difference | 1);
        if (thing == 2) signed.bucketsRoot ^= bytes32(difference);
        if (thing == 3) signed.subjectsRoot ^= bytes32(difference);
        if (thing == 4) signed.logHead ^= bytes32(difference);
        if (thing == 5) signed.operationCount ^= uint64(difference | 1);
        if (thing == 6) chainId ^= difference;
        if (thing == 7) at_ = address(uint160(at_) ^ uint160(difference | 1));
        bytes[] memory signatures = new bytes[](QUORUM);
        for (uint256 i = 0; i < QUORUM; i++) {
            signatures[i] = _signature(FIRST_WITNESS + i, _digestOf(signed, chainId, at_));
        }
        (bool ok,) = _as(parties[0], address(registry), _anchorCall(s, signatures));
        Expect.refused(ok, "P-06: another state was witnessed");
    }

    /// Whatever was withdrawn.
    function testFuzz_P07_anchoredWhilePaused(
        uint8 dealer,
        bytes32 bucketsRoot,
        bytes32 subjectsRoot,
        uint64 operationCount
    ) external {
        State memory s = State(
            parties[dealer % DEALERS], 1, bucketsRoot, subjectsRoot, keccak256("log"), operationCount
        );
        _operate(abi.encodeCall(federation.pause, ()));
        (bool ok, bytes memory result) = _as(s.dealer, address(registry), _anchorCall(s, _quorum(s)));
        Expect.taken(ok, result, "P-07: anchor");
    }

    function testFuzz_P08_forItsSenderHere(uint8 proven, uint8 sender, uint64 chainId, bool elsewhere) external {
        address dealer = parties[proven % DEALERS];
        address who = parties[sender % 2 == 0 ? proven % DEALERS : (sender >> 1) % PARTIES];
        uint256[23] memory signals = _signals(dealer, _requirement(0), FAR, 0, NO_CAP);
        address at_ = elsewhere ? address(federation) : address(registry);
        if (chainId % 2 == 0) chainId = uint64(CHAIN_ID);
        signals[0] = _context(chainId, at_, dealer);
        signals[7] = 1;
        verifier.accept(_hashOf(_proof(1), signals));
        (bool ok, bytes memory result) = _as(who, address(registry), _claimCall(_proof(1), signals));
        bool lawful = who == dealer && !elsewhere && chainId == CHAIN_ID;
        Expect.same(lawful, ok, result, "P-08: admitPolicies");
        require(registry.claimOf(dealer, _keyOf(_requirement(0)), 1).proven == lawful, "P-08: a claim");
    }

    /// One word of the proof, or of what it proves, is another than the verifier accepts.
    function testFuzz_P08_onlyAsProven(uint8 position, uint256 difference) external {
        uint256[23] memory signals = _signals(parties[0], _requirement(0), FAR, 5_000, 7);
        for (uint256 i = 7; i < 23; i++) {
            signals[i] = i;
        }
        Proof memory p = _proof(1);
        verifier.accept(_hashOf(p, signals));
        position %= 31;
        if (difference == 0) difference = 1;
        if (position < 23) signals[position] ^= difference;
        else if (position < 25) p.a[position - 23] ^= difference;
        else if (position < 29) p.b[(position - 25) / 2][(position - 25) % 2] ^= difference;
        else p.c[position - 29] ^= difference;
        (bool ok,) = _as(parties[0], address(registry), _claimCall(p, signals));
        Expect.refused(ok, "P-08: not what was proven");
    }

    function testFuzz_P09_everySignalInItsRange(uint8 position, uint256 value, bool near) external {
        position = 1 + position % 22;
        uint256[6] memory bits = [uint256(96), 96, 2, 40, 14, 20];
        uint256 end = position < 7 ? 1 << bits[position - 1] : Params.SCALAR_FIELD;
        if (near) value = end - 2 + value % 4;
        uint256[23] memory signals = _signals(parties[0], _requirement(0), FAR, 0, NO_CAP);
        signals[7] = 1;
        signals[position] = value;
        verifier.accept(_hashOf(_proof(1), signals));
        (bool ok, bytes memory result) = _as(parties[0], address(registry), _claimCall(_proof(1), signals));
        if (position == 7 && value == 0) return;
        Expect.same(value < end, ok, result, "P-09: admitPolicies");
    }

    /// A tree of any size, a claim of its own for each bucket, any of them chosen.
    function testFuzz_P10_theStrictestOfThoseChosen(uint256 seed, uint16 chosen) external {
        Dice memory dice = Dice(seed);
        IConsentRegistry.Bucket[] memory buckets = _buckets(1 + dice.roll(12), seed % 97);
        State memory s = _state(parties[0], 1, 0);
        s.bucketsRoot = BucketTree.nodesOf(buckets)[0];
        _mustAs(parties[0], address(registry), _anchorCall(s, _quorum(s)));
        chosen = uint16(chosen % (1 << buckets.length));
        if (chosen == 0) chosen = 1;
        IConsentRegistry.Selection memory expected =
            IConsentRegistry.Selection(_rootOf(s), 0, type(uint40).max, 0, type(uint32).max);
        bool all = true;
        for (uint256 i = 0; i < buckets.length; i++) {
            bool claimed = !dice.oneIn(20);
            uint256[23] memory signals =
                _signals(parties[0], _requirement(0), dice.roll(1 << 40), dice.roll(10_001), dice.roll(1 << 20));
            signals[7] = buckets[i].digest;
            if (claimed) _claim(signals);
            if ((chosen >> i) & 1 == 0) continue;
            all = all && claimed;
            _tighten(expected, buckets[i].memberCount, signals);
        }
        BucketTree.Multiproof memory m = BucketTree.prove(buckets, chosen);
        (bool ok, bytes memory result) = _as(parties[0], address(registry), _selectCall(_requirement(0), m));
        Expect.same(all, ok, result, "P-10: admitSelection");
        if (!ok) return;
        IConsentRegistry.Selection memory stored = registry.selectionOf(parties[0], _keyOf(_requirement(0)));
        require(keccak256(abi.encode(stored)) == keccak256(abi.encode(expected)), "P-10: not the strictest");
    }

    /// A dealer whose tree holds one bucket twice, and counts its customers twice.
    function testFuzz_P10_eachBucketOnce(uint256 seed, uint8 twin) external {
        Dice memory dice = Dice(seed);
        IConsentRegistry.Bucket[] memory buckets = _buckets(2 + dice.roll(7), 3);
        buckets[twin % buckets.length] = buckets[(uint256(twin) + 1) % buckets.length];
        BucketTree.sort(buckets);
        State memory s = _state(parties[0], 1, 0);
        s.bucketsRoot = BucketTree.nodesOf(buckets)[0];
        _mustAs(parties[0], address(registry), _anchorCall(s, _quorum(s)));
        uint256[23] memory signals = _signals(parties[0], _requirement(0), FAR, 0, NO_CAP);
        for (uint256 i = 0; i < buckets.length; i++) {
            signals[7 + i] = buckets[i].digest;
        }
        _claim(signals);
        BucketTree.Multiproof memory m = BucketTree.prove(buckets, (1 << buckets.length) - 1);
        (bool ok, bytes memory result) = _as(parties[0], address(registry), _selectCall(_requirement(0), m));
        Expect.refusedBy(ok, result, IConsentRegistry.BucketsNotAscending.selector, "P-10: a bucket twice");
    }

    /// Claimed, but for another requirement than the selection's.
    function testFuzz_P10_forExactlyThisRequirement(uint8 claimed, uint8 selected) external {
        State memory s = _state(parties[0], 1, 0);
        _mustAs(parties[0], address(registry), _anchorCall(s, _quorum(s)));
        uint256[23] memory signals = _signals(parties[0], _requirement(claimed % REQUIREMENTS), FAR, 0, NO_CAP);
        signals[7] = 1;
        _claim(signals);
        BucketTree.Multiproof memory m = BucketTree.prove(_bucketSet(0), 1);
        Requirement memory r = _requirement(selected % REQUIREMENTS);
        (bool ok, bytes memory result) = _as(parties[0], address(registry), _selectCall(r, m));
        Expect.same(claimed % REQUIREMENTS == selected % REQUIREMENTS, ok, result, "P-10: another requirement");
    }

    function _claim(uint256[23] memory signals) private {
        verifier.accept(_hashOf(_proof(1), signals));
        _mustAs(parties[0], address(registry), _claimCall(_proof(1), signals));
    }

    function _tighten(IConsentRegistry.Selection memory s, uint64 members, uint256[23] memory signals) private pure {
        s.memberCount += members;
        if (signals[4] < s.validUntil) s.validUntil = uint40(signals[4]);
        if (signals[5] > s.accuracyFloorBps) s.accuracyFloorBps = uint16(signals[5]);
        if (signals[6] < s.privacyCapMilli) s.privacyCapMilli = uint32(signals[6]);
    }
}
