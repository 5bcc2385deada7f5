// What one synthetic dealer does in a round: trains a little, seals with the ring engine, shares its key, uploads and commits.
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import type { Model } from '../../../protocol/learning/model.ts';
import { outputOf } from '../../../protocol/learning/output.ts';
import { strategyOf } from '../../../protocol/learning/strategies/registry.ts';
import { NO_STATE } from '../../../protocol/learning/strategies/strategy.ts';
import { packingOf, type Task } from '../../../protocol/learning/task.ts';
import { addNoise, type Counted, encodeUpdate, quantise, weightFraction } from '../../../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../../../protocol/learning/vector.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../../protocol/secagg/block.ts';
import { packValues } from '../../../protocol/secagg/packing.ts';
import type { Ring } from '../../../protocol/secagg/ring.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../../protocol/secagg/sampling.ts';
import { type ShareVector, shareSecret } from '../../../protocol/secagg/shamir.ts';
import { SEALED_SHARE_BYTES, sealedShareHash, sharesRoot } from '../../../protocol/secagg/shares.ts';
import { streamOf } from '../../unit/secagg-fixtures.ts';
import type { Chronicle, Party } from './chronicle.ts';
import { payloadOf } from './payload-bytes.ts';
import { FEATURES } from './small-task.ts';

export interface Committing {
  readonly dealer: Party;
  readonly root: Hex;
  /** Records it commits to. */
  readonly weight: number;
}

export interface SealRequest {
  readonly task: Task;
  readonly round: number;
  readonly seed: Hex;
  readonly base: Model;
  /** Of the dealer among those who commit: each trains to something else. */
  readonly place: number;
  readonly holders: number;
  readonly threshold: number;
}

export interface Upload {
  readonly dealer: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
  readonly residues: Uint32Array;
  /** What the sealed shares hold. */
  readonly shares: readonly ShareVector[];
}

/** Sealed shares are random bytes: nobody but their key-holder could tell, and no check opens any. */
export async function uploadAndCommit(
  chronicle: Chronicle,
  ring: Ring,
  { dealer, root, weight }: Committing,
  request: SealRequest,
): Promise<Upload> {
  const { task, round, holders, threshold } = request;
  const packing = packingOf(task);
  const random = streamOf(`${dealer.name} round ${round}`);
  const secret = new Int32Array(RING_DEGREE);
  const bytes = new Uint8Array(CBD_POLYNOMIAL_BYTES);
  random(bytes);
  sampleCbd(bytes, secret);
  const values = packValues(await trainedValues(request, weight), packing);
  const residues = new Uint32Array((values.length / packing.valuesPerBlock) * RESIDUES_PER_BLOCK);
  ring.seal({ seed: fromHex(request.seed), secret, packing, values, fillRandom: random, out: residues });
  const shares = shareSecret(secret, holders, threshold, random);
  const sealedShares = shares.map(() => {
    const share = new Uint8Array(SEALED_SHARE_BYTES);
    random(share);
    chronicle.blob(share);
    return sealedShareHash(share);
  });
  const payloadHash = chronicle.blob(payloadOf(residues));
  const upload = { dealer: dealer.address, round, attempt: 1, payloadHash, sharesRoot: sharesRoot(sealedShares) };
  const { chainId, federation } = chronicle.deployment;
  const signature = signTypedStruct(dealer.privateKey, { chainId, federation }, 'Upload', upload);
  const { attempt } = upload;
  chronicle.append({
    type: 'upload',
    round,
    dealer: dealer.address,
    attempt,
    payload: payloadHash,
    sealedShares,
    signature,
  });
  const recordsRoot = toHex(sha256(utf8ToBytes(`records ${dealer.name} ${round}`)));
  await chronicle.act('Committed', dealer, { ...upload, anchoredRoot: root, recordsRoot, weight });
  return { ...upload, residues, shares };
}

/** Of a label of 0 or 1, all are scored on the right side but one; others are as the dealer's place has it. */
function countedBy(task: SealRequest['task'], weight: number, place: number): Counted {
  const { measure, ownCounts } = vectorOf(task, FEATURES);
  if (ownCounts) return [[], []];
  const { type, units } = outputOf(task.model);
  if (type === 'binary') return [[1, 0, 1, 0, 0, 0, 0, weight - 2], []];
  const scores = Array.from({ length: weight * units }, (_, i) => ((i * 7 + place) % 10) / 10);
  const labels = Float32Array.from({ length: weight }, (_, i) => (type === 'classes' ? i % units : (i % 5) / 4));
  return [measure.countsOf(scores, labels), measure.momentsOf(scores, labels)];
}

/** What the task's strategy sends, of a dealer whose training moves every weight by its place. */
async function trainedValues({ task, base, place }: SealRequest, weight: number): Promise<Uint16Array> {
  const trained = base.weights.map((w, j) => w + 0.01 * (j + 1) * (place + 1) - 0.02);
  const shape = shapeOf(task, FEATURES);
  const { parts } = await strategyOf(task).contribute({
    shape,
    base: base.weights,
    serverState: NO_STATE,
    dealerState: NO_STATE,
    features: Float32Array.from({ length: weight * FEATURES }, (_, i) => ((i * (place + 3)) % 5 === 0 ? 1 : 0)),
    labels: Uint8Array.from({ length: weight }, (_, i) => i % 2),
    weightFraction: weightFraction(weight, task.update.weightBound),
    seed: new Uint8Array(32),
    fillRandom: streamOf(`dealer ${place}`),
    trainer: {
      fit: async () => trained,
      score: () => new Float32Array(weight),
      clippedSum: ({ weights, labels }) => ({
        sum: Float64Array.from(weights, (_, j) => (j + place) * 1_000_000),
        scores: new Float32Array(labels.length),
      }),
    },
  });
  const vector = vectorOf(task, FEATURES);
  return encodeUpdate(addNoise(quantise(parts, countedBy(task, weight, place), vector), vector, undefined), vector)
    .values;
}
