// SPDX-License-Identifier: Apache-2.0
// Long random lives of a federation: everybody calls everything, and after each call every property must hold.
pragma solidity ^0.8.24;

import {ForcedHandler} from "./handlers/ForcedHandler.sol";
import {Judge} from "./handlers/Judge.sol";
import {LedgerHandler} from "./handlers/LedgerHandler.sol";
import {VM} from "./Vm.sol";

contract Handler is LedgerHandler {}

struct FuzzSelector {
    address addr;
    bytes4[] selectors;
}

library Verdict {
    /// What was refused without a reason, and what was taken against properties `from` to `to`.
    function requireUnbroken(Judge judge, uint256 from, uint256 to) internal view {
        uint256 breached = judge.breached();
        require(breached & 1 == 0, string.concat("refused, though every property allows it: ", judge.breachedBy(0)));
        for (uint256 p = from; p <= to; p++) {
            if (breached >> p & 1 == 0) continue;
            bytes memory digits = abi.encodePacked(uint8(48 + p / 10), uint8(48 + p % 10));
            revert(string.concat("P-", string(digits), ": ", judge.breachedBy(p)));
        }
    }
}

abstract contract Campaign {
    Handler internal handler;

    /// Some dealers have consent at the start, others not.
    function setUp() external {
        handler = new Handler();
        for (uint256 i = 0; i < 4; i++) {
            handler.mend(i);
        }
    }

    /// The handler alone: the contracts' own entry points are called through it.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// An action named twice is taken twice as often.
    function _target(bytes4[] memory actions) internal view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), actions);
    }

    function _requireUnbroken(uint256 from, uint256 to) internal view {
        Verdict.requireUnbroken(handler, from, to);
    }
}

contract MembershipCampaign is Campaign {
    function invariant_P01_P02_P03_P04() external view {
        _requireUnbroken(1, 4);
        handler.checkMembership();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        bytes4[] memory s = new bytes4[](15);
        for (uint256 i = 0; i < 6; i++) s[i] = handler.membership.selector;
        for (uint256 i = 6; i < 9; i++) s[i] = handler.office.selector;
        for (uint256 i = 9; i < 13; i++) s[i] = handler.rotateKey.selector;
        s[13] = handler.anchor.selector;
        s[14] = handler.open.selector;
        return _target(s);
    }
}

contract ConsentCampaign is Campaign {
    function invariant_P05_P06_P07_P08_P09_P10() external view {
        _requireUnbroken(5, 10);
        handler.checkConsent();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        bytes4[] memory s = new bytes4[](19);
        s[0] = handler.membership.selector;
        s[1] = handler.office.selector;
        for (uint256 i = 2; i < 6; i++) s[i] = handler.anchor.selector;
        for (uint256 i = 6; i < 10; i++) s[i] = handler.claim.selector;
        for (uint256 i = 10; i < 15; i++) s[i] = handler.select.selector;
        s[15] = handler.pass.selector;
        s[16] = handler.mend.selector;
        s[17] = handler.open.selector;
        s[18] = handler.commit.selector;
        return _target(s);
    }
}

contract RoundCampaign is Campaign {
    function invariant_P11_P12_P13_P14_P15_P16_P17_P18_P19_P20_P22() external view {
        _requireUnbroken(11, 22);
        handler.checkRounds();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        bytes4[] memory s = new bytes4[](27);
        s[0] = handler.membership.selector;
        s[1] = handler.office.selector;
        s[2] = handler.rotateKey.selector;
        s[3] = handler.anchor.selector;
        for (uint256 i = 4; i < 6; i++) s[i] = handler.open.selector;
        for (uint256 i = 6; i < 10; i++) s[i] = handler.commit.selector;
        for (uint256 i = 10; i < 12; i++) s[i] = handler.rally.selector;
        for (uint256 i = 12; i < 15; i++) s[i] = handler.finalise.selector;
        for (uint256 i = 15; i < 18; i++) s[i] = handler.publish.selector;
        s[18] = handler.fail.selector;
        for (uint256 i = 19; i < 22; i++) s[i] = handler.pass.selector;
        for (uint256 i = 22; i < 26; i++) s[i] = handler.mend.selector;
        s[26] = handler.select.selector;
        return _target(s);
    }
}

contract ForcedCampaign {
    ForcedHandler private handler;

    function setUp() external {
        handler = new ForcedHandler();
    }

    function invariant_P23_P24_P25_P26() external view {
        Verdict.requireUnbroken(handler, 5, 26);
        handler.checkPending();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory s = new bytes4[](10);
        for (uint256 i = 0; i < 3; i++) s[i] = handler.force.selector;
        for (uint256 i = 3; i < 5; i++) s[i] = handler.anchor.selector;
        s[5] = handler.acknowledge.selector;
        s[6] = handler.acknowledgeReturn.selector;
        s[7] = handler.select.selector;
        s[8] = handler.commit.selector;
        s[9] = handler.office.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), s);
    }
}

/// A campaign in which nothing is ever taken, or nothing refused, would prove nothing.
contract ReachTest {
    uint256 private constant CALLS = 1_000;

    function test_everyActionIsTakenAndRefused() external {
        Handler handler = new Handler();
        function(uint256) external[16] memory actions = [
            handler.mend,
            handler.mend,
            handler.rally,
            handler.rally,
            handler.finalise,
            handler.finalise,
            handler.publish,
            handler.publish,
            handler.commit,
            handler.open,
            handler.pass,
            handler.anchor,
            handler.claim,
            handler.select,
            handler.membership,
            handler.rotateKey
        ];
        for (uint256 i = 0; i < CALLS; i++) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            actions[seed % actions.length](seed >> 8);
            if (i % 20 == 0) handler.office(seed);
            if (i % 20 == 10) handler.fail(seed);
        }
        string[12] memory names = [
            "registerDealer", "registerWitness", "rotateKey", "anchor", "claim", "select",
            "open", "commit", "finalise", "publish", "fail", "unpause"
        ];
        for (uint256 i = 0; i < names.length; i++) {
            _requireReach(handler, names[i]);
        }
    }

    function test_everyForcedActionIsTakenAndRefused() external {
        ForcedHandler handler = new ForcedHandler();
        function(uint256) external[8] memory actions = [
            handler.force,
            handler.anchor,
            handler.force,
            handler.acknowledge,
            handler.acknowledgeReturn,
            handler.select,
            handler.commit,
            handler.office
        ];
        for (uint256 i = 0; i < CALLS; i++) {
            actions[i % actions.length](uint256(keccak256(abi.encode(i))));
        }
        string[7] memory names =
            ["anchor", "force", "force while paused", "acknowledge", "acknowledgeReturn", "select", "commit"];
        for (uint256 i = 0; i < names.length; i++) {
            _requireReach(handler, names[i]);
        }
    }

    function _requireReach(Judge judge, string memory action) private view {
        require(judge.taken(action) > 3, string.concat(action, ": taken ", VM.toString(judge.taken(action))));
        require(judge.refused(action) > 2, string.concat(action, ": refused ", VM.toString(judge.refused(action))));
    }
}
