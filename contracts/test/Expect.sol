// SPDX-License-Identifier: Apache-2.0
// What a test says of one call: taken, or refused by this error.
pragma solidity ^0.8.24;

library Expect {
    function taken(bool ok, bytes memory result, string memory what) internal pure {
        require(ok, string.concat(what, ": refused by ", _name(result)));
    }

    function refused(bool ok, string memory what) internal pure {
        require(!ok, string.concat(what, ": taken"));
    }

    function refusedBy(bool ok, bytes memory result, bytes4 selector, string memory what) internal pure {
        require(!ok, string.concat(what, ": taken"));
        require(bytes4(result) == selector, string.concat(what, ": refused by ", _name(result)));
    }

    function same(bool expected, bool ok, bytes memory result, string memory what) internal pure {
        if (expected) taken(ok, result, what);
        else refused(ok, what);
    }

    /// The selector in hex; `cast 4byte` or `forge selectors find` has its name.
    function _name(bytes memory result) private pure returns (string memory) {
        bytes16 digits = "0123456789abcdef";
        bytes memory text = new bytes(8);
        for (uint256 i = 0; i < 8 && result.length >= 4; i++) {
            uint8 octet = uint8(result[i / 2]);
            text[i] = digits[i % 2 == 0 ? octet >> 4 : octet & 15];
        }
        return string.concat("0x", string(text));
    }
}
