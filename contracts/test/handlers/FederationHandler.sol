// SPDX-License-Identifier: Apache-2.0
// Everybody's calls to the federation, and what must be registered after them.
pragma solidity ^0.8.24;

import {IFederation} from "../../src/interfaces/IFederation.sol";
import {Dice} from "../Dice.sol";
import {Judge} from "./Judge.sol";

abstract contract FederationHandler is Judge {
    address internal operator;
    address internal successor;
    address internal coordinator;
    bool internal paused;
    mapping(address party => bool) internal isDealer;
    mapping(address party => bool) internal isWitness;
    mapping(address party => uint256) internal holderIndex;
    IFederation.KeyHolder[] internal holders;

    constructor() {
        operator = parties[OPERATOR];
        coordinator = parties[COORDINATOR];
        for (uint256 i = 0; i < DEALERS; i++) {
            isDealer[parties[i]] = true;
        }
        for (uint256 i = 0; i < WITNESSES; i++) {
            isWitness[parties[FIRST_WITNESS + i]] = true;
        }
        for (uint256 i = 0; i < HOLDERS; i++) {
            bytes32 keyHash = keccak256(_publicKey(i + 1, PUBLIC_KEY_BYTES));
            holders.push(IFederation.KeyHolder(parties[FIRST_HOLDER + i], 1, keyHash));
            holderIndex[parties[FIRST_HOLDER + i]] = i + 1;
        }
    }

    function membership(uint256 seed) external {
        Dice memory dice = Dice(seed);
        (address who, address whom) = _whoAndWhom(dice);
        uint256 mine = _rule(1, who == operator);
        uint256 what = dice.roll(8);
        if (what < 2) {
            uint256 broken = mine | _rule(1, whom != address(0) && !isDealer[whom]);
            if (_govern("registerDealer", who, abi.encodeCall(federation.registerDealer, (whom)), broken)) {
                isDealer[whom] = true;
            }
        } else if (what < 3) {
            uint256 broken = mine | _rule(1, isDealer[whom]);
            if (_govern("removeDealer", who, abi.encodeCall(federation.removeDealer, (whom)), broken)) {
                isDealer[whom] = false;
            }
        } else if (what < 6) {
            uint256 broken = mine | _rule(1, whom != address(0) && !isWitness[whom]);
            if (_govern("registerWitness", who, abi.encodeCall(federation.registerWitness, (whom)), broken)) {
                isWitness[whom] = true;
            }
        } else if (what < 7) {
            uint256 broken = mine | _rule(1, isWitness[whom]);
            if (_govern("removeWitness", who, abi.encodeCall(federation.removeWitness, (whom)), broken)) {
                isWitness[whom] = false;
            }
        } else if (dice.oneIn(2)) {
            _registerKeyHolder(who, whom, mine, dice);
        } else {
            _replaceKeyHolder(who, whom, mine, dice);
        }
    }

    function office(uint256 seed) external {
        Dice memory dice = Dice(seed);
        (address who, address whom) = _whoAndWhom(dice);
        uint256 mine = _rule(1, who == operator);
        // seldom paused for long: little happens then
        uint256 what = paused && dice.oneIn(2) ? 1 : dice.roll(8);
        if (what < 1) {
            if (_govern("pause", who, abi.encodeCall(federation.pause, ()), mine | _rule(20, !paused))) paused = true;
        } else if (what < 4) {
            if (_govern("unpause", who, abi.encodeCall(federation.unpause, ()), mine | _rule(20, paused))) {
                paused = false;
            }
        } else if (what < 5) {
            uint256 broken = mine | _rule(1, whom != address(0));
            if (_govern("setCoordinator", who, abi.encodeCall(federation.setCoordinator, (whom)), broken)) {
                coordinator = whom;
            }
        } else if (what < 6) {
            if (_govern("transferOwnership", who, abi.encodeCall(federation.transferOwnership, (whom)), mine)) {
                successor = whom;
            }
        } else if (what < 7) {
            _acceptOwnership(dice.oneIn(2) ? successor : who);
        } else {
            bytes memory again = abi.encodeCall(federation.setContracts, (address(registry), address(ledger)));
            _govern("setContracts", who, again, _rule(3, false));
        }
    }

    /// Of anybody's, of any length, and from four keys only, so that one in use comes again.
    function rotateKey(uint256 seed) external {
        Dice memory dice = Dice(seed);
        // mostly the last: of one without a key there is no round
        address who = holders[dice.oneIn(2) ? holders.length - 1 : dice.roll(holders.length)].keyHolder;
        if (dice.oneIn(6)) who = parties[dice.roll(PARTIES)];
        uint256 length = dice.oneIn(4) ? PUBLIC_KEY_BYTES - 1 + dice.roll(3) : PUBLIC_KEY_BYTES;
        bytes memory key = _publicKey(1 + dice.roll(4), length);
        uint256 index = holderIndex[who];
        bytes32 inUse = index == 0 ? bytes32(0) : holders[index - 1].keyHash;
        uint256 broken = _rule(4, index != 0 && length == PUBLIC_KEY_BYTES && keccak256(key) != inUse);
        (bool ok,) = _as(who, address(federation), abi.encodeCall(federation.rotateKey, (key)));
        _judge("rotateKey", ok, broken);
        if (!ok || index == 0) return;
        holders[index - 1].keyHash = keccak256(key);
        holders[index - 1].keyEpoch++;
    }

    function checkMembership() external view {
        IFederation.Parameters memory p = federation.parameters();
        require(keccak256(abi.encode(p)) == keccak256(abi.encode(_parameters())), "P-02: a parameter moved");
        require(
            federation.registry() == address(registry) && federation.ledger() == address(ledger), "P-03: bound anew"
        );
        require(federation.owner() == operator, "P-01: another operator");
        require(federation.coordinator() == coordinator, "P-01: another coordinator");
        require(federation.paused() == paused, "P-20: paused or not");
        uint256 dealerCount = 0;
        uint256 witnessCount = 0;
        for (uint256 i = 0; i < PARTIES; i++) {
            address party = parties[i];
            require(federation.isDealer(party) == isDealer[party], "P-01: dealers");
            require(federation.isWitness(party) == isWitness[party], "P-01: witnesses");
            if (isDealer[party]) dealerCount++;
            if (isWitness[party]) witnessCount++;
        }
        require(federation.dealers().length == dealerCount, "P-01: a dealer twice or unknown");
        require(federation.witnesses().length == witnessCount, "P-01: a witness twice or unknown");
        require(keccak256(abi.encode(federation.keyHolders())) == keccak256(abi.encode(holders)), "P-04: key-holders");
    }

    /// Zero while a key, or a holder, is missing.
    function _keysHash() internal view returns (bytes32) {
        if (holders.length < _parameters().keyHolderThreshold) return 0;
        bytes memory hashes;
        for (uint256 i = 0; i < holders.length; i++) {
            if (holders[i].keyHash == 0) return 0;
            hashes = bytes.concat(hashes, holders[i].keyHash);
        }
        return keccak256(hashes);
    }

    function _whoAndWhom(Dice memory dice) private view returns (address who, address whom) {
        who = dice.oneIn(6) ? parties[dice.roll(PARTIES)] : operator;
        whom = dice.oneIn(16) ? address(0) : parties[dice.roll(PARTIES)];
    }

    /// Seldom: a holder without a key keeps every round closed.
    function _registerKeyHolder(address who, address whom, uint256 mine, Dice memory dice) private {
        if (holders.length > HOLDERS && !dice.oneIn(4)) whom = holders[0].keyHolder;
        uint256 broken = mine | _rule(4, whom != address(0) && holderIndex[whom] == 0 && holders.length < MOST_HOLDERS);
        if (!_govern("registerKeyHolder", who, abi.encodeCall(federation.registerKeyHolder, (whom)), broken)) return;
        holders.push(IFederation.KeyHolder(whom, 0, 0));
        holderIndex[whom] = holders.length;
    }

    function _replaceKeyHolder(address who, address whom, uint256 mine, Dice memory dice) private {
        address old = dice.oneIn(8) ? parties[dice.roll(PARTIES)] : holders[holders.length - 1].keyHolder;
        uint256 index = holderIndex[old];
        bool lawful = index != 0 && whom != address(0) && holderIndex[whom] == 0 && holders[index - 1].keyEpoch == 0;
        bytes memory data = abi.encodeCall(federation.replaceKeyHolder, (old, whom));
        if (!_govern("replaceKeyHolder", who, data, mine | _rule(4, lawful))) return;
        delete holderIndex[old];
        holderIndex[whom] = index;
        holders[index - 1].keyHolder = whom;
    }

    function _acceptOwnership(address who) private {
        if (who == address(0)) return;
        if (!_govern(
                "acceptOwnership", who, abi.encodeCall(federation.acceptOwnership, ()), _rule(1, who == successor)
            )) return;
        operator = who;
        successor = address(0);
    }

    function _govern(string memory action, address who, bytes memory data, uint256 broken) private returns (bool ok) {
        (ok,) = _as(who, address(federation), data);
        _judge(action, ok, broken);
    }
}
