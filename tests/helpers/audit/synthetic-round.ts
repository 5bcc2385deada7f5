// One synthetic round: sealed with SEAL, shared, committed, vouched for, summed, answered, opened and published as the
// protocol says.
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { fromHex, type Hex, toHex } from '../../../protocol/bytes.ts';
import { NO_PRIVACY_CAP, splitGrants } from '../../../protocol/consent/policy.ts';
import { metricsOf } from '../../../protocol/learning/evaluation.ts';
import { encodeModel, type Model } from '../../../protocol/learning/model.ts';
import { serverStep } from '../../../protocol/learning/server-optimiser.ts';
import { decodeState, encodeState } from '../../../protocol/learning/strategy-state.ts';
import { packingOf, type Task } from '../../../protocol/learning/task.ts';
import { decodeSums, totalWeightFraction } from '../../../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../../../protocol/learning/vector.ts';
import { encodeVouches } from '../../../protocol/messages/vouch.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../../protocol/secagg/block.ts';
import { addResidues } from '../../../protocol/secagg/coefficients.ts';
import { createFingerprinter, fingerprintChallenge } from '../../../protocol/secagg/fingerprint.ts';
import { testCombination, testValue } from '../../../protocol/secagg/linear-test.ts';
import { createNoiseMeter } from '../../../protocol/secagg/noise.ts';
import type { RingOpener } from '../../../protocol/secagg/opener.ts';
import { unpackSums } from '../../../protocol/secagg/packing.ts';
import type { Ring } from '../../../protocol/secagg/ring.ts';
import { setHash } from '../../../protocol/secagg/set.ts';
import {
  addShares,
  encodeShare,
  type IndexedShare,
  reconstruct,
  type ShareVector,
} from '../../../protocol/secagg/shamir.ts';
import { blobPathOf } from '../../../protocol/transcript/bundle.ts';
import type { Chronicle, Party } from './chronicle.ts';
import { payloadOf } from './payload-bytes.ts';
import { FEATURES } from './small-task.ts';
import { key, requirement } from './synthetic-consent.ts';
import { type Committing, type Upload, uploadAndCommit } from './synthetic-upload.ts';

export interface RoundPlan {
  readonly task: Task;
  readonly round: number;
  readonly coordinator: Party;
  readonly keyHolders: readonly Party[];
  readonly threshold: number;
  readonly base: { readonly model: Model; readonly hash: Hex };
  readonly committing: readonly Committing[];
  /** Dealers of the set, ascending. */
  readonly set: readonly Hex[];
  /** Those of them who are still there when the sum is made. */
  readonly fingerprinting: readonly Hex[];
}

export interface RoundEngines {
  readonly ring: Ring;
  readonly opener: RingOpener;
}

export async function runSyntheticRound(
  chronicle: Chronicle,
  { ring, opener }: RoundEngines,
  plan: RoundPlan,
): Promise<{ readonly model: Model; readonly hash: Hex }> {
  const { task, round, base, threshold } = plan;
  const seed = await openRound(chronicle, plan);
  const uploads: Upload[] = [];
  for (const [place, committing] of plan.committing.entries()) {
    const request = { task, round, seed, base: base.model, place, holders: plan.keyHolders.length, threshold };
    uploads.push(await uploadAndCommit(chronicle, ring, committing, request));
  }
  vouch(chronicle, plan, uploads);
  await chronicle.act('SetFinalised', plan.coordinator, { round, dealers: plan.set });

  const members = plan.set.flatMap((dealer) => uploads.filter((upload) => upload.dealer === dealer));
  const sum = new Uint32Array(members[0]?.residues.length ?? 0);
  for (const { residues } of members) addResidues(sum, residues);
  const aggregateHash = chronicle.blob(payloadOf(sum));
  chronicle.append({ type: 'aggregate', round, dealers: [...plan.set], aggregate: aggregateHash });
  fingerprint(chronicle, plan, members, aggregateHash);
  const answers = answer(chronicle, plan, members, aggregateHash);

  const secretSum = reconstruct(answers.slice(0, threshold));
  const sums = open(chronicle, opener, plan, { seed, sum, secretSum });
  return publish(chronicle, plan, sums, aggregateHash);
}

async function openRound(chronicle: Chronicle, { task, round, coordinator, base }: RoundPlan): Promise<Hex> {
  const [required0, required1] = splitGrants(requirement.required);
  return chronicle.openRound(coordinator, {
    round,
    taskHash: task.hash,
    requirementKey: key,
    baseModelHash: base.hash,
    deadline: (await chronicle.nowSeconds()) + 3_600,
    epsilonAfterMilli: NO_PRIVACY_CAP,
    ...requirement,
    required0,
    required1,
  });
}

const domainOf = ({ deployment: { chainId, federation } }: Chronicle) => ({ chainId, federation });

/** Every key-holder's word on its share of every upload. */
function vouch(chronicle: Chronicle, { round, keyHolders }: RoundPlan, uploads: readonly Upload[]): void {
  const { chainId, ledger } = chronicle.deployment;
  const combinations = uploads.map((upload) => testCombination({ chainId, ledger, ...upload }, upload.sharesRoot));
  for (const [i, holder] of keyHolders.entries()) {
    const vouches = uploads.map(({ dealer, attempt, payloadHash, sharesRoot, shares }, u) => {
      const value = testValue(shares[i] ?? new Uint16Array(), combinations[u] ?? []);
      return { dealer, attempt, payloadHash, sharesRoot, value: new Uint8Array(value) };
    });
    const vouchesHash = chronicle.blob(encodeVouches(vouches));
    const statement = { keyHolder: holder.address, round, vouchesHash };
    const signature = signTypedStruct(holder.privateKey, domainOf(chronicle), 'Vouch', statement);
    chronicle.append({ type: 'vouch', round, keyHolder: holder.address, vouches: vouchesHash, signature });
  }
}

