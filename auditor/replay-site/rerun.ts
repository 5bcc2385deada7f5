// The round again, by the auditor's own hand: features, training, noise, and a payload by SEAL. None of it is the dealer's code.
import { createHash } from 'node:crypto';
import { createAttemptRandom, traceOf } from '../../engines/keys/attempt-random.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { featureCount, featuriseAll, labelsOf } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf } from '../../protocol/learning/model.ts';
import { createNoise } from '../../protocol/learning/privacy/noise.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import { decodeState } from '../../protocol/learning/strategy-state.ts';
import { packingOf } from '../../protocol/learning/task.ts';
import {
  addNoise,
  encodeUpdate,
  type IntegerUpdate,
  quantise,
  weightFraction,
} from '../../protocol/learning/update.ts';
import { countedOf, shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { attemptContext, type SealContext, type StageTraces } from '../../protocol/secagg/attempt.ts';
import { type FillRandom, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { blocksFor, checkValues, type PackingProfile } from '../../protocol/secagg/packing.ts';
import { payloadHeader } from '../../protocol/secagg/payload.ts';
import { PACKED_WORDS_PER_BLOCK, packResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import type { ReplayPackage } from './package.ts';

export interface Rerun {
  readonly traces: StageTraces;
  readonly payloadHash: Hex;
  readonly payloadBytes: number;
}

export type RerunInput = Omit<ReplayPackage, 'manifest' | 'alteredFiles' | 'receipts'>;

/** @throws ConcordatError TRAINING_DIVERGED, MODEL_MISMATCH, VALUE_OUT_OF_RANGE */
export async function rerun(opened: RerunInput, context: SealContext, ring: Ring): Promise<Rerun> {
  const random = createAttemptRandom(fromHex(opened.attempt.seed), attemptContext(context));
  try {
    const { task, contract } = opened;
    const update = await train(opened, random.bytes('training', 32), random.stream('strategy'));
    const vector = vectorOf(task, featureCount(contract));
    const { values } = encodeUpdate(addNoise(update, vector, noiseOf(opened, random.stream('noise'))), vector);
    const key = random.bytes('stages', 32);
    const traces = { training: traceOf(key, 'training', update.levels), noise: traceOf(key, 'noise', [values]) };
    const streams = { secret: random.stream('secret'), errors: random.stream('errors') };
    return { traces, ...payload(ring, fromHex(context.seed), packingOf(task), values, streams) };
  } finally {
    random.wipe();
  }
}

async function train(opened: RerunInput, seed: Uint8Array, fillRandom: FillRandom): Promise<IntegerUpdate> {
  const { task, contract } = opened;
  const rows = opened.records.map(({ row }) => row);
  if (rows.length === 0) throw new ConcordatError('COHORT_TOO_SMALL', 'no record was opened');
  const width = featureCount(contract);
  const base = decodeModel(opened.baseModel, layoutOf(task, width));
  const parameters = base.weights.length;
  const [features, labels] = [featuriseAll(contract, rows), labelsOf(contract, rows)];
  const trainer = await createTrainer(task, width);
  const { parts } = await strategyOf(task).contribute({
    shape: shapeOf(task, width),
    base: base.weights,
    serverState: decodeState(opened.serverState, parameters),
    dealerState: decodeState(opened.dealerState, parameters),
    ...{ features, labels, seed, fillRandom, trainer },
    weightFraction: weightFraction(rows.length, task.update.weightBound),
  });
  const vector = vectorOf(task, width);
  return quantise(
    parts,
    countedOf(vector, () => trainer.score(base.weights, features), labels),
    vector,
  );
}

function noiseOf({ task, contract }: RerunInput, fillRandom: FillRandom) {
  if (task.privacy.mode === 'none') return undefined;
  const release = strategyOf(task).release?.(shapeOf(task, featureCount(contract)));
  if (release === undefined) throw new ConcordatError('TASK_INVALID', 'a budget, and a strategy without noise');
  return createNoise(release.shareVariance, fillRandom);
}

/** c_k = a_k·s + 2^78·e_k + m_k, block by block. */
function payload(
  ring: Ring,
  seed: Uint8Array,
  packing: PackingProfile,
  values: Uint16Array,
  random: { readonly secret: FillRandom; readonly errors: FillRandom },
): { payloadHash: Hex; payloadBytes: number } {
  checkValues(values, packing);
  const blocks = blocksFor(values.length, packing);
  const [bytes, secret] = [new Uint8Array(CBD_POLYNOMIAL_BYTES), new Int32Array(RING_DEGREE)];
  random.secret(bytes);
  sampleCbd(bytes, secret);
  const header = payloadHeader(blocks);
  const hash = createHash('sha256').update(header);
  const ofBlock = new Uint16Array(packing.valuesPerBlock);
  const out = new Uint32Array(RESIDUES_PER_BLOCK);
  const words = new Uint32Array(PACKED_WORDS_PER_BLOCK);
  for (let firstBlock = 0; firstBlock < blocks; firstBlock++) {
    const from = firstBlock * packing.valuesPerBlock;
    ofBlock.fill(0).set(values.subarray(from, from + packing.valuesPerBlock));
    ring.seal({ seed, secret, packing, values: ofBlock, fillRandom: random.errors, firstBlock, out });
    packResidues(out, words);
    hash.update(new Uint8Array(words.buffer));
  }
  secret.fill(0);
  return { payloadHash: toHex(hash.digest()), payloadBytes: header.length + blocks * words.byteLength };
}
