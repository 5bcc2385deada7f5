// What the secure-aggregation tests share: the engines, a fixed random stream, a store in memory, and a sealed round.
import { join } from 'node:path';
import { shake256 } from '@noble/hashes/sha3.js';
import { createSealOpener } from '../../auditor/ring/open-seal.ts';
import { createSealRing } from '../../auditor/ring/seal.ts';
import type { KeyHolderAnswer } from '../../coordinator/opening/answers.ts';
import { createSealer, type SealedUpdate, type Sealer, type SealRequest } from '../../edge-node/seal/seal.ts';
import { generateSealingKeys, openShare, type SealingKeys } from '../../engines/keys/sealing.ts';
import { createSimdOpener } from '../../engines/ring/open-simd.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import type { Store } from '../../engines/store/store.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { type Hex, keccak256, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { type FillRandom, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { blocksFor, type PackingName, type PackingProfile, packingProfile } from '../../protocol/secagg/packing.ts';
import { decodePayload, payloadBytes, payloadHash, payloadHeader } from '../../protocol/secagg/payload.ts';
import { PACKED_WORDS_PER_BLOCK, packResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { addShares, decodeShare, encodeShare } from '../../protocol/secagg/shamir.ts';
import { shareAssociatedData } from '../../protocol/secagg/shares.ts';

/** The kernel is compiled once for all tests. */
export const KERNEL = { cacheDir: join(PACKAGE_ROOT, '.concordat/cache') } as const;

/** One suite runs over all engines: a new one is a new row. */
export const ENGINES = [
  { name: 'seal', createRing: createSealRing, createOpener: createSealOpener },
  { name: 'simd', createRing: () => createSimdRing(KERNEL), createOpener: () => createSimdOpener(KERNEL) },
] as const;

/** Deterministic bytes; for tests and vectors only. */
export function streamOf(label: string): FillRandom {
  const stream = shake256.create().update(utf8ToBytes(label));
  return (bytes) => {
    stream.xofInto(bytes);
  };
}

export function randomWords(label: string, count: number): Uint16Array {
  const words = new Uint16Array(count);
  streamOf(label)(new Uint8Array(words.buffer));
  return words;
}

/** The engine's store in memory: atomic writes, values copied both ways. */
export function memoryStore(): Store & { readonly rows: Map<string, Uint8Array> } {
  const rows = new Map<string, Uint8Array>();
  return {
    rows,
    get: async (key) => rows.get(key)?.slice(),
    write: async (writes) => {
      for (const write of writes) {
        if ('put' in write) rows.set(write.put, write.value.slice());
        else rows.delete(write.del);
      }
    },
    list: async (prefix) =>
      [...rows]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => ({ key, value: value.slice() })),
    close: async () => undefined,
  };
}

export const addressOf = (label: string): Hex => toHex(keccak256(utf8ToBytes(label)).slice(12));
export const LEDGER = addressOf('ledger');
export const CHAIN_ID = 31337;
export const SEED = toHex(sha256(utf8ToBytes('round seed')));

export const keysOf = (index: number): SealingKeys => generateSealingKeys(streamOf(`key-holder ${index}`));

/** A sealed update with its payload in memory. */
export type SealedInMemory = SealedUpdate & { readonly payload: Uint8Array };

export function sealInMemory(sealer: Sealer, request: SealRequest): SealedInMemory {
  const payload = new Uint8Array(payloadBytes(blocksFor(request.values.length, request.packing)));
  let at = 0;
  const update = sealer.seal(request, (part) => {
    payload.set(part, at);
    at += part.length;
  });
  if (at !== payload.length) throw new Error(`${at} of ${payload.length} bytes were written`);
  return { ...update, payload };
}

export interface SealedRound {
  readonly packing: PackingProfile;
  readonly dealers: readonly Hex[];
  readonly requests: readonly SealRequest[];
  readonly updates: readonly SealedInMemory[];
  readonly keys: readonly SealingKeys[];
  /** Exact sums, summed in the clear. */
  readonly truth: Float64Array;
}

interface RoundShape {
  readonly dealers: number;
  readonly holders: number;
  readonly threshold: number;
  readonly valueCount: number;
  readonly round?: number;
  readonly attempt?: number;
  /** 3x26 of 16 bits unless told. */
  readonly packing?: PackingName;
  readonly valueBits?: number;
}

/** `dealers` sealed updates of random values for `holders` key-holders. */
export function sealRound(ring: Ring, shape: RoundShape): SealedRound {
  const { holders, threshold, valueCount, round = 7, attempt = 1, valueBits = 16 } = shape;
  const packing = packingProfile(shape.packing ?? '3x26', valueBits);
  const sealer = createSealer({ ring });
  const keys = Array.from({ length: holders }, (_, i) => keysOf(i + 1));
  const keyHolders = keys.map(({ publicKey }, i) => ({ index: i + 1, publicKey }));
  const dealers = Array.from({ length: shape.dealers }, (_, d) => addressOf(`dealer ${d}`)).sort();
  const truth = new Float64Array(valueCount);
  const requests = dealers.map((dealer) => {
    const values = randomWords(`values of ${dealer}`, valueCount).map((word) => word % 2 ** valueBits);
    values.forEach((value, j) => {
      truth[j] = (truth[j] ?? 0) + value;
    });
    const context = { chainId: CHAIN_ID, ledger: LEDGER, round, attempt, dealer, seed: SEED };
    return { ...context, packing, dealers: dealers.length, values, keyHolders, threshold };
  });
  const updates = requests.map((request) => sealInMemory(sealer, request));
  return { packing, dealers, requests, keys, truth, updates };
}

/** What honest key-holders answer, computed straight from the sealed shares. */
export function honestAnswers(round: SealedRound): KeyHolderAnswer[] {
  return round.keys.map((keys, i) => {
    const sum = new Uint16Array(RING_DEGREE);
    round.updates.forEach((update, d) => {
      const request = round.requests[d];
      if (request === undefined) throw new Error(`no request ${d}`);
      const context = { ...request, payloadHash: update.payloadHash };
      const sealed = update.sealedShares[i] ?? new Uint8Array();
      addShares(sum, decodeShare(openShare(keys, sealed, shareAssociatedData(context, i + 1))));
    });
    return { index: i + 1, bytes: encodeShare(sum) };
  });
}

/** The sum over the round's payloads: residues, and their packed encoding. */
export function sumOf(ring: Ring, { updates, truth, packing }: SealedRound) {
  const blocks = blocksFor(truth.length, packing);
  const residues = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  for (const { payload } of updates) ring.addPacked(residues, decodePayload(payload, blocks).words);
  const bytes = encodeResidues(residues);
  return { residues, blocks, bytes, aggregateHash: payloadHash(bytes), dealers: updates.length };
}

/** Payload bytes of whole blocks of residues. */
export function encodeResidues(residues: Uint32Array): Uint8Array {
  const blocks = residues.length / RESIDUES_PER_BLOCK;
  const words = new Uint32Array(blocks * PACKED_WORDS_PER_BLOCK);
  packResidues(residues, words);
  return new Uint8Array(Buffer.concat([payloadHeader(blocks), new Uint8Array(words.buffer)]));
}

/** The code of the ConcordatError that `run` throws, or what else it did. */
export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `threw ${String(error)}`;
  }
  return 'nothing thrown';
}