function fingerprint(
  chronicle: Chronicle,
  { round, set, committing, fingerprinting }: RoundPlan,
  members: readonly Upload[],
  aggregateHash: Hex,
): void {
  const { chainId, ledger } = chronicle.deployment;
  const payloadHashes = members.map(({ payloadHash }) => payloadHash);
  const blocks = (members[0]?.residues.length ?? 0) / RESIDUES_PER_BLOCK;
  const context = { chainId, ledger, round, setHash: setHash(round, set), payloadHashes, aggregateHash, blocks };
  const challenge = fingerprintChallenge(context);
  for (const { dealer } of committing) {
    const own = members.find((upload) => upload.dealer === dealer.address);
    if (own === undefined || !fingerprinting.includes(dealer.address)) continue;
    const printer = createFingerprinter(challenge);
    for (let at = 0; at < own.residues.length; at += RESIDUES_PER_BLOCK) {
      printer.addBlock(at / RESIDUES_PER_BLOCK, own.residues.subarray(at, at + RESIDUES_PER_BLOCK));
    }
    const bytes = new Uint8Array(printer.finish());
    const statement = { dealer: dealer.address, round, aggregateHash, fingerprint: toHex(bytes) };
    const signature = signTypedStruct(dealer.privateKey, domainOf(chronicle), 'Fingerprint', statement);
    chronicle.append({
      type: 'fingerprint',
      round,
      dealer: dealer.address,
      aggregate: aggregateHash,
      fingerprint: bytes,
      signature,
    });
  }
}

function answer(
  chronicle: Chronicle,
  { round, set, keyHolders }: RoundPlan,
  members: readonly Upload[],
  aggregateHash: Hex,
): IndexedShare[] {
  return keyHolders.map((holder, i) => {
    const share: ShareVector = new Uint16Array(RING_DEGREE);
    for (const { shares } of members) addShares(share, shares[i] ?? new Uint16Array());
    const answerHash = chronicle.blob(encodeShare(share));
    const statement = { keyHolder: holder.address, round, setHash: setHash(round, set), aggregateHash, answerHash };
    const signature = signTypedStruct(holder.privateKey, domainOf(chronicle), 'Answer', statement);
    chronicle.append({
      type: 'answer',
      round,
      keyHolder: holder.address,
      aggregate: aggregateHash,
      answer: answerHash,
      signature,
    });
    return { index: i + 1, share };
  });
}

function open(
  chronicle: Chronicle,
  opener: RingOpener,
  { task, round, set }: RoundPlan,
  { seed, sum, secretSum }: { readonly seed: Hex; readonly sum: Uint32Array; readonly secretSum: Int32Array },
): Uint32Array {
  const packing = packingOf(task);
  const values = new Uint32Array((sum.length / RESIDUES_PER_BLOCK) * packing.valuesPerBlock);
  const meter = createNoiseMeter(set.length);
  const onNoise = (error: Int32Array) => meter.add(error);
  opener.open({ seed: fromHex(seed), secretSum, packing, aggregate: sum, values, onNoise });
  const sums = unpackSums(values, vectorOf(task, FEATURES).length, set.length, packing);
  chronicle.append({
    type: 'opened',
    round,
    keySum: chronicle.blob(words(secretSum)),
    values: chronicle.blob(words(sums)),
    maxNoise: meter.report().maxAbs,
  });
  return sums;
}

async function publish(
  chronicle: Chronicle,
  { task, round, set, base, committing, coordinator }: RoundPlan,
  opened: Uint32Array,
  aggregateHash: Hex,
): Promise<{ readonly model: Model; readonly hash: Hex }> {
  const weights = set.map((address) => committing.find(({ dealer }) => dealer.address === address)?.weight ?? 0);
  const { sums, measured } = decodeSums(opened, vectorOf(task, FEATURES), set.length);
  const carried = base.model.state;
  const { layout, weights: from } = base.model;
  const made = serverStep(task, {
    shape: shapeOf(task, FEATURES),
    base: from,
    state: decodeState(carried && chronicle.files.get(blobPathOf(carried)), from.length),
    sums,
    dealers: set.length,
    totalWeightFraction: totalWeightFraction(weights, task.update.weightBound),
  });
  const file = encodeState(made.state);
  const next = { layout, weights: made.weights, ...(file && { state: chronicle.blob(file) }) };
  const modelHash = chronicle.blob(encodeModel(next));
  const metrics = metricsOf(measured, task.evaluation);
  const transcriptHead = chronicle.append({ type: 'model', round, baseModel: base.hash, model: modelHash, ...metrics });
  const publication = { round, taskHash: task.hash, modelHash, aggregateHash, ...metrics, transcriptHead };
  await chronicle.act('Published', coordinator, publication);
  return { model: next, hash: modelHash };
}

export function words(values: Int32Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setInt32(4 * i, value | 0, true);
  });
  return bytes;
}
