// SPDX-License-Identifier: Apache-2.0
// Forced withdrawals that their dealers have not acknowledged: those forced here, and those left over from the registries before.
pragma solidity ^0.8.24;

import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IFederation} from "./interfaces/IFederation.sol";

abstract contract PendingWithdrawals is IConsentRegistry {
    using EnumerableSet for EnumerableSet.Bytes32Set;

    struct Forced {
        uint64 seq;
        uint64 blockNumber;
    }

    IConsentRegistry public immutable predecessor;

    mapping(address dealer => EnumerableSet.Bytes32Set) private _pending;
    mapping(address dealer => mapping(bytes32 subject => Forced)) private _forced;
    /// Pending in the registries before this when the dealer first anchored here, and not yet acknowledged.
    mapping(address dealer => uint256) private _inherited;
    /// Acknowledged here, though pending in the registries before this, where nothing changes any more.
    mapping(address dealer => mapping(bytes32 subject => bool)) private _settled;

    constructor(IFederation federation_) {
        address before = federation_.predecessor();
        if (before != address(0)) predecessor = IConsentRegistry(IFederation(before).registry());
    }

    function hasAnchored(address dealer) public view virtual returns (bool);

    function pendingWithdrawals(address dealer) external view returns (PendingWithdrawal[] memory pending) {
        pending = new PendingWithdrawal[](pendingCount(dealer));
        uint256 own = _pending[dealer].length();
        for (uint256 i = 0; i < own; i++) {
            bytes32 subject = _pending[dealer].at(i);
            Forced storage forced = _forced[dealer][subject];
            pending[i] = PendingWithdrawal(subject, forced.seq, forced.blockNumber, address(this));
        }
        if (own == pending.length) return pending;
        PendingWithdrawal[] memory earlier = predecessor.pendingWithdrawals(dealer);
        for (uint256 i = 0; i < earlier.length; i++) {
            if (!_settled[dealer][earlier[i].subject]) pending[own++] = earlier[i];
        }
    }

    function pendingCount(address dealer) public view returns (uint256) {
        return _isUnmoved(dealer) ? _pending[dealer].length() + predecessor.pendingCount(dealer) : _owed(dealer);
    }

    function pendingSeq(address dealer, bytes32 subject) public view returns (uint64 seq) {
        seq = _forced[dealer][subject].seq;
        if (seq != 0 || address(predecessor) == address(0) || _settled[dealer][subject]) return seq;
        return predecessor.pendingSeq(dealer, subject);
    }

    /// Its log is still where the predecessor's registry has it.
    function _isUnmoved(address dealer) internal view returns (bool) {
        return address(predecessor) != address(0) && !hasAnchored(dealer);
    }

    /// Of a dealer that has anchored here; one that has not neither selects nor commits, whatever it owes.
    function _owed(address dealer) internal view returns (uint256) {
        uint256 earlier = address(predecessor) == address(0) ? 0 : _inherited[dealer];
        return _pending[dealer].length() + earlier;
    }

    /// Their number alone, however many: no flood of them holds up an anchor.
    function _inherit(address dealer) internal {
        _inherited[dealer] = predecessor.pendingCount(dealer);
    }

    function _force(address dealer, bytes32 subject, uint64 seq) internal {
        if (pendingSeq(dealer, subject) != 0) revert AlreadyPending(dealer, subject);
        _pending[dealer].add(subject);
        _forced[dealer][subject] = Forced(seq, uint64(block.number));
    }

    /// @return cleared False when nothing was pending.
    function _settle(address dealer, bytes32 subject) internal returns (bool cleared) {
        if (pendingSeq(dealer, subject) == 0) return false;
        if (_pending[dealer].remove(subject)) {
            delete _forced[dealer][subject];
        } else {
            _settled[dealer][subject] = true;
            _inherited[dealer]--;
        }
        return true;
    }
}
