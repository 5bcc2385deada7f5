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
    mapping(address dealer => mapping(bytes32 key => mapping(uint256 digest => IConsentRegistry.Claim))) internal
        claims;
    mapping(address dealer => mapping(bytes32 key => IConsentRegistry.Selection)) internal selections;

    function anchor(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address dealer = _anyDealer(dice);
        uint256 set = dice.roll(SETS);
        uint256 fault = dice.roll(24);
        State memory next = _anyState(dice, dealer, set, fault);
        (bytes[] memory signatures, bool quorum) = _witnessed(dice, next, fault);
        uint256 broken = _rule(6, quorum) | _rule(5, isDealer[dealer] && _follows(next));
        (bool ok,) = _as(dealer, address(registry), _anchorCall(next, signatures));
        _judge("anchor", ok, broken, paused ? 7 : 0);
        if (!ok) return;
        last[dealer] = next;
        setOf[dealer] = set;
        _expect(5, registry.currentAnchor(dealer).anchoredAt == block.timestamp, "anchor: time");
    }

    function claim(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address dealer = _anyDealer(dice);
        uint256 own = _context(CHAIN_ID, address(registry), dealer);
        uint256[23] memory signals = _anyClaim(dice, dealer);
        Proof memory p = _proof(seed);
        bool proven = !dice.oneIn(16);
        verifier.accept(proven ? _hashOf(p, signals) : bytes32(0));
        uint256 broken = _rule(8, isDealer[dealer] && signals[0] == own && proven && _used(signals))
            | _rule(20, !paused) | _rule(9, _inRange(signals));
        (bool ok,) = _as(dealer, address(registry), _claimCall(p, signals));
        _judge("claim", ok, broken);
        if (ok) _storeClaims(dealer, signals);
    }

    function select(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address dealer = _anyDealer(dice);
        Requirement memory r = _anyRequirement(dice);
        (BucketTree.Multiproof memory m, bool genuine) = _anySelection(dice, dealer, _keyOf(r));
        (IConsentRegistry.Selection memory folded, bool claimed) = _fold(dealer, _keyOf(r), m.buckets);
        (bool ok,) = _as(dealer, address(registry), _selectCall(r, m));
        _judge("select", ok, _rule(10, isDealer[dealer] && genuine && claimed) | _rule(20, !paused));
        if (ok) selections[dealer][_keyOf(r)] = folded;
    }

    function checkConsent() external view {
        for (uint256 i = 0; i < PARTIES; i++) {
            address dealer = parties[i];
            _checkAnchor(dealer);
            for (uint256 k = 0; k < REQUIREMENTS && last[dealer].epoch != 0; k++) {
                bytes32 key = _keyOf(_requirement(k));
                bytes32 stored = keccak256(abi.encode(registry.selectionOf(dealer, key)));
                require(
                    stored == keccak256(abi.encode(selections[dealer][key])), "P-10: a selection is not the strictest"
                );
                uint256 digest = 1 + uint256(keccak256(abi.encode(block.timestamp, dealer, k))) % LARGEST_SET;
                bytes32 claimed = keccak256(abi.encode(registry.claimOf(dealer, key, digest)));
                require(claimed == keccak256(abi.encode(claims[dealer][key][digest])), "P-08: a claim nobody proved");
            }
        }
    }

    function _checkAnchor(address dealer) private view {
        IConsentRegistry.AnchorRecord memory stored = registry.currentAnchor(dealer);
        require(stored.epoch == last[dealer].epoch, "P-05: not the last epoch");
        require(stored.operationCount == last[dealer].operationCount, "P-05: not the last length");
        require(stored.logHead == last[dealer].logHead, "P-05: not the last head");
        require(stored.root == _anchored(dealer), "P-06: not the root that was witnessed");
    }

    function _anchored(address dealer) internal view returns (bytes32) {
        return last[dealer].epoch == 0 ? bytes32(0) : _rootOf(last[dealer]);
    }

    /// Mostly the first, so that claims, selections and rounds meet.
    function _anyRequirement(Dice memory dice) internal pure returns (Requirement memory) {
        return _requirement(dice.oneIn(4) ? dice.roll(REQUIREMENTS) : 0);
    }

    function _anyDealer(Dice memory dice) internal view returns (address) {
        return parties[dice.oneIn(10) ? dice.roll(PARTIES) : dice.roll(DEALERS)];
    }

    function _anyState(Dice memory dice, address dealer, uint256 set, uint256 fault)
        private
        view
        returns (State memory next)
    {
        State memory before = last[dealer];
        next = _state(dealer, before.epoch + 1, set);
        next.operationCount = before.operationCount + uint64(dice.roll(3));
        next.logHead = next.operationCount == before.operationCount ? before.logHead : bytes32(dice.word());
        if (fault == 0) next.epoch = before.epoch + uint64(dice.roll(3));
        if (fault == 1 && before.operationCount > 0) next.operationCount = before.operationCount - 1;
        if (fault == 2) (next.operationCount, next.logHead) = (before.operationCount, bytes32(dice.word()));
    }

    function _follows(State memory next) private view returns (bool) {
        State storage before = last[next.dealer];
        bool forked =
            before.epoch != 0 && next.operationCount == before.operationCount && next.logHead != before.logHead;
        return next.epoch == before.epoch + 1 && next.operationCount >= before.operationCount && !forked;
    }

    function _anyClaim(Dice memory dice, address dealer) private view returns (uint256[23] memory signals) {
        uint256 validUntil = dice.oneIn(3) ? block.timestamp + dice.roll(4_000) : FAR;
        uint256 floor = dice.oneIn(3) ? dice.roll(10_001) : 0;
        uint256 cap = dice.oneIn(3) ? dice.roll(NO_CAP) : NO_CAP;
        signals = _signals(dealer, _anyRequirement(dice), validUntil, floor, cap);
        uint256 shift = dice.roll(9);
        for (uint256 digest = 1; digest <= LARGEST_SET; digest++) {
            if (!dice.oneIn(6)) signals[6 + digest + shift] = digest;
        }
        uint256 fault = dice.roll(16);
        if (fault == 0) signals[0] = _context(CHAIN_ID, address(registry), parties[dice.roll(PARTIES)]);
        if (fault == 1) signals[dice.roll(23)] = Params.SCALAR_FIELD + dice.roll(2);
        if (fault == 2) signals[1 + dice.roll(6)] |= 1 << (14 + dice.roll(84));
        if (fault != 3) return signals;
        for (uint256 i = 7; i < 23; i++) {
            signals[i] = 0;
        }
    }

    /// Every claimed bucket of the anchored set, or any; with one thing wrong at times.
    function _anySelection(Dice memory dice, address dealer, bytes32 key)
        private
        view
        returns (BucketTree.Multiproof memory m, bool genuine)
    {
        uint256 fault = dice.roll(16);
        uint256 set = fault == 0 ? dice.roll(SETS) : setOf[dealer];
        IConsentRegistry.Bucket[] memory buckets = _bucketSet(set);
        uint256 chosen = dice.oneIn(3) ? 1 + dice.roll((1 << buckets.length) - 1) : _claimed(dealer, key, buckets);
        m = BucketTree.prove(buckets, chosen == 0 ? 1 : chosen);
        genuine = last[dealer].epoch != 0 && set == setOf[dealer];
        if (fault == 1) genuine = _spoil(m, dice) && genuine;
    }

    function _fold(address dealer, bytes32 key, IConsentRegistry.Bucket[] memory buckets)
        private
        view
        returns (IConsentRegistry.Selection memory folded, bool claimed)
    {
        folded = IConsentRegistry.Selection(_anchored(dealer), 0, type(uint40).max, 0, type(uint32).max);
        claimed = true;
        for (uint256 i = 0; i < buckets.length; i++) {
            IConsentRegistry.Claim memory c = claims[dealer][key][buckets[i].digest];
            claimed = claimed && c.proven;
            folded.memberCount += buckets[i].memberCount;
            if (c.validUntil < folded.validUntil) folded.validUntil = c.validUntil;
            if (c.accuracyFloorBps > folded.accuracyFloorBps) folded.accuracyFloorBps = c.accuracyFloorBps;
            if (c.privacyCapMilli < folded.privacyCapMilli) folded.privacyCapMilli = c.privacyCapMilli;
        }
    }

    /// Signatures of registered witnesses in any order, one more than needed at times, then a fault of 3 … 9.
    function _witnessed(Dice memory dice, State memory s, uint256 fault)
        private
        view
        returns (bytes[] memory signatures, bool quorum)
    {
        uint256[] memory signers = _signers(dice, s.dealer);
        uint256 count = signers.length;
        if (fault == 3 && count >= QUORUM) {
            assembly ("memory-safe") {
                mstore(signers, sub(count, 1))
            }
        }
        if (fault == 4 && count > 1) signers[signers.length - 1] = signers[0];
        if (fault == 5 && count > 0) signers[signers.length - 1] = _indexOf(s.dealer);
        if (fault == 6 && count > 0) signers[signers.length - 1] = dice.roll(PARTIES);
        quorum = _isQuorum(signers, s.dealer);
        signatures = new bytes[](signers.length);
        for (uint256 i = 0; i < signers.length; i++) {
            signatures[i] = _signature(signers[i], _digestOf(s));
        }
        if (fault < 7 || fault > 9 || signers.length == 0) return (signatures, quorum);
        signatures[dice.roll(signers.length)] = _forged(dice, s, fault, signers[0]);
        return (signatures, false);
    }

    function _signers(Dice memory dice, address dealer) private view returns (uint256[] memory signers) {
        signers = new uint256[](PARTIES);
        uint256 wanted = QUORUM + dice.roll(2);
        uint256 from = dice.roll(PARTIES);
        uint256 count = 0;
        for (uint256 i = 0; i < PARTIES && count < wanted; i++) {
            uint256 party = (from + i) % PARTIES;
            if (isWitness[parties[party]] && parties[party] != dealer) signers[count++] = party;
        }
        assembly ("memory-safe") {
            mstore(signers, count)
        }
    }

    function _isQuorum(uint256[] memory signers, address dealer) private view returns (bool) {
        for (uint256 i = 0; i < signers.length; i++) {
            address signer = parties[signers[i]];
            if (!isWitness[signer] || signer == dealer) return false;
            for (uint256 j = 0; j < i; j++) {
                if (signers[j] == signers[i]) return false;
            }
        }
        return signers.length >= QUORUM;
    }

    /// Over another state, chain or federation; the malleable twin; or no signature at all.
    function _forged(Dice memory dice, State memory s, uint256 fault, uint256 signer)
        private
        view
        returns (bytes memory)
    {
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

    function _claimed(address dealer, bytes32 key, IConsentRegistry.Bucket[] memory buckets)
        private
        view
        returns (uint256 chosen)
    {
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
