// OpenZeppelin's Merkle tree over ready leaf hashes: inclusion proofs and multiproofs that `MerkleProof.sol` accepts.
//
// Same layout and order as `SimpleMerkleTree.of(leaves, {sortLeaves: true})` of @openzeppelin/merkle-tree, which the tests
// hold it against. Written over one flat byte array because the trees here are rebuilt at every consent change: the
// library validates and re-parses hex at each node, and costs several times more.
import { compareBytes, concatBytes, fromHex, type Hex, keccak256, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { ZERO_WORD } from './hex-schema.ts';

/** keccak256(keccak256(abi.encode(…))): the double hash keeps a leaf from posing as an inner node. */
export const leafHash = (abiEncoded: Uint8Array): Uint8Array => keccak256(keccak256(abiEncoded));

export interface MultiProof {
  /** Leaf hashes, strictly ascending: the order `multiProofVerify` consumes them in. */
  readonly leaves: readonly Hex[];
  readonly proof: readonly Hex[];
  readonly proofFlags: readonly boolean[];
}

const hashPair = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  keccak256(compareBytes(a, b) < 0 ? concatBytes(a, b) : concatBytes(b, a));

function sameRange(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Immutable. A tree of no leaves has the root 0 and proves nothing. */
export class MerkleTree {
  readonly leafCount: number;
  readonly root: Hex;
  /** 2n-1 nodes of 32 bytes, root first, children of i at 2i+1 and 2i+2; leaf j of the ascending order at 2n-2-j. */
  readonly #nodes: Uint8Array;

  private constructor(nodes: Uint8Array, leafCount: number) {
    this.#nodes = nodes;
    this.leafCount = leafCount;
    this.root = leafCount === 0 ? ZERO_WORD : toHex(this.#node(0));
  }

  /**
   * `leaves`: 32-byte leaf hashes in any order. `previous`: an older tree; of the same size, its hashes are used where
   * nothing moved (a changed leaf moves about a third of the others).
   * @throws ConcordatError STATE_CORRUPT on a repeated leaf
   */
  static of(leaves: readonly Uint8Array[], previous?: MerkleTree): MerkleTree {
    const sorted = leaves.toSorted(compareBytes);
    const count = sorted.length;
    const nodes = new Uint8Array(32 * Math.max(0, 2 * count - 1));
    sorted.forEach((leaf, j) => {
      const before = sorted[j - 1];
      if (before !== undefined && compareBytes(before, leaf) === 0) {
        throw new ConcordatError('STATE_CORRUPT', 'the same leaf twice in one Merkle tree');
      }
      nodes.set(leaf, 32 * (2 * count - 2 - j));
    });
    const old = previous?.leafCount === count ? previous.#nodes : undefined;
    for (let i = count - 2; i >= 0; i--) {
      const left = 32 * (2 * i + 1);
      const same = old !== undefined && sameRange(nodes, old, left, left + 64);
      const hash = same
        ? old.subarray(32 * i, 32 * i + 32)
        : hashPair(nodes.subarray(left, left + 32), nodes.subarray(left + 32, left + 64));
      nodes.set(hash, 32 * i);
    }
    return new MerkleTree(nodes, count);
  }

  /** Siblings from the leaf up to the root. @throws ConcordatError NOT_FOUND */
  proofOf(leaf: Uint8Array): Hex[] {
    const proof: Hex[] = [];
    for (let i = this.#indexOf(leaf); i > 0; i = (i - 1) >> 1) proof.push(toHex(this.#node(siblingOf(i))));
    return proof;
  }

  /** Proves several leaves at once. @throws ConcordatError NOT_FOUND for a stranger or a repeated leaf */
  multiProofOf(leaves: readonly Uint8Array[]): MultiProof {
    const sorted = leaves.toSorted(compareBytes);
    const queue = sorted.map((leaf) => this.#indexOf(leaf)); // ascending leaves = descending indices
    if (new Set(queue).size !== queue.length) throw new ConcordatError('NOT_FOUND', 'a leaf is named twice');
    const proof: Hex[] = [];
    const proofFlags: boolean[] = [];
    for (let head = 0; head < queue.length; head++) {
      const i = queue[head] ?? 0;
      if (i === 0) break;
      const siblingIsNext = queue[head + 1] === siblingOf(i);
      proofFlags.push(siblingIsNext);
      if (siblingIsNext) head++;
      else proof.push(toHex(this.#node(siblingOf(i))));
      queue.push((i - 1) >> 1);
    }
    if (sorted.length === 0) proof.push(this.root);
    return { leaves: sorted.map(toHex), proof, proofFlags };
  }

  #node(i: number): Uint8Array {
    return this.#nodes.subarray(32 * i, 32 * i + 32);
  }

  #indexOf(leaf: Uint8Array): number {
    let low = this.leafCount - 1; // leaves descend as node indices ascend
    let high = 2 * this.leafCount - 2;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = compareBytes(this.#node(middle), leaf);
      if (order === 0) return middle;
      if (order > 0) low = middle + 1;
      else high = middle - 1;
    }
    throw new ConcordatError('NOT_FOUND', 'no such leaf in this Merkle tree');
  }
}

const siblingOf = (i: number): number => (i % 2 === 0 ? i - 1 : i + 1);

/** As `MerkleProof.verify` of OpenZeppelin. */
export function verifyInclusion(root: Hex, leaf: Uint8Array, proof: readonly Hex[]): boolean {
  return toHex(proof.reduce((node, sibling) => hashPair(node, fromHex(sibling)), leaf)) === root;
}
