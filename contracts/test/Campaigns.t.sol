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

/// A schedule of actions; one that is in it twice is taken twice as often.
library Schedule {
    function add(bytes4[] memory actions, bytes4 action, uint256 times) internal pure returns (bytes4[] memory longer) {
        longer = new bytes4[](actions.length + times);
        for (uint256 i = 0; i < longer.length; i++) {
            longer[i] = i < actions.length ? actions[i] : action;
        }
    }
}

abstract contract Campaign {
    /// The handler alone: the contracts' own entry points are called through it.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_judge());
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_judge()), _schedule(new bytes4[](0)));
    }

    function _judge() internal view virtual returns (Judge);

    function _schedule(bytes4[] memory actions) internal view virtual returns (bytes4[] memory);

    /// What was refused though every property allows it, and what was taken though one forbids it.
    function _requireUnbroken() internal view {
        uint256 breached = _judge().breached();
        require(breached & 1 == 0, string.concat("refused, though every property allows it: ", _judge().breachedBy(0)));
        for (uint256 p = 1; p < 64; p++) {
            if (breached >> p & 1 == 0) continue;
            bytes memory digits = abi.encodePacked(uint8(48 + p / 10), uint8(48 + p % 10));
            revert(string.concat("P-", string(digits), ": ", _judge().breachedBy(p)));
        }
    }
}

abstract contract FederationCampaign is Campaign {
    Handler internal handler;

    function setUp() external {
        handler = new Handler();
        handler.mend(0);
    }

    function _judge() internal view override returns (Judge) {
        return handler;
    }
}

contract MembershipCampaign is FederationCampaign {
    using Schedule for bytes4[];

    function invariant_P01_P02_P03_P04() external view {
        _requireUnbroken();
        handler.checkMembership();
    }

    function _schedule(bytes4[] memory actions) internal view override returns (bytes4[] memory) {
        actions = actions.add(handler.membership.selector, 6);
        actions = actions.add(handler.office.selector, 3);
        actions = actions.add(handler.rotateKey.selector, 4);
        actions = actions.add(handler.anchor.selector, 1);
        actions = actions.add(handler.open.selector, 1);
        return actions;
    }
}

contract ConsentCampaign is FederationCampaign {
    using Schedule for bytes4[];

    function invariant_P05_P06_P07_P08_P09_P10() external view {
        _requireUnbroken();
        handler.checkConsent();
    }

    function _schedule(bytes4[] memory actions) internal view override returns (bytes4[] memory) {
        actions = actions.add(handler.membership.selector, 1);
        actions = actions.add(handler.office.selector, 1);
        actions = actions.add(handler.anchor.selector, 4);
        actions = actions.add(handler.claim.selector, 4);
        actions = actions.add(handler.select.selector, 5);
        actions = actions.add(handler.mend.selector, 1);
        actions = actions.add(handler.open.selector, 1);
        actions = actions.add(handler.commit.selector, 1);
        actions = actions.add(handler.pass.selector, 1);
        return actions;
    }
}

contract RoundCampaign is FederationCampaign {
    using Schedule for bytes4[];

    function invariant_P11_P12_P13_P14_P15_P16_P17_P18_P19_P20_P22() external view {
        _requireUnbroken();
        handler.checkRounds();
    }

    function _schedule(bytes4[] memory actions) internal view override returns (bytes4[] memory) {
        actions = actions.add(handler.membership.selector, 1);
        actions = actions.add(handler.office.selector, 1);
        actions = actions.add(handler.rotateKey.selector, 1);
        actions = actions.add(handler.anchor.selector, 1);
        actions = actions.add(handler.select.selector, 1);
        actions = actions.add(handler.mend.selector, 3);
        actions = actions.add(handler.open.selector, 2);
        actions = actions.add(handler.commit.selector, 4);
        actions = actions.add(handler.rally.selector, 2);
        actions = actions.add(handler.finalise.selector, 3);
        actions = actions.add(handler.publish.selector, 3);
        actions = actions.add(handler.fail.selector, 1);
        actions = actions.add(handler.pass.selector, 2);
        return actions;
    }
}

contract ForcedCampaign is Campaign {
    using Schedule for bytes4[];

    ForcedHandler private handler;

    function setUp() external {
        handler = new ForcedHandler();
    }

    function _judge() internal view override returns (Judge) {
        return handler;
    }

    function invariant_P23_P24_P25_P26() external view {
        _requireUnbroken();
        handler.checkPending();
    }

    function _schedule(bytes4[] memory actions) internal view override returns (bytes4[] memory) {
        actions = actions.add(handler.force.selector, 3);
        actions = actions.add(handler.anchor.selector, 2);
        actions = actions.add(handler.acknowledge.selector, 1);
        actions = actions.add(handler.acknowledgeReturn.selector, 1);
        actions = actions.add(handler.select.selector, 1);
        actions = actions.add(handler.commit.selector, 1);
        actions = actions.add(handler.office.selector, 1);
        return actions;
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
            "registerDealer",
            "registerWitness",
            "rotateKey",
            "anchor",
            "claim",
            "select",
            "open",
            "commit",
            "finalise",
            "publish",
            "fail",
            "unpause"
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
