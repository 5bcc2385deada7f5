// 100,000 mutated payloads in a process of their own: its memory is theirs alone, and nothing slows the parser down.
// Prints what became of them as JSON; ends with an error, and the mutations that led to it, when one was not treated right.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { createSimdRing } from '../../engines/ring/simd.ts';
import { equalBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { createPayloadParser, decodePayload, payloadBytes } from '../../protocol/secagg/payload.ts';
import { PACKED_WORDS_PER_BLOCK, unpackResidues } from '../../protocol/secagg/residue-bits.ts';
import { encodeResidues, KERNEL, streamOf } from '../unit/secagg-fixtures.ts';
import { mutatePayload, payloadMutation, primeOf, readResidue } from './mutations.ts';

/** What the process prints. */
export interface FuzzReport {
  readonly refused: number;
  /** Valid all the same: a residue became another residue. */
  readonly taken: number;
  /** The mutations cancelled each other. */
  readonly unchanged: number;
  /** The sum over the honest payloads that came between is what adding their residues one by one gives. */
  readonly sumIsTrue: boolean;
  readonly honestUntouched: boolean;
  /** From after the first fifth to the end. */
  readonly heapGrowth: number;
  readonly rssGrowth: number;
}

function honestResidues(label: string, blocks: number): Uint32Array {
  const words = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  streamOf(label)(new Uint8Array(words.buffer));
  return words.map((word, i) => word % primeOf(i));
}
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const ring = await createSimdRing(KERNEL);
const blocksOf = [1, 1, 1, 2] as const;
const residues = blocksOf.map((blocks, i) => honestResidues(`honest ${i}`, blocks));
const honest = residues.map(encodeResidues);
const hashes = honest.map(hashOf);

const sizeIsRight = (bytes: Uint8Array, blocks: number): boolean => bytes.length === payloadBytes(blocks);
const UNANNOUNCED = 'not the bytes that were announced';

/** What an intake does: parse as it comes, and only then, when the bytes are those announced, add to the sum. */
function admit(bytes: Uint8Array, cuts: readonly number[], blocks: number, announced: string, sum: Uint32Array): void {
  const words = new Uint32Array(blocks * PACKED_WORDS_PER_BLOCK);
  const parser = createPayloadParser(blocks, (index, packed) => {
    words.set(packed, index * PACKED_WORDS_PER_BLOCK);
  });
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    parser.push(bytes.subarray(from, to));
    from = to;
  }
  parser.end();
  if (hashOf(bytes) !== announced) throw new ConcordatError('PAYLOAD_MALFORMED', UNANNOUNCED);
  ring.addPacked(sum, words);
}

/** A refusal has to name something that is really wrong. */
function checkRefusal(error: unknown, bytes: Uint8Array, blocks: number): void {
  if (!(error instanceof ConcordatError) || error.code !== 'PAYLOAD_MALFORMED') throw error;
  const { block, prime, coefficient } = error.fields;
  const header = Uint8Array.of(0x43, 0x43, 0x50, 0x32, blocks, 0, 0, 0);
  const i = Number(block) * RESIDUES_PER_BLOCK + Number(prime) * RING_DEGREE + Number(coefficient);
  const justified =
    typeof coefficient === 'number'
      ? readResidue(bytes, i) >= primeOf(i)
      : !sizeIsRight(bytes, blocks) || !equalBytes(bytes.subarray(0, 8), header);
  if (!justified) throw new Error(`refused without reason: ${error.message}`);
}

/** What is taken has to be what its bytes say, residue by residue. */
function checkTaken(words: Uint32Array, bytes: Uint8Array, blocks: number): void {
  if (!sizeIsRight(bytes, blocks)) throw new Error(`${bytes.length} bytes were taken`);
  const unpacked = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  unpackResidues(words, unpacked);
  for (let j = 0, i = 0; i < unpacked.length; j++) {
    const p = primeOf(j * RING_DEGREE);
    for (const end = i + RING_DEGREE; i < end; i++) {
      const residue = unpacked[i] ?? p;
      if (residue >= p || residue !== readResidue(bytes, i)) throw new Error(`residue ${i} is ${residue}`);
    }
  }
}

