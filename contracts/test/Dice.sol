// SPDX-License-Identifier: Apache-2.0
// A seed of the fuzzer spread over as many choices as one action needs.
pragma solidity ^0.8.24;

struct Dice {
    uint256 state;
}

using {roll, oneIn, word} for Dice global;

function word(Dice memory dice) pure returns (uint256) {
    dice.state = uint256(keccak256(abi.encode(dice.state)));
    return dice.state;
}

/// 0 … sides - 1
function roll(Dice memory dice, uint256 sides) pure returns (uint256) {
    return dice.word() % sides;
}

function oneIn(Dice memory dice, uint256 sides) pure returns (bool) {
    return dice.roll(sides) == 0;
}
