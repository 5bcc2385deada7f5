// SPDX-License-Identifier: Apache-2.0
// The cheatcodes of forge that these tests use; forge-std is not needed for the rest.
pragma solidity ^0.8.24;

interface Vm {
    function addr(uint256 privateKey) external pure returns (address);
    function envOr(string calldata name, bytes calldata otherwise) external view returns (bytes memory);
    function getCode(string calldata artifact) external view returns (bytes memory);
    function prank(address sender) external;
    function publicKeyP256(uint256 privateKey) external pure returns (uint256 x, uint256 y);
    function roll(uint256 blockNumber) external;
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function signP256(uint256 privateKey, bytes32 digest) external pure returns (bytes32 r, bytes32 s);
    function snapshotGasLastCall(string calldata name) external returns (uint256 gasUsed);
    function toString(uint256 value) external pure returns (string memory);
    function warp(uint256 timestamp) external;
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
