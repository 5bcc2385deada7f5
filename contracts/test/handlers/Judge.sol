// SPDX-License-Identifier: Apache-2.0
// Compares what a contract did with what the properties allow: a bit per property, and how often an action was taken.
pragma solidity ^0.8.24;

import {Consent} from "../Consent.sol";

abstract contract Judge is Consent {
    /// Bit p: property P-p was broken. Bit 0: something that every property allows was refused.
    uint256 public breached;
    /// The action that broke each first.
    mapping(uint256 property => string) public breachedBy;
    /// Not vacuous: the campaigns' own test asks for both of each action.
    mapping(string action => uint256) public taken;
    mapping(string action => uint256) public refused;

    /// A rule of property P-p, as a bit of what is broken.
    function _rule(uint256 property, bool holds) internal pure returns (uint256) {
        return holds ? 0 : 1 << property;
    }

    /// @param broken Rules that the action breaks, by this model and not by the contract's word.
    function _judge(string memory action, bool ok, uint256 broken) internal {
        _judge(action, ok, broken, 0);
    }

    /// @param owed The property that is broken when the action is refused though no rule is.
    function _judge(string memory action, bool ok, uint256 broken, uint256 owed) internal {
        if (ok) taken[action]++;
        else refused[action]++;
        if (ok && broken != 0) _breach(broken, action);
        if (!ok && broken == 0) _breach(1 << owed, action);
    }

    function _expect(uint256 property, bool holds, string memory what) internal {
        if (!holds) _breach(1 << property, what);
    }

    function _breach(uint256 properties, string memory action) private {
        for (uint256 p = 0; p < 64; p++) {
            if ((properties & ~breached) >> p & 1 == 1) breachedBy[p] = action;
        }
        breached |= properties;
    }
}
