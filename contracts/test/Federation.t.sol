// SPDX-License-Identifier: Apache-2.0
// Federation, over the whole range of its arguments: P-01 to P-04, and P-22.
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Federation} from "../src/Federation.sol";
import {IFederation} from "../src/interfaces/IFederation.sol";
import {Dice} from "./Dice.sol";
import {Expect} from "./Expect.sol";
import {World} from "./World.sol";

/// Points at any federation and any registry.
contract BoundDouble {
    address public immutable federation;
    address public immutable registry;

    constructor(address federation_, address registry_) {
        federation = federation_;
        registry = registry_;
    }
}

contract FederationTest is World {
    function testFuzz_P01_onlyTheOperatorGoverns(address who, address whom) external {
        if (who == parties[OPERATOR]) return;
        bytes[] memory calls = _governance(whom);
        for (uint256 i = 0; i < calls.length; i++) {
            (bool ok, bytes memory result) = _as(who, address(federation), calls[i]);
            Expect.refusedBy(ok, result, Ownable.OwnableUnauthorizedAccount.selector, "P-01: by a stranger");
        }
    }

    function testFuzz_P01_theOfficePassesInTwoSteps(uint8 from, uint8 to, uint8 taker) external {
        address successor = parties[to % PARTIES];
        address who = parties[taker % PARTIES];
        bool offered = from % 2 == 0;
        if (offered) _operate(abi.encodeCall(federation.transferOwnership, (successor)));
        require(federation.owner() == parties[OPERATOR], "P-01: passed by the offer alone");
        (bool ok, bytes memory result) = _as(who, address(federation), abi.encodeCall(federation.acceptOwnership, ()));
        Expect.same(offered && who == successor, ok, result, "P-01: acceptOwnership");
        require(federation.owner() == (ok ? successor : parties[OPERATOR]), "P-01: somebody else's office");
    }

    function testFuzz_P01_nobodyIsRegisteredTwice(address party) external {
        bytes[2] memory calls =
            [abi.encodeCall(federation.registerDealer, (party)), abi.encodeCall(federation.registerWitness, (party))];
        for (uint256 i = 0; i < 2; i++) {
            bool known = i == 0 ? federation.isDealer(party) : federation.isWitness(party);
            (bool first, bytes memory result) = _as(parties[OPERATOR], address(federation), calls[i]);
            Expect.same(party != address(0) && !known, first, result, "P-01: once");
            (bool second,) = _as(parties[OPERATOR], address(federation), calls[i]);
            Expect.refused(second, "P-01: twice");
        }
    }

    function testFuzz_P02_parametersAreThoseDeployed(
        uint16 cohort,
        uint8 threshold,
        uint8 quorum,
        uint32 age,
        bytes32 hash
    ) external {
        // half of the time close to the edge
        if (cohort % 2 == 0) cohort %= 6;
        if (threshold % 2 == 0) threshold %= 4;
        if (quorum % 2 == 0) quorum %= 4;
        if (age % 2 == 0) age %= 4;
        IFederation.Parameters memory p = IFederation.Parameters(cohort, threshold, quorum, age, hash);
        bool valid = cohort >= 3 && threshold > 1 && quorum > 0 && age > 0;
        try this.deploy(p) returns (Federation other) {
            require(valid, "P-02: deployed");
            require(keccak256(abi.encode(other.parameters())) == keccak256(abi.encode(p)), "P-02: other parameters");
        } catch {
            require(!valid, "P-02: refused");
        }
    }

    function deploy(IFederation.Parameters calldata p) external returns (Federation) {
        return Federation(_deploy("Federation", abi.encode(parties[OPERATOR], p, address(0))));
    }

    function testFuzz_P03_boundOnceToItsOwn(uint8 pointers, bool twice) external {
        Federation fresh = this.deploy(_parameters());
        address there = pointers & 1 == 0 ? address(fresh) : address(federation);
        address here = pointers & 2 == 0 ? address(fresh) : address(federation);
        address registry_ = address(new BoundDouble(there, address(0)));
        address ledger_ = address(new BoundDouble(here, pointers & 4 == 0 ? registry_ : address(registry)));
        bytes memory bind = abi.encodeCall(fresh.setContracts, (registry_, ledger_));
        (bool ok, bytes memory result) = _as(parties[OPERATOR], address(fresh), bind);
        Expect.same(pointers & 7 == 0, ok, result, "P-03: setContracts");
        if (!ok || !twice) return;
        (bool again, bytes memory why) = _as(parties[OPERATOR], address(fresh), bind);
        Expect.refusedBy(again, why, IFederation.ContractsAlreadySet.selector, "P-03: bound anew");
    }

    function testFuzz_P04_aKeyOfItsOwnAlone(uint8 party, uint16 length, uint8 label, bool stop) external {
        address who = parties[party % PARTIES];
        uint256 size = length % 4 == 0 ? PUBLIC_KEY_BYTES : length % 3000;
        if (stop) _operate(abi.encodeCall(federation.pause, ()));
        IFederation.KeyHolder[] memory expected = federation.keyHolders();
        bytes memory key = _publicKey(label % 4, size);
        bool lawful = false;
        for (uint256 i = 0; i < expected.length; i++) {
            if (expected[i].keyHolder != who || size != PUBLIC_KEY_BYTES || expected[i].keyHash == keccak256(key)) {
                continue;
            }
            lawful = true;
            expected[i].keyHash = keccak256(key);
            expected[i].keyEpoch++;
        }
        (bool ok, bytes memory result) = _as(who, address(federation), abi.encodeCall(federation.rotateKey, (key)));
        Expect.same(lawful, ok, result, "P-04: rotateKey");
        require(
            keccak256(abi.encode(federation.keyHolders())) == keccak256(abi.encode(expected)), "P-04: another's key"
        );
    }

    function testFuzz_P04_indicesInOrderForEver(uint8[12] calldata order) external {
        for (uint256 i = 0; i < order.length; i++) {
            address party = parties[order[i] % PARTIES];
            IFederation.KeyHolder[] memory before = federation.keyHolders();
            _as(parties[OPERATOR], address(federation), abi.encodeCall(federation.registerKeyHolder, (party)));
            IFederation.KeyHolder[] memory now_ = federation.keyHolders();
            require(now_.length <= before.length + 1, "P-04: two at once");
            uint256 times = 0;
            for (uint256 j = 0; j < now_.length; j++) {
                if (now_[j].keyHolder == party) times++;
                require(j >= before.length || now_[j].keyHolder == before[j].keyHolder, "P-04: an index moved");
            }
            require(times == 1, "P-04: not once");
        }
    }

    /// A mistyped address gives its index to another, before its first key and never after.
    function testFuzz_P04_replacedBeforeItsFirstKey(uint8 replaced, uint8 by, bool rotated) external {
        address mistyped = parties[0];
        _operate(abi.encodeCall(federation.registerKeyHolder, (mistyped)));
        if (rotated) {
            _mustAs(
                mistyped, address(federation), abi.encodeCall(federation.rotateKey, (_publicKey(77, PUBLIC_KEY_BYTES)))
            );
        }
        address who = parties[replaced % 3 == 0 ? 0 : replaced % PARTIES];
        address successor = by % 8 == 0 ? address(0) : parties[by % PARTIES];
        IFederation.KeyHolder[] memory expected = federation.keyHolders();
        bool known = successor == address(0);
        for (uint256 i = 0; i < expected.length; i++) {
            known = known || expected[i].keyHolder == successor;
        }
        bool lawful = who == mistyped && !rotated && !known;
        if (lawful) expected[HOLDERS].keyHolder = successor;
        bytes memory data = abi.encodeCall(federation.replaceKeyHolder, (who, successor));
        (bool ok, bytes memory result) = _as(parties[OPERATOR], address(federation), data);
        Expect.same(lawful, ok, result, "P-04: replaceKeyHolder");
        require(
            keccak256(abi.encode(federation.keyHolders())) == keccak256(abi.encode(expected)), "P-04: another index"
        );
    }

    function testFuzz_P04_notMoreThanThirtyTwo(uint8 count) external {
        count %= 40;
        for (uint256 i = HOLDERS; i < count; i++) {
            bytes memory data = abi.encodeCall(federation.registerKeyHolder, (address(uint160(1_000 + i))));
            (bool ok, bytes memory result) = _as(parties[OPERATOR], address(federation), data);
            Expect.same(i < MOST_HOLDERS, ok, result, "P-04: registerKeyHolder");
        }
    }

    /// Of any number of holders; keys of some are missing.
    function testFuzz_P22_everyHoldersKey(uint256 seed) external {
        Dice memory dice = Dice(seed);
        uint256 threshold = 2 + dice.roll(3);
        Federation other = this.deploy(IFederation.Parameters(3, uint8(threshold), 1, 1, 0));
        uint256 count = dice.roll(5);
        bytes memory hashes;
        bool complete = count >= threshold;
        for (uint256 i = 0; i < count; i++) {
            _mustAs(parties[OPERATOR], address(other), abi.encodeCall(other.registerKeyHolder, (parties[i])));
            if (dice.oneIn(6)) {
                complete = false;
                continue;
            }
            bytes memory key = _publicKey(dice.word(), PUBLIC_KEY_BYTES);
            _mustAs(parties[i], address(other), abi.encodeCall(other.rotateKey, (key)));
            hashes = bytes.concat(hashes, keccak256(key));
        }
        (bool ok, bytes memory result) = address(other).staticcall(abi.encodeCall(other.keysHash, ()));
        Expect.same(complete, ok, result, "P-22: keysHash");
        if (ok) require(abi.decode(result, (bytes32)) == keccak256(hashes), "P-22: other keys");
    }

    function _governance(address whom) private view returns (bytes[] memory calls) {
        calls = new bytes[](12);
        calls[0] = abi.encodeCall(federation.setCoordinator, (whom));
        calls[1] = abi.encodeCall(federation.registerDealer, (whom));
        calls[2] = abi.encodeCall(federation.removeDealer, (parties[0]));
        calls[3] = abi.encodeCall(federation.registerWitness, (whom));
        calls[4] = abi.encodeCall(federation.removeWitness, (parties[FIRST_WITNESS]));
        calls[5] = abi.encodeCall(federation.registerKeyHolder, (whom));
        calls[6] = abi.encodeCall(federation.setContracts, (whom, whom));
        calls[7] = abi.encodeCall(federation.pause, ());
        calls[8] = abi.encodeCall(federation.unpause, ());
        calls[9] = abi.encodeCall(federation.transferOwnership, (whom));
        calls[10] = abi.encodeCall(federation.renounceOwnership, ());
        calls[11] = abi.encodeCall(federation.replaceKeyHolder, (parties[FIRST_HOLDER], whom));
    }
}
