// One synthetic round: sealed with SEAL, shared, committed, summed, answered, opened and published as the protocol says.
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import type { RingOpener } from '../../../engines/ring/open.ts';
import type { Ring } from '../../../engines/ring/ring.ts';
import { fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import { NO_PRIVACY_CAP, splitGrants } from '../../../protocol/consent/policy.ts';
import { accuracyBpsOfHistogram, aucOfHistogram } from '../../../protocol/learning/metrics.ts';
import { encodeModel, type Model } from '../../../protocol/learning/model.ts';
import { serverStep } from '../../../protocol/learning/server-optimiser.ts';
import {
  clip,
  decodeAggregate,
  localUpdate,
  quantise,
  totalWeightFraction,
  vectorLength,
  weightFraction,
} from '../../../protocol/learning/update.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE, VALUES_PER_BLOCK } from '../../../protocol/secagg/block.ts';
import { addResidues } from '../../../protocol/secagg/coefficients.ts';
import { createNoiseMeter } from '../../../protocol/secagg/noise.ts';
import { blocksFor, createPackingProfile, packValues, unpackSums } from '../../../protocol/secagg/packing.ts';
import { allocatePayload, decodePayload } from '../../../protocol/secagg/payload.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../../protocol/secagg/sampling.ts';
import { setHash } from '../../../protocol/secagg/set.ts';
import { addShares, encodeShare, reconstruct, type ShareVector, shareSecret } from '../../../protocol/secagg/shamir.ts';
import { SEALED_SHARE_BYTES, sealedShareHash, sharesRoot } from '../../../protocol/secagg/shares.ts';
import { streamOf } from '../../unit/secagg-fixtures.ts';
import type { Chronicle, Party } from './chronicle.ts';
import { task } from './small-task.ts';
import { key, requirement } from './synthetic-consent.ts';

export interface RoundPlan {
  readonly round: number;
  readonly coordinator: Party;
  readonly keyHolders: readonly Party[];
  readonly threshold: number;
  readonly base: { readonly model: Model; readonly hash: Hex };
  /** Dealers who commit, with the root and the number of records they commit to. */
  readonly committing: readonly { readonly dealer: Party; readonly root: Hex; readonly weight: number }[];
  /** Dealers of the set, ascending. */
  readonly set: readonly Hex[];
}

interface Sealed {
  readonly residues: Uint32Array;
  readonly shares: readonly ShareVector[];
}

const { histogramBins: bins, decisionThreshold } = task.evaluation;

export async function runSyntheticRound(
  chronicle: Chronicle,
  engines: { readonly ring: Ring; readonly opener: RingOpener },
  plan: RoundPlan,
): Promise<{ readonly model: Model; readonly hash: Hex }> {
  const { round, coordinator, base, threshold, keyHolders } = plan;
  const { deployment } = chronicle;
  const domain = { chainId: deployment.chainId, federation: deployment.federation };
  const parameters = base.model.weights.length;
  const valueCount = vectorLength(parameters, bins);
  const blocks = blocksFor(valueCount);

  const [required0, required1] = splitGrants(requirement.required);
  const seed = await chronicle.openRound(coordinator, {
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

  const sealed = new Map<Hex, Sealed>();
  for (const [i, { dealer, root, weight }] of plan.committing.entries()) {
    const random = streamOf(`${dealer.name} round ${round}`);
    const trained = base.model.weights.map((w, j) => w + 0.01 * (j + 1) * (i + 1) - 0.02);
    // all scored on the right side but one
    const histogram = { negatives: Uint32Array.of(1, 0, 1, 0), positives: Uint32Array.of(0, 0, 0, weight - 2) };
    const update = clip(localUpdate(base.model.weights, trained), task.update.clipNorm);
    const { values } = quantise(update, weightFraction(weight, task.update.weightBound), histogram);
    const bytes = new Uint8Array(CBD_POLYNOMIAL_BYTES);
    random(bytes);
    const secret = new Int32Array(RING_DEGREE);
    sampleCbd(bytes, secret);
    const payload = allocatePayload(blocks);
    engines.ring.seal({
      seed: fromHex(seed),
      secret,
      values: packValues(values, createPackingProfile()),
      fillRandom: random,
      out: payload.residues,
    });
    const shares = shareSecret(secret, keyHolders.length, threshold, random);
    sealed.set(dealer.address, { residues: payload.residues, shares });
    const sealedShares = keyHolders.map(() => {
      const share = new Uint8Array(SEALED_SHARE_BYTES);
      random(share);
      chronicle.blob(share);
      return sealedShareHash(share);
    });
    const upload = {
      dealer: dealer.address,
      round,
      attempt: 1,
      payloadHash: chronicle.blob(payload.bytes),
      sharesRoot: sharesRoot(sealedShares),
    };
    const signature = signTypedStruct(dealer.privateKey, domain, 'Upload', upload);
    chronicle.append({
      type: 'upload',
      round,
      dealer: dealer.address,
      attempt: 1,
      payload: upload.payloadHash,
      sealedShares,
      signature,
    });
    const recordsRoot = toHex(sha256(utf8ToBytes(`records ${dealer.name} ${round}`)));
    await chronicle.act('Committed', dealer, { ...upload, anchoredRoot: root, recordsRoot, weight });
  }
  await chronicle.act('SetFinalised', coordinator, { round, dealers: plan.set });

  const members = plan.set.map((address) => sealed.get(address) ?? { residues: new Uint32Array(), shares: [] });
  const sum = allocatePayload(blocks);
  for (const { residues } of members) addResidues(sum.residues, residues);
  const aggregateHash = chronicle.blob(sum.bytes);
  chronicle.append({ type: 'aggregate', round, dealers: [...plan.set], aggregate: aggregateHash });

  const answers = keyHolders.map((holder, i) => {
    const share = new Uint16Array(RING_DEGREE);
    for (const { shares } of members) addShares(share, shares[i] ?? new Uint16Array(RING_DEGREE));
    const answer = chronicle.blob(encodeShare(share));
    const statement = { keyHolder: holder.address, round, setHash: setHash(round, plan.set), answerHash: answer };
    const signature = signTypedStruct(holder.privateKey, domain, 'Answer', statement);
    chronicle.append({ type: 'answer', round, keyHolder: holder.address, answer, signature });
    return { index: i + 1, share };
  });

  const secretSum = reconstruct(answers.slice(0, threshold));
  const slots = new Uint32Array(blocks * VALUES_PER_BLOCK);
  const meter = createNoiseMeter(members.length);
  const aggregate = decodePayload(sum.bytes, blocks).residues.subarray(0, blocks * RESIDUES_PER_BLOCK);
  engines.opener.open({
    seed: fromHex(seed),
    secretSum,
    aggregate,
    values: slots,
    onNoise: (error) => meter.add(error),
  });
  const sums = unpackSums(slots, valueCount, members.length, createPackingProfile());
  chronicle.append({
    type: 'opened',
    round,
    keySum: chronicle.blob(words(secretSum)),
    values: chronicle.blob(words(sums)),
    maxNoise: meter.report().maxAbs,
  });

  const weights = plan.set.map(
    (address) => plan.committing.find(({ dealer }) => dealer.address === address)?.weight ?? 0,
  );
  const { delta, histogram } = decodeAggregate(sums, {
    parameters,
    bins,
    clipNorm: task.update.clipNorm,
    dealers: members.length,
    totalWeightFraction: totalWeightFraction(weights, task.update.weightBound),
  });
  const next = { layout: base.model.layout, weights: serverStep('fedavg', base.model.weights, delta).weights };
  const modelHash = chronicle.blob(encodeModel(next));
  const accuracyBps = accuracyBpsOfHistogram(histogram, decisionThreshold) ?? 0;
  const aucBps = Math.floor((aucOfHistogram(histogram) ?? 0) * 10_000);
  const transcriptHead = chronicle.append({
    type: 'model',
    round,
    baseModel: base.hash,
    model: modelHash,
    accuracyBps,
    aucBps,
  });
  const publication = { round, taskHash: task.hash, modelHash, aggregateHash, accuracyBps, aucBps, transcriptHead };
  await chronicle.act('Published', coordinator, publication);
  return { model: next, hash: modelHash };
}

function words(values: Int32Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setInt32(4 * i, value | 0, true);
  });
  return bytes;
}
