// SPDX-License-Identifier: Apache-2.0
// The three contracts as deployed, twelve parties with keys, and calls in any party's name.
pragma solidity ^0.8.24;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {Federation} from "../src/Federation.sol";
import {RoundLedger} from "../src/RoundLedger.sol";
import {IFederation} from "../src/interfaces/IFederation.sol";
import {VerifierDouble} from "./VerifierDouble.sol";
import {VM} from "./Vm.sol";

abstract contract World {
    uint256 internal constant PARTIES = 12;
    uint256 internal constant DEALERS = 5;
    uint256 internal constant FIRST_WITNESS = 5;
    uint256 internal constant WITNESSES = 3;
    uint256 internal constant FIRST_HOLDER = 8;
    uint256 internal constant HOLDERS = 2;
    uint256 internal constant COORDINATOR = 10;
    uint256 internal constant OPERATOR = 11;

    uint256 internal constant PUBLIC_KEY_BYTES = 1216;
    uint256 internal constant QUORUM = 2;
    uint32 internal constant METRIC_MAX_AGE = 3600;
    uint256 internal constant WEEK = 604_800;
    uint256 internal constant MOST_HOLDERS = 32;
    uint256 internal constant NO_CAP = (1 << 20) - 1;
    uint256 internal constant FAR = 4_102_444_800;
    uint256 internal constant START = 1_800_000_000;
    bytes32 internal constant VERIFICATION_KEY_HASH = keccak256("verification key");

    Federation internal federation;
    ConsentRegistry internal registry;
    RoundLedger internal ledger;
    VerifierDouble internal verifier;
    address[] internal parties;

    constructor() {
        VM.warp(START);
        VM.roll(1_000);
        for (uint256 i = 0; i < PARTIES; i++) {
            parties.push(VM.addr(keyOf(i)));
        }
        verifier = new VerifierDouble();
        federation = Federation(_deployFederation(address(0)));
        _deployBound();
    }

    function _deployFederation(address predecessor) internal returns (address) {
        return _deploy("Federation", abi.encode(parties[OPERATOR], _parameters(), predecessor));
    }

    /// The federation's registry and ledger, and everybody's place in it.
    function _deployBound() internal {
        registry = ConsentRegistry(_deploy("ConsentRegistry", abi.encode(federation, verifier)));
        ledger = RoundLedger(_deploy("RoundLedger", abi.encode(federation, registry)));
        _mustAs(
            parties[OPERATOR],
            address(federation),
            abi.encodeCall(federation.setContracts, (address(registry), address(ledger)))
        );
        _register();
    }

    function keyOf(uint256 party) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("party", party)));
    }

    function _parameters() internal pure returns (IFederation.Parameters memory) {
        return IFederation.Parameters(3, 2, uint8(QUORUM), METRIC_MAX_AGE, VERIFICATION_KEY_HASH);
    }

    /// Of a length that the federation takes; its content is all that the label changes.
    function _publicKey(uint256 label, uint256 length) internal pure returns (bytes memory key) {
        key = new bytes(length);
        if (length >= 32) {
            assembly ("memory-safe") {
                mstore(add(key, 32), label)
            }
        }
    }

    function _as(address sender, address target, bytes memory data) internal returns (bool ok, bytes memory result) {
        VM.prank(sender);
        return target.call(data);
    }

    function _mustAs(address sender, address target, bytes memory data) internal returns (bytes memory) {
        (bool ok, bytes memory result) = _as(sender, target, data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        return result;
    }

    /// A planted mutant comes as bytecode in the environment: CONCORDAT_MUTANT_RoundLedger, …
    function _deploy(string memory name, bytes memory args) internal returns (address deployed) {
        bytes memory code = VM.envOr(string.concat("CONCORDAT_MUTANT_", name), bytes(""));
        if (code.length == 0) code = VM.getCode(string.concat("contracts/src/", name, ".sol:", name));
        code = bytes.concat(code, args);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
            if iszero(deployed) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function _operate(bytes memory data) internal {
        _mustAs(parties[OPERATOR], address(federation), data);
    }

    function _register() private {
        _operate(abi.encodeCall(federation.setCoordinator, (parties[COORDINATOR])));
        for (uint256 i = 0; i < DEALERS; i++) {
            _operate(abi.encodeCall(federation.registerDealer, (parties[i])));
        }
        for (uint256 i = 0; i < WITNESSES; i++) {
            _operate(abi.encodeCall(federation.registerWitness, (parties[FIRST_WITNESS + i])));
        }
        for (uint256 i = 0; i < HOLDERS; i++) {
            address holder = parties[FIRST_HOLDER + i];
            _operate(abi.encodeCall(federation.registerKeyHolder, (holder)));
            _mustAs(
                holder, address(federation), abi.encodeCall(federation.rotateKey, (_publicKey(i + 1, PUBLIC_KEY_BYTES)))
            );
        }
    }
}
