// The root of a Merkle Patricia trie, as blocks commit to their transactions and receipts; and the value at a key that a proof shows.
import { concatBytes, equalBytes, keccak256 } from '../../protocol/bytes.ts';
import { decodeRlp, encodeRlp, type Rlp, uintBytes } from './rlp.ts';

/** The path of its key, one half of a byte each. */
interface Leaf {
  readonly path: Uint8Array;
  readonly value: Uint8Array;
}

const NOTHING = new Uint8Array();

/** Over values keyed by their position, as transactions and receipts are. */
export const rootOfList = (values: readonly Uint8Array[]): Uint8Array =>
  trieRoot(values.map((value, i) => [encodeRlp(uintBytes(i)), value]));

export function trieRoot(pairs: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): Uint8Array {
  const leaves = pairs.map(([key, value]) => ({ path: halves(key), value }));
  return keccak256(encodeRlp(nodeOf(leaves, 0)));
}

function nodeOf(leaves: readonly Leaf[], depth: number): Rlp {
  const [first, ...others] = leaves;
  if (first === undefined) return NOTHING;
  if (others.length === 0) return [compact(first.path.subarray(depth), true), first.value];
  const shared = sharedUpTo(leaves, depth);
  if (shared > depth) return [compact(first.path.subarray(depth, shared), false), referenceTo(leaves, shared)];
  const branches: Leaf[][] = Array.from({ length: 16 }, () => []);
  let own: Uint8Array = NOTHING;
  for (const leaf of leaves) {
    const next = leaf.path[depth];
    if (next === undefined) own = leaf.value;
    else branches[next]?.push(leaf);
  }
  return [...branches.map((inside) => (inside.length === 0 ? NOTHING : referenceTo(inside, depth + 1))), own];
}

/** A node shorter than a hash stands in its parent itself. */
function referenceTo(leaves: readonly Leaf[], depth: number): Rlp {
  const node = nodeOf(leaves, depth);
  const encoded = encodeRlp(node);
  return encoded.length < 32 ? node : keccak256(encoded);
}

/** How far all paths are the same. */
function sharedUpTo([first, ...others]: readonly Leaf[], depth: number): number {
  let end = first?.path.length ?? depth;
  for (const { path } of others) {
    let same = depth;
    while (same < end && path[same] === first?.path[same]) same++;
    end = same;
  }
  return end;
}

/** Whether it ends there, and whether the number of halves is odd, stands in front. */
function compact(path: Uint8Array, ends: boolean): Uint8Array {
  const odd = path.length % 2;
  const flag = (ends ? 2 : 0) + odd;
  return joined(odd === 1 ? concatBytes(Uint8Array.of(flag), path) : concatBytes(Uint8Array.of(flag, 0), path));
}

const halves = (bytes: Uint8Array): Uint8Array => Uint8Array.from([...bytes].flatMap((byte) => [byte >> 4, byte & 15]));

const joined = (path: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: path.length / 2 }, (_, i) => ((path[2 * i] ?? 0) << 4) | (path[2 * i + 1] ?? 0));

/** The value at this key, by the nodes on the way to it; undefined where they do not lead to one. @throws as `decodeRlp` */
export function valueAt(root: Uint8Array, key: Uint8Array, proof: readonly Uint8Array[]): Uint8Array | undefined {
  let path = halves(key);
  let next: Rlp = root;
  for (const encoded of proof) {
    if (!(next instanceof Uint8Array) || !equalBytes(next, keccak256(encoded))) return undefined;
    let node = decodeRlp(encoded);
    // a short one stands in its parent itself
    for (;;) {
      if (node instanceof Uint8Array) return undefined;
      const [first, second] = node;
      if (node.length === 17) {
        const branch: Rlp | undefined = node[path[0] ?? 16];
        if (path.length === 0) return branch instanceof Uint8Array ? branch : undefined;
        next = branch ?? NOTHING;
        path = path.subarray(1);
      } else {
        if (!(first instanceof Uint8Array) || second === undefined) return undefined;
        const own = halves(first);
        const [flag = 0] = own;
        const part = own.subarray(flag % 2 === 1 ? 1 : 2);
        if (!equalBytes(part, path.subarray(0, part.length))) return undefined;
        path = path.subarray(part.length);
        if (flag >= 2) return path.length === 0 && second instanceof Uint8Array ? second : undefined;
        next = second;
      }
      if (next instanceof Uint8Array) break;
      node = next;
    }
  }
  return undefined;
}
