// A Merkle tree over a sorted, linked list of (key, value): it proves what is in it, and what is not.
//
// Each leaf names the next key, so a leaf (a, ·, b) proves that nothing lies between a and b. A sentinel (0, 0, first)
// opens the list, the last leaf links to 2^256-1. Used for subject -> digest and for the records of a round.
import { fromHex, type Hex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { abiWords, MAX_WORD, ZERO_WORD } from './hex-schema.ts';
import { leafHash, MerkleTree, verifyInclusion } from './merkle.ts';

export interface LinkedLeaf {
  readonly key: Hex;
  readonly value: Hex;
  readonly next: Hex;
}

export interface LinkedProof {
  readonly leaf: LinkedLeaf;
  readonly proof: readonly Hex[];
}

const hashLeaf = (leaf: LinkedLeaf): Uint8Array => leafHash(abiWords(leaf.key, leaf.value, leaf.next));

/** Immutable. All words are 32 bytes of lower-case hex, so that string order is numeric order. */
export class LinkedTree {
  readonly #leaves: readonly LinkedLeaf[]; // ascending by key, sentinel first
  readonly #hashes: readonly Uint8Array[];
  readonly #tree: MerkleTree;

  private constructor(leaves: readonly LinkedLeaf[], hashes: readonly Uint8Array[], tree = MerkleTree.of(hashes)) {
    this.#leaves = leaves;
    this.#hashes = hashes;
    this.#tree = tree;
  }

  /**
   * `previous`: an older version of the same list, whose unchanged leaves need no hashing again.
   * @throws ConcordatError VALUE_OUT_OF_RANGE for a key of 0 or 2^256-1, CONFLICT for a repeated key
   */
  static of(pairs: Iterable<readonly [key: Hex, value: Hex]>, previous?: LinkedTree): LinkedTree {
    const leaves = linked([...pairs].sort(byKey));
    return new LinkedTree(leaves, previous === undefined ? leaves.map(hashLeaf) : previous.#rehash(leaves));
  }

  /** This list with some keys added, and some given another value. @throws as `of` */
  with(changes: Iterable<readonly [key: Hex, value: Hex]>): LinkedTree {
    const leaves: LinkedLeaf[] = [];
    const hashes: (Uint8Array | undefined)[] = []; // undefined: new here
    const removed: Uint8Array[] = [];
    let from = 0;
    const copyUntil = (end: number): void => {
      for (; from < end; from++) {
        const [leaf, hash] = [this.#leaves[from], this.#hashes[from]];
        if (leaf !== undefined) leaves.push(leaf);
        hashes.push(hash);
      }
    };
    const touched = new Set<number>();
    // `linked` looks at the keys; where a change is linked to is known once all have their places
    for (const change of linked([...changes].sort(byKey)).slice(1)) {
      const at = this.#floorIndex(change.key);
      const isOld = this.#leaves[at]?.key === change.key;
      copyUntil(isOld ? at : at + 1);
      const replaced = this.#hashes[from];
      if (isOld && replaced !== undefined) {
        removed.push(replaced);
        from += 1;
      } else touched.add(leaves.length - 1);
      touched.add(leaves.length);
      leaves.push(change);
      hashes.push(undefined);
    }
    copyUntil(this.#leaves.length);

    const added: Uint8Array[] = [];
    for (const i of touched) {
      const known = hashes[i];
      if (known !== undefined) removed.push(known);
      const leaf = { ...(leaves[i] ?? SENTINEL), next: leaves[i + 1]?.key ?? MAX_WORD };
      const hash = hashLeaf(leaf);
      leaves[i] = leaf;
      hashes[i] = hash;
      added.push(hash);
    }
    const complete = hashes.filter((hash) => hash !== undefined);
    return new LinkedTree(leaves, complete, this.#tree.replace(removed, added));
  }

  get root(): Hex {
    return this.#tree.root;
  }

  /** Number of keys, the sentinel not counted. */
  get size(): number {
    return this.#leaves.length - 1;
  }

  /** A proof that the key is in, with its value; undefined when it is not. */
  presenceProof(key: Hex): LinkedProof | undefined {
    const i = this.#floorIndex(key);
    return this.#leaves[i]?.key === key && key !== ZERO_WORD ? this.#proofAt(i) : undefined;
  }

  /** A proof that the key is not in; undefined when it is, or when no list could hold it. */
  absenceProof(key: Hex): LinkedProof | undefined {
    const i = this.#floorIndex(key);
    return this.#leaves[i]?.key === key || key === MAX_WORD ? undefined : this.#proofAt(i);
  }

  #proofAt(i: number): LinkedProof {
    const leaf = this.#leaves[i];
    const hash = this.#hashes[i];
    if (leaf === undefined || hash === undefined) throw new ConcordatError('STATE_CORRUPT', `no leaf ${i}`);
    return { leaf, proof: this.#tree.proofOf(hash) };
  }

  /** Index of the greatest key that is at most `key`. */
  #floorIndex(key: Hex): number {
    let low = 0;
    let high = this.#leaves.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#leaves[middle]?.key ?? MAX_WORD) <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Hashes of another version's leaves; both lists ascend, so one walk finds what is unchanged. */
  #rehash(leaves: readonly LinkedLeaf[]): Uint8Array[] {
    let i = 0;
    return leaves.map((leaf) => {
      while ((this.#leaves[i]?.key ?? MAX_WORD) < leaf.key) i += 1;
      const old = this.#leaves[i];
      const hash = this.#hashes[i];
      const same = old?.key === leaf.key && old.value === leaf.value && old.next === leaf.next;
      return same && hash !== undefined ? hash : hashLeaf(leaf);
    });
  }
}

const SENTINEL: LinkedLeaf = { key: ZERO_WORD, value: ZERO_WORD, next: MAX_WORD };

const byKey = ([a]: readonly [Hex, Hex], [b]: readonly [Hex, Hex]): number => (a < b ? -1 : a > b ? 1 : 0);

/** The leaves of ascending pairs, behind the sentinel. */
function linked(sorted: readonly (readonly [key: Hex, value: Hex])[]): LinkedLeaf[] {
  const leaves: LinkedLeaf[] = [{ ...SENTINEL, next: sorted[0]?.[0] ?? MAX_WORD }];
  sorted.forEach(([key, value], i) => {
    if (key === ZERO_WORD || key === MAX_WORD) {
      throw new ConcordatError('VALUE_OUT_OF_RANGE', 'a key of a linked tree lies strictly between 0 and 2^256-1');
    }
    const next = sorted[i + 1]?.[0] ?? MAX_WORD;
    if (next === key) throw new ConcordatError('CONFLICT', 'a key stands twice in a linked tree', { key });
    leaves.push({ key, value, next });
  });
  return leaves;
}

const isWord = (hex: Hex): boolean => hex.length === 66 && fromHex(hex).length === 32;

const verifyLeaf = (root: Hex, { leaf, proof }: LinkedProof): boolean =>
  [leaf.key, leaf.value, leaf.next].every(isWord) && verifyInclusion(root, hashLeaf(leaf), proof);

/** True when `proof` shows `key` under `root`, with `value` when one is expected. */
export function verifyPresence(root: Hex, key: Hex, proof: LinkedProof, value?: Hex): boolean {
  const { leaf } = proof;
  const asked = leaf.key === key && key !== ZERO_WORD && (value === undefined || leaf.value === value);
  return asked && verifyLeaf(root, proof);
}

/** True when `proof` shows that `key` is nowhere under `root`. */
export function verifyAbsence(root: Hex, key: Hex, proof: LinkedProof): boolean {
  const { leaf } = proof;
  return isWord(key) && leaf.key < key && key < leaf.next && verifyLeaf(root, proof);
}