const input = fc.record({
  // mostly one block: it is the cheap one
  base: fc.constantFrom(0, 0, 0, 1, 1, 1, 2, 2, 2, 3),
  mutations: fc.array(payloadMutation, { minLength: 1, maxLength: 3 }),
  cuts: fc.array(fc.nat(), { maxLength: 6 }),
});

/** @returns how many were refused and how many were valid all the same */
function fuzz(numRuns: number, seed: number, sum: Uint32Array) {
  const count = { refused: 0, taken: 0, unchanged: 0 };
  fc.assert(
    fc.property(input, ({ base, mutations, cuts }) => {
      const [blocks, valid, announced] = [blocksOf[base] ?? 1, honest[base] ?? new Uint8Array(), hashes[base] ?? ''];
      const bytes = mutatePayload(valid, mutations);
      const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
      // the same bytes again are the honest payload: it is in the sum already
      if (Buffer.compare(bytes, valid) === 0) {
        count.unchanged += 1;
        return;
      }
      let refusal: unknown;
      try {
        checkTaken(decodePayload(bytes, blocks).words, bytes, blocks);
      } catch (error) {
        refusal = error;
        checkRefusal(error, bytes, blocks);
      }
      const [whole, streamed] = [
        detailOf(refusal),
        detailOf(refusalOf(() => admit(bytes, ends, blocks, announced, sum))),
      ];
      // in chunks it is refused for the same reason, but that its length may show later; what is valid, as not announced
      const same = whole === undefined ? streamed === UNANNOUNCED : streamed === whole || !sizeIsRight(bytes, blocks);
      if (!same || streamed === undefined) throw new Error(`whole: ${whole}; in chunks: ${streamed}`);
      count[whole === undefined ? 'taken' : 'refused'] += 1;
    }),
    { numRuns, seed, endOnFailure: true },
  );
  return count;
}

function refusalOf(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** undefined when nothing was refused; an error that is none of ours goes on. */
function detailOf(error: unknown): string | undefined {
  if (error !== undefined && !(error instanceof ConcordatError && error.code === 'PAYLOAD_MALFORMED')) throw error;
  return error?.detail;
}

/** Of this process, after collecting what nobody holds any more (--expose-gc). */
function memory(): { readonly heap: number; readonly rss: number } {
  (globalThis as { readonly gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heap: heapUsed + arrayBuffers, rss };
}

function run(): FuzzReport {
  const sum = new Uint32Array(RESIDUES_PER_BLOCK);
  const admitHonest = (i: number): void => admit(honest[i] ?? new Uint8Array(), [9, 30_000], 1, hashes[i] ?? '', sum);
  // honest payloads come between the hostile ones
  admitHonest(0);
  const counts = [fuzz(20_000, 1, sum)];
  const before = memory();
  admitHonest(1);
  counts.push(fuzz(40_000, 2, sum));
  admitHonest(2);
  counts.push(fuzz(40_000, 3, sum));
  const after = memory();
  const total = (kind: 'refused' | 'taken' | 'unchanged'): number => counts.reduce((n, count) => n + count[kind], 0);
  return {
    refused: total('refused'),
    taken: total('taken'),
    unchanged: total('unchanged'),
    sumIsTrue: sum.every((x, i) => x === [0, 1, 2].reduce((all, k) => (all + (residues[k]?.[i] ?? 0)) % primeOf(i), 0)),
    honestUntouched: honest.every((bytes, i) => hashOf(bytes) === hashes[i]),
    heapGrowth: after.heap - before.heap,
    rssGrowth: after.rss - before.rss,
  };
}

process.stdout.write(JSON.stringify(run()));
