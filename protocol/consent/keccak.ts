// Keccak-256 for the consent trees, which are rehashed at every change: in WebAssembly, an order of magnitude faster than pure
// JavaScript, which takes over where WebAssembly is not allowed. Bit for bit the same; tests hold one against the other.
import { compareBytes, concatBytes, keccak256 as pureKeccak256 } from '../bytes.ts';
import { keccakModule, MEMORY, roundConstants } from './keccak-module.ts';

export interface TreeHasher {
  keccak256(input: Uint8Array): Uint8Array;
  /** keccak256(keccak256(input)) */
  keccak256Twice(input: Uint8Array): Uint8Array;
  /**
   * Fills in the inner nodes. `nodes`: 2n-1 of 32 bytes, root first, children of i at 2i+1 and 2i+2; the last n are the
   * leaves. A parent is the hash of its children, the smaller first.
   */
  hashTree(nodes: Uint8Array, leafCount: number): void;
}

interface KeccakExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  permute(): void;
  tree(index: number): void;
}

interface WebAssemblyGlobal {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

const PAGE_BYTES = 65_536;
const DIGEST_BYTES = 32;

export const pureHasher: TreeHasher = {
  keccak256: pureKeccak256,
  keccak256Twice: (input) => pureKeccak256(pureKeccak256(input)),
  hashTree(nodes, leafCount) {
    for (let i = leafCount - 2; i >= 0; i--) {
      const left = nodes.subarray(32 * (2 * i + 1), 32 * (2 * i + 2));
      const right = nodes.subarray(32 * (2 * i + 2), 32 * (2 * i + 3));
      const ordered = compareBytes(left, right) < 0 ? concatBytes(left, right) : concatBytes(right, left);
      nodes.set(pureKeccak256(ordered), 32 * i);
    }
  },
};

/** Undefined where WebAssembly is missing or a page's policy forbids it. */
export function createFastHasher(): TreeHasher | undefined {
  const exports = instantiate();
  if (exports === undefined) return undefined;
  const { memory, permute, tree } = exports;
  const view = new DataView(memory.buffer);
  for (const [i, constant] of roundConstants().entries()) {
    view.setBigUint64(MEMORY.roundConstants + 8 * i, constant, true);
  }
  let bytes = new Uint8Array(memory.buffer);

  /** One block: what stands at its start, pad10*1, and a capacity of zeros. */
  const hashBlock = (length: number): void => {
    bytes.fill(0, length, MEMORY.stateBytes);
    bytes[length] = 0x01;
    bytes[MEMORY.blockBytes - 1] = (bytes[MEMORY.blockBytes - 1] ?? 0) | 0x80;
    permute();
  };
  const digest = (): Uint8Array => bytes.slice(MEMORY.state, MEMORY.state + DIGEST_BYTES);

  return {
    keccak256(input) {
      if (input.length >= MEMORY.blockBytes) return pureKeccak256(input);
      bytes.set(input, MEMORY.state);
      hashBlock(input.length);
      return digest();
    },
    keccak256Twice(input) {
      if (input.length >= MEMORY.blockBytes) return pureHasher.keccak256Twice(input);
      bytes.set(input, MEMORY.state);
      hashBlock(input.length);
      hashBlock(DIGEST_BYTES);
      return digest();
    },
    hashTree(nodes, leafCount) {
      const missing = MEMORY.nodes + nodes.length - bytes.length;
      if (missing > 0) {
        memory.grow(Math.ceil(missing / PAGE_BYTES));
        bytes = new Uint8Array(memory.buffer);
      }
      const firstLeaf = 32 * Math.max(0, leafCount - 1);
      bytes.set(nodes.subarray(firstLeaf), MEMORY.nodes + firstLeaf);
      tree(leafCount - 2);
      nodes.set(bytes.subarray(MEMORY.nodes, MEMORY.nodes + firstLeaf));
    },
  };
}

function instantiate(): KeccakExports | undefined {
  const { WebAssembly } = globalThis as unknown as { readonly WebAssembly?: WebAssemblyGlobal };
  if (WebAssembly === undefined) return undefined;
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(keccakModule())).exports as KeccakExports;
  } catch {
    return undefined; // a content security policy without 'wasm-unsafe-eval'
  }
}

export const treeHasher: TreeHasher = createFastHasher() ?? pureHasher;
export const { keccak256, keccak256Twice } = treeHasher;
