// The secure sum of a round, kept up as payloads come in: one accumulator however many dealers there are, one block in memory
// of whatever is added.

import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { payloadHeader } from '../../protocol/secagg/payload.ts';
import { PACKED_WORDS_PER_BLOCK, packResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import type { Blobs } from '../transcript/blobs.ts';
import { readStoredPayload } from './stored-payload.ts';

/** The sum over a set; its bytes are a blob. */
export interface SealedSum {
  readonly aggregateHash: Hex;
  /** [block][prime][coefficient]. The accumulator itself: valid until the next round begins. */
  readonly residues: Uint32Array;
}

export interface RunningSum {
  /** Starts from nothing, unless this round was begun already. */
  begin(round: number): void;
  /** Adds an admitted payload when its turn comes. Only a help: `settle` does not rely on it. */
  feed(round: number, payloadHash: Hex): void;
  /**
   * The sum over exactly these payloads: takes away what is not among them, adds what is missing, writes the blob.
   * @throws ConcordatError CONFLICT a payload is named twice; PAYLOAD_MALFORMED one is damaged on disk; NOT_FOUND
   */
  settle(round: number, payloadHashes: readonly Hex[]): Promise<SealedSum>;
}

export interface RunningSumParts {
  readonly ring: Ring;
  readonly blobs: Pick<Blobs, 'readBlobStream' | 'blobWriter'>;
  /** How many blocks the task's layout makes; all payloads have as many. */
  readonly blocks: number;
  readonly log: Log;
}

export function createRunningSum({ ring, blobs, blocks, log }: RunningSumParts): RunningSum {
  const residues = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  const added = new Set<Hex>();
  let current = { round: 0, settled: false };
  let queue: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => T | Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };

  function clear(): void {
    residues.fill(0);
    added.clear();
  }

  async function apply(payloadHash: Hex, onBlock: (sum: Uint32Array, words: Uint32Array, block: Uint32Array) => void) {
    try {
      await readStoredPayload(blobs, payloadHash, blocks, (index, words, block) =>
        onBlock(blockAt(residues, index), words, block),
      );
    } catch (error) {
      clear(); // part of it is in the sum already
      throw error;
    }
  }

  async function add(payloadHash: Hex): Promise<void> {
    if (added.has(payloadHash)) return;
    await apply(payloadHash, (sum, words) => ring.addPacked(sum, words));
    added.add(payloadHash);
  }

  async function takeAway(payloadHash: Hex): Promise<void> {
    await apply(payloadHash, (sum, _words, block) => subtractBlock(sum, block));
    added.delete(payloadHash);
  }

  async function settleNow(payloadHashes: readonly Hex[]): Promise<SealedSum> {
    const wanted = new Set(payloadHashes);
    if (wanted.size !== payloadHashes.length) throw new ConcordatError('CONFLICT', 'a payload is twice in the sum');
    const others = [...added].filter((payloadHash) => !wanted.has(payloadHash));
    if (others.length > wanted.size)
      clear(); // less to read
    else for (const payloadHash of others) await takeAway(payloadHash);
    for (const payloadHash of wanted) await add(payloadHash);
    return { aggregateHash: await write(), residues };
  }

  async function write(): Promise<Hex> {
    const writer = await blobs.blobWriter();
    const words = new Uint32Array(PACKED_WORDS_PER_BLOCK);
    try {
      await writer.write(payloadHeader(blocks));
      for (let index = 0; index < blocks; index++) {
        packResidues(blockAt(residues, index), words);
        await writer.write(new Uint8Array(words.buffer));
      }
      return await writer.finish();
    } finally {
      await writer.discard();
    }
  }

  function begin(round: number): void {
    if (round === current.round) return;
    current = { round, settled: false };
    clear();
  }

  return {
    begin: (round) => void inTurn(() => begin(round)),
    feed: (round, payloadHash) => {
      inTurn(async () => {
        if (current.round === round && !current.settled) await add(payloadHash);
      }).catch((err: unknown) => log.error({ err, round, payloadHash }, 'a payload could not be added to the sum'));
    },
    settle: (round, payloadHashes) =>
      inTurn(() => {
        begin(round);
        current.settled = true; // what comes later is not in this sum
        return settleNow(payloadHashes);
      }),
  };
}

const blockAt = (residues: Uint32Array, index: number): Uint32Array =>
  residues.subarray(index * RESIDUES_PER_BLOCK, (index + 1) * RESIDUES_PER_BLOCK);

/** sum −= block, mod each prime. */
function subtractBlock(sum: Uint32Array, block: Uint32Array): void {
  PRIMES.forEach((p, prime) => {
    for (let i = prime * RING_DEGREE; i < (prime + 1) * RING_DEGREE; i++) {
      const difference = (sum[i] ?? 0) - (block[i] ?? 0);
      sum[i] = difference < 0 ? difference + p : difference;
    }
  });
}
