// OpenZeppelin's Merkle tree over ready leaf hashes: inclusion proofs and multiproofs that `MerkleProof.sol` accepts.
//
// Same layout and order as `SimpleMerkleTree.of(leaves, {sortLeaves: true})` of @openzeppelin/merkle-tree, which the tests
// hold it against. Written over one flat byte array because the trees here are rebuilt at every consent change: one more
// leaf moves all the others to other places, so that most nodes above them are new.
import { compareBytes, concatBytes, fromHex, type Hex, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { ZERO_WORD } from './hex-schema.ts';
import { keccak256, keccak256Twice, treeHasher } from './keccak.ts';

/** keccak256(keccak256(abi.encode(…))): the double hash keeps a leaf from posing as an inner node. */
export const leafHash: (abiEncoded: Uint8Array) => Uint8Array = keccak256Twice;

export interface MultiProof {
  /** Leaf hashes, strictly ascending: the order `multiProofVerify` consumes them in. */
  readonly leaves: readonly Hex[];
  readonly proof: readonly Hex[];
  readonly proofFlags: readonly boolean[];
}

const hashPair = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  keccak256(compareBytes(a, b) < 0 ? concatBytes(a, b) : concatBytes(b, a));

/** Immutable. A tree of no leaves has the root 0 and proves nothing. */
export class MerkleTree {
  readonly leafCount: number;
  readonly root: Hex;
  /** 2n-1 nodes of 32 bytes, root first, children of i at 2i+1 and 2i+2; leaf j of the ascending order at 2n-2-j. */
  readonly #nodes: Uint8Array;

  /** `nodes`: the leaves in their places, the rest still empty. */
  private constructor(nodes: Uint8Array, leafCount: number) {
    this.#nodes = nodes;
    this.leafCount = leafCount;
    treeHasher.hashTree(nodes, leafCount);
    this.root = leafCount === 0 ? ZERO_WORD : toHex(this.#node(0));
  }

  /** `leaves`: 32-byte leaf hashes in any order. @throws ConcordatError STATE_CORRUPT on a repeated leaf */
  static of(leaves: readonly Uint8Array[]): MerkleTree {
    const count = leaves.length;
    const nodes = new Uint8Array(32 * Math.max(0, 2 * count - 1));
    descending(leaves).forEach((leaf, j) => {
      nodes.set(leaf, 32 * (count - 1 + j));
    });
    return new MerkleTree(nodes, count);
  }

  /**
   * The tree without some leaves and with some others: no sorting again.
   * @throws ConcordatError NOT_FOUND for one it does not have, STATE_CORRUPT on a repeated leaf
   */
  replace(removed: readonly Uint8Array[], added: readonly Uint8Array[]): MerkleTree {
    const gone = new Set(removed.map((leaf) => this.#indexOf(leaf)));
    if (gone.size !== removed.length) throw new ConcordatError('NOT_FOUND', 'a leaf is named twice');
    const arrivals = descending(added).map((leaf) => ({ at: this.#firstAtMost(leaf), leaf }));
    if (arrivals.some(({ at, leaf }) => !gone.has(at) && this.#holds(at, leaf))) refuseRepeated();
    const count = this.leafCount - removed.length + added.length;
    if (count === 0) return MerkleTree.of([]);

    const nodes = new Uint8Array(32 * (2 * count - 1));
    let from = Math.max(0, this.leafCount - 1); // the next of our nodes to be copied
    let to = count - 1;
    // what lies between two changes is copied in one piece
    const copyUntil = (end: number): void => {
      nodes.set(this.#nodes.subarray(32 * from, 32 * end), 32 * to);
      to += end - from;
      from = end;
    };
    const departures = [...gone].map((at) => ({ at, leaf: undefined }));
    for (const { at, leaf } of [...arrivals, ...departures].sort((a, b) => a.at - b.at)) {
      copyUntil(at);
      if (leaf === undefined) from += 1;
      else nodes.set(leaf, 32 * to++);
    }
    copyUntil(this.#end);
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

  /** Just after the last node. */
  get #end(): number {
    return this.#nodes.length / 32;
  }

  #holds(i: number, leaf: Uint8Array): boolean {
    return i < this.#end && compareBytes(this.#node(i), leaf) === 0;
  }

  #indexOf(leaf: Uint8Array): number {
    const i = this.#firstAtMost(leaf);
    if (!this.#holds(i, leaf)) throw new ConcordatError('NOT_FOUND', 'no such leaf in this Merkle tree');
    return i;
  }

  /** Index of the first leaf, in the order of the nodes, that is at most `leaf`. */
  #firstAtMost(leaf: Uint8Array): number {
    let low = Math.max(0, this.leafCount - 1); // leaves descend as node indices ascend
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes(this.#node(middle), leaf) <= 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function refuseRepeated(): never {
  throw new ConcordatError('STATE_CORRUPT', 'the same leaf twice in one Merkle tree');
}

/** @throws ConcordatError STATE_CORRUPT on a repeated leaf */
function descending(leaves: readonly Uint8Array[]): Uint8Array[] {
  const sorted = leaves.toSorted((a, b) => compareBytes(b, a));
  sorted.forEach((leaf, i) => {
    const before = sorted[i - 1];
    if (before !== undefined && compareBytes(before, leaf) === 0) refuseRepeated();
  });
  return sorted;
}

const siblingOf = (i: number): number => (i % 2 === 0 ? i - 1 : i + 1);

/** As `MerkleProof.processProof` of OpenZeppelin: where the leaf's path ends. */
export const rootOf = (leaf: Uint8Array, proof: readonly Hex[]): Hex =>
  toHex(proof.reduce((node, sibling) => hashPair(node, fromHex(sibling)), leaf));

/** As `MerkleProof.verify` of OpenZeppelin. */
export const verifyInclusion = (root: Hex, leaf: Uint8Array, proof: readonly Hex[]): boolean =>
  rootOf(leaf, proof) === root;
