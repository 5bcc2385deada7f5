// SPDX-License-Identifier: Apache-2.0
// A tree over buckets as the protocol builds it (OpenZeppelin's standard tree), and multiproofs of any of its leaves.
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";

library BucketTree {
    struct Multiproof {
        IConsentRegistry.Bucket[] buckets;
        bytes32[] proof;
        bool[] flags;
    }

    function leafOf(IConsentRegistry.Bucket memory bucket) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(bucket.digest, bucket.membersRoot, bucket.memberCount))));
    }

    /// Ascending by leaf.
    function sort(IConsentRegistry.Bucket[] memory buckets) internal pure {
        for (uint256 i = 1; i < buckets.length; i++) {
            for (uint256 j = i; j > 0 && leafOf(buckets[j]) < leafOf(buckets[j - 1]); j--) {
                (buckets[j], buckets[j - 1]) = (buckets[j - 1], buckets[j]);
            }
        }
    }

    /// @param buckets Sorted. Node 0 is the root, the children of i are 2i+1 and 2i+2, the lowest leaf stands last.
    function nodesOf(IConsentRegistry.Bucket[] memory buckets) internal pure returns (bytes32[] memory nodes) {
        uint256 size = 2 * buckets.length - 1;
        nodes = new bytes32[](size);
        for (uint256 i = 0; i < buckets.length; i++) {
            nodes[size - 1 - i] = leafOf(buckets[i]);
        }
        for (uint256 i = buckets.length - 1; i > 0; i--) {
            nodes[i - 1] = hashPair(nodes[2 * i - 1], nodes[2 * i]);
        }
    }

    function hashPair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(bytes.concat(a, b)) : keccak256(bytes.concat(b, a));
    }

    /// @param buckets Sorted.
    /// @param chosen Bit i: bucket i is proven. Not zero.
    function prove(IConsentRegistry.Bucket[] memory buckets, uint256 chosen)
        internal
        pure
        returns (Multiproof memory result)
    {
        bytes32[] memory nodes = nodesOf(buckets);
        uint256 count = 0;
        for (uint256 i = 0; i < buckets.length; i++) {
            count += (chosen >> i) & 1;
        }
        result.buckets = new IConsentRegistry.Bucket[](count);
        // room for every node that can be met on the way up
        uint256[] memory queue = new uint256[](count + nodes.length);
        uint256 tail = 0;
        for (uint256 i = 0; i < buckets.length; i++) {
            if ((chosen >> i) & 1 == 0) continue;
            result.buckets[tail] = buckets[i];
            queue[tail++] = nodes.length - 1 - i;
        }
        (result.proof, result.flags) = _climb(nodes, queue, tail);
    }

    function _climb(bytes32[] memory nodes, uint256[] memory queue, uint256 tail)
        private
        pure
        returns (bytes32[] memory proof, bool[] memory flags)
    {
        proof = new bytes32[](nodes.length);
        flags = new bool[](nodes.length);
        uint256 proofs = 0;
        uint256 steps = 0;
        for (uint256 head = 0; head < tail && queue[head] > 0;) {
            uint256 node = queue[head++];
            uint256 sibling = node % 2 == 0 ? node - 1 : node + 1;
            if (head < tail && queue[head] == sibling) {
                head++;
                flags[steps] = true;
            } else {
                proof[proofs++] = nodes[sibling];
            }
            steps++;
            queue[tail++] = (node - 1) / 2;
        }
        assembly ("memory-safe") {
            mstore(proof, proofs)
            mstore(flags, steps)
        }
    }
}
