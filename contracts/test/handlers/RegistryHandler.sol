// SPDX-License-Identifier: Apache-2.0
// Everybody's anchors, claims and selections, each with at most one thing wrong, and what must be stored after them.
pragma solidity ^0.8.24;

import {Params} from "../../src/generated/Params.sol";
import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {BucketTree} from "../BucketTree.sol";
import {Dice} from "../Dice.sol";
import {VM} from "../Vm.sol";
import {FederationHandler} from "./FederationHandler.sol";

abstract contract RegistryHandler is FederationHandler {
    mapping(address dealer => State) internal last;
    mapping(address dealer => uint256) internal setOf;
    mapping(address dealer => mapping(bytes32 key => mapping(uint256 digest => IConsentRegistry.Claim))) internal claims;
    mapping(address dealer => mapping(bytes32 key => IConsentRegistry.Selection)) internal selections;

    function anchor(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address dealer = _anyDealer(dice);
        State memory before = last[dealer];
        uint256 set = dice.roll(SETS);
        State memory next = _state(dealer, before.epoch + 1, set);
        next.operationCount = before.operationCount + uint64(dice.roll(3));
        next.logHead = next.operationCount == before.operationCount ? before.logHead : bytes32(dice.word());
        uint256 fault = dice.roll(24);
        if (fault == 0) next.epoch = before.epoch + uint64(dice.roll(3));
        if (fault == 1 && before.operationCount > 0) next.operationCount = before.operationCount - 1;
        if (fault == 2) (next.operationCount, next.logHead) = (before.operationCount, bytes32(dice.word()));

        (bytes[] memory signatures, bool quorum) = _witnessed(dice, next, fault);
        bool forked = before.epoch != 0 && next.operationCount == before.operationCount && next.logHead != before.logHead;
        uint256 broken = _rule(6, quorum) | _rule(5, isDealer[dealer])
            | _rule(5, next.epoch == before.epoch + 1 && next.operationCount >= before.operationCount && !forked);
        (bool ok,) = _as(dealer, address(registry), _anchorCall(next, signatures));
        _judge(paused ? "anchor while paused" : "anchor", ok, broken);
        if (!ok) return;
        last[dealer] = next;
        setOf[dealer] = set;
        IConsentRegistry.AnchorRecord memory stored = registry.currentAnchor(dealer);
        _expect(5, stored.epoch == next.epoch && stored.operationCount == next.operationCount, "anchor: numbers");
        _expect(5, stored.root == _rootOf(next) && stored.logHead == next.logHead, "anchor: root");
        _expect(5, stored.anchoredAt == block.timestamp, "anchor: time");
    }

    function claim(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address dealer = _anyDealer(dice);
        Requirement memory r = _requirement(dice.roll(REQUIREMENTS));
        uint256 validUntil = dice.oneIn(3) ? block.timestamp + dice.roll(4_000) : 4_102_444_800;
        uint256 floor = dice.oneIn(3) ? dice.roll(10_001) : 0;
        uint256 cap = dice.oneIn(3) ? dice.roll(NO_CAP) : NO_CAP;
        uint256[23] memory signals = _signals(dealer, r, validUntil, floor, cap);
        uint256 shift = dice.roll(9);
        for (uint256 digest = 1; digest <= LARGEST_SET; digest++) {
            if (!dice.oneIn(6)) signals[6 + digest + shift] = digest;
        }
        uint256 fault = dice.roll(16);
        if (fault == 0) signals[0] = _context(CHAIN_ID, address(registry), parties[dice.roll(PARTIES)]);
        if (fault == 1) signals[dice.roll(23)] = Params.SCALAR_FIELD + dice.roll(2);
        if (fault == 2) signals[1 + dice.roll(6)] |= 1 << (14 + dice.roll(84));
        if (fault == 3) delete signals;
        if (fault == 3) signals[0] = _context(CHAIN_ID, address(registry), dealer);

        Proof memory p = _proof(seed);
        bool proven = fault != 4;
        verifier.accept(proven ? _hashOf(p, signals) : bytes32(0));
        bool own = signals[0] == _context(CHAIN_ID, address(registry), dealer);
        uint256 broken = _rule(8, isDealer[dealer] && own && proven) | _rule(20, !paused) | _rule(9, _inRange(signals))
            | _rule(10, _used(signals));
        (bool ok,) = _as(dealer, address(registry), _claimCall(p, signals));
        _judge("claim", ok, broken);
        if (ok) _storeClaims(dealer, signals);
    }

    function select(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address dealer = _anyDealer(dice);
        Requirement memory r = _requirement(dice.roll(REQUIREMENTS));
        bytes32 key = _keyOf(r);
        uint256 fault = dice.roll(16);
        uint256 set = fault == 0 ? dice.roll(SETS) : setOf[dealer];
        IConsentRegistry.Bucket[] memory buckets = _bucketSet(set);
        uint256 chosen = dice.oneIn(3) ? 1 + dice.roll((1 << buckets.length) - 1) : _claimed(dealer, key, buckets);
        if (chosen == 0) chosen = 1;
        BucketTree.Multiproof memory m = BucketTree.prove(buckets, chosen);
        bool genuine = last[dealer].epoch != 0 && set == setOf[dealer];
        if (fault == 1) genuine = _spoil(m, dice) && genuine;

        uint256 broken = _rule(10, isDealer[dealer] && genuine) | _rule(20, !paused);
        IConsentRegistry.Selection memory folded = IConsentRegistry.Selection(_anchored(dealer), 0, type(uint40).max, 0, type(uint32).max);
        for (uint256 i = 0; i < m.buckets.length; i++) {
            IConsentRegistry.Claim memory c = claims[dealer][key][m.buckets[i].digest];
            broken |= _rule(10, c.proven);
            folded.memberCount += m.buckets[i].memberCount;
            if (c.validUntil < folded.validUntil) folded.validUntil = c.validUntil;
            if (c.accuracyFloorBps > folded.accuracyFloorBps) folded.accuracyFloorBps = c.accuracyFloorBps;
            if (c.privacyCapMilli < folded.privacyCapMilli) folded.privacyCapMilli = c.privacyCapMilli;
        }
        (bool ok,) = _as(dealer, address(registry), _selectCall(r, m));
        _judge("select", ok, broken);
        if (ok) selections[dealer][key] = folded;
    }

    function checkConsent() external view {
        for (uint256 i = 0; i < PARTIES; i++) {
            address dealer = parties[i];
            require(registry.currentAnchor(dealer).epoch == last[dealer].epoch, "P-05: an epoch moved by itself");
            require(registry.currentAnchor(dealer).root == _anchored(dealer), "P-05: a root moved by itself");
            for (uint256 k = 0; k < REQUIREMENTS && last[dealer].epoch != 0; k++) {
                bytes32 key = _keyOf(_requirement(k));
                bytes32 stored = keccak256(abi.encode(registry.selectionOf(dealer, key)));
                require(stored == keccak256(abi.encode(selections[dealer][key])), "P-10: a selection is not the strictest");
                uint256 digest = 1 + uint256(keccak256(abi.encode(block.timestamp, dealer, k))) % LARGEST_SET;
                bytes32 claimed = keccak256(abi.encode(registry.claimOf(dealer, key, digest)));
                require(claimed == keccak256(abi.encode(claims[dealer][key][digest])), "P-08: a claim nobody proved");
            }
        }
    }

    function _anchored(address dealer) internal view returns (bytes32) {
        return last[dealer].epoch == 0 ? bytes32(0) : _rootOf(last[dealer]);
    }

    function _anyDealer(Dice memory dice) internal view returns (address) {
        return parties[dice.oneIn(10) ? dice.roll(PARTIES) : dice.roll(DEALERS)];
    }

    /// Signatures of registered witnesses in any order, one more than needed at times, then a fault of 3 … 9.
    function _witnessed(Dice memory dice, State memory s, uint256 fault) private view returns (bytes[] memory signatures, bool quorum) {
        uint256[] memory signers = new uint256[](PARTIES);
        uint256 count = 0;
        uint256 wanted = QUORUM + dice.roll(2);
        uint256 from = dice.roll(PARTIES);
        for (uint256 i = 0; i < PARTIES && count < wanted; i++) {
            uint256 party = (from + i) % PARTIES;
            if (isWitness[parties[party]] && parties[party] != s.dealer) signers[count++] = party;
        }
        if (fault == 3 && count > 0) count = QUORUM - 1 < count ? QUORUM - 1 : count;
        if (fault == 4 && count > 1) signers[count - 1] = signers[0];
        if (fault == 5 && count > 0) signers[count - 1] = _indexOf(s.dealer);
        if (fault == 6 && count > 0) signers[count - 1] = dice.roll(PARTIES);
        quorum = count >= QUORUM;
        signatures = new bytes[](count);
        for (uint256 i = 0; i < count; i++) {
            address signer = parties[signers[i]];
            quorum = quorum && isWitness[signer] && signer != s.dealer;
            for (uint256 j = 0; j < i; j++) {
                if (signers[j] == signers[i]) quorum = false;
            }
            signatures[i] = _signature(signers[i], _digestOf(s));
        }
        if (fault < 7 || fault > 9 || count == 0) return (signatures, quorum);
        signatures[dice.roll(count)] = _forged(dice, s, fault, signers[0]);
        return (signatures, false);
    }

    /// Over another state, chain or federation; the malleable twin; or no signature at all.
    function _forged(Dice memory dice, State memory s, uint256 fault, uint256 signer) private view returns (bytes memory) {
        if (fault == 7) {
            (uint8 v, bytes32 r, bytes32 low) = VM.sign(keyOf(signer), _digestOf(s));
            uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
            return abi.encodePacked(r, order - uint256(low), v == 27 ? uint8(28) : uint8(27));
        }
        if (fault == 8) return new bytes(dice.roll(67));
        if (dice.oneIn(3)) return _signature(signer, _digestOf(s, CHAIN_ID + 1, address(federation)));
        if (dice.oneIn(2)) return _signature(signer, _digestOf(s, CHAIN_ID, address(registry)));
        State memory other = State(s.dealer, s.epoch, s.bucketsRoot, s.subjectsRoot, s.logHead, s.operationCount + 1);
        return _signature(signer, _digestOf(other));
    }

    function _indexOf(address party) private view returns (uint256 index) {
        while (parties[index] != party) index++;
    }

    function _inRange(uint256[23] memory signals) private pure returns (bool) {
        for (uint256 i = 0; i < 23; i++) {
            if (signals[i] >= Params.SCALAR_FIELD) return false;
        }
        return signals[1] < 1 << 96 && signals[2] < 1 << 96 && signals[3] < 1 << 2 && signals[4] < 1 << 40
            && signals[5] < 1 << 14 && signals[6] < 1 << 20;
    }

    function _used(uint256[23] memory signals) private pure returns (bool) {
        for (uint256 i = 7; i < 23; i++) {
            if (signals[i] != 0) return true;
        }
        return false;
    }

    function _storeClaims(address dealer, uint256[23] memory signals) private {
        bytes32 key = _keyOf(Requirement(signals[1], signals[2], signals[3]));
        for (uint256 i = 7; i < 23; i++) {
            if (signals[i] == 0) continue;
            claims[dealer][key][signals[i]] =
                IConsentRegistry.Claim(true, uint40(signals[4]), uint16(signals[5]), uint32(signals[6]));
        }
    }

    function _claimed(address dealer, bytes32 key, IConsentRegistry.Bucket[] memory buckets) private view returns (uint256 chosen) {
        for (uint256 i = 0; i < buckets.length; i++) {
            if (claims[dealer][key][buckets[i].digest].proven) chosen |= 1 << i;
        }
    }

    /// One bucket twice, two out of order, a member more, or a bucket of no proof. True when nothing could be spoilt.
    function _spoil(BucketTree.Multiproof memory m, Dice memory dice) private pure returns (bool) {
        uint256 how = dice.roll(4);
        if (how == 0) m.buckets[dice.roll(m.buckets.length)].memberCount++;
        if (how == 1 && m.buckets.length == 1) return true;
        if (how == 1) (m.buckets[0], m.buckets[1]) = (m.buckets[1], m.buckets[0]);
        if (how == 2) {
            IConsentRegistry.Bucket[] memory doubled = new IConsentRegistry.Bucket[](m.buckets.length + 1);
            for (uint256 i = 0; i < doubled.length; i++) {
                doubled[i] = m.buckets[i == 0 ? 0 : i - 1];
            }
            m.buckets = doubled;
        }
        if (how == 3) m.buckets = new IConsentRegistry.Bucket[](0);
        return false;
    }
}
