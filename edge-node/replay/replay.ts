// A round once more, from the journal: stage by stage against what was committed to, and sealed only when every value is the same.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import { type DealerCommit, dealerCommit } from '../../engines/chain/dealer-commit.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { type AttemptRandom, createAttemptRandom } from '../../engines/keys/attempt-random.ts';
import type { Identity } from '../../engines/keys/identity.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { LinkedTree } from '../../protocol/consent/linked-tree.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { decodeState } from '../../protocol/learning/strategy-state.ts';
import { packingOf, requirementOfTask, type Task } from '../../protocol/learning/task.ts';
import { attemptContext, type SealContext, type StageTraces, TRACED_STAGES } from '../../protocol/secagg/attempt.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import type { StoredConsent } from '../consent/log-store.ts';
import type { ConsentGate } from '../data/gate.ts';
import type { Participation, Participations } from '../participation.ts';
import type { AttemptSeeds, KeptAttempt } from '../seal/attempt-seeds.ts';
import type { PayloadFiles } from '../seal/payload-files.ts';
import { resealPayload } from '../seal/seal.ts';
import { type BlobReader, createBaseReader } from '../train/fetch-base.ts';
import { type ComputedUpdate, computeUpdate } from '../update.ts';
import { compareWithFile } from './compare.ts';
import { type Matched, matchRecords } from './match.ts';
import type { ReplayReport, ReplayStage } from './report.ts';

export interface ReplayParts {
  readonly identity: Pick<Identity, 'address' | 'secret'>;
  readonly chain: Pick<ChainConnection, 'client' | 'ledger'>;
  readonly task: Task;
  readonly contract: DataContract;
  readonly gate: ConsentGate;
  readonly log: readonly StoredConsent[];
  readonly participations: Pick<Participations, 'read'>;
  readonly seeds: Pick<AttemptSeeds, 'recall'>;
  readonly payloads: Pick<PayloadFiles, 'find'>;
  readonly readBlob: BlobReader;
  readonly ring: Ring;
}

export interface ReplayOptions {
  /** Records of customers whose consent has ended since are used once more, for the replay alone. */
  readonly endedToo?: boolean;
}

/** What a round left, found again: to be re-run, or opened to an auditor. */
export interface RecalledRound {
  readonly record: RoundRecord;
  readonly commit: DealerCommit;
  readonly context: SealContext;
  readonly participation: Participation;
  readonly kept: KeptAttempt;
  readonly matched: Matched;
}

/**
 * @throws ConcordatError NOT_FOUND when the dealer committed to nothing in the round; REPLAY_IMPOSSIBLE when its seed is not
 * kept (any more); STATE_CORRUPT
 */
export async function recallRound(
  round: number,
  parts: ReplayParts,
  { endedToo = false }: ReplayOptions = {},
): Promise<RecalledRound> {
  const { chain, identity, task, contract } = parts;
  const commit = await dealerCommit(chain, round, identity.address);
  const record = await chain.ledger.roundOf(round);
  const participation = await parts.participations.read(round);
  if (record === undefined || participation?.attempt !== commit.attempt) {
    throw new ConcordatError('STATE_CORRUPT', `the journal has nothing of attempt ${commit.attempt} of round ${round}`);
  }
  const context = {
    chainId: chain.client.chainId,
    ledger: chain.ledger.address,
    round,
    attempt: commit.attempt,
    dealer: identity.address,
    seed: record.seed,
  };
  const kept = await parts.seeds.recall(context);
  if (kept === undefined) {
    const detail = `the seed of round ${round} is not kept: its days are over, or --replay-days is 0`;
    throw new ConcordatError('REPLAY_IMPOSSIBLE', detail, { round, attempt: commit.attempt });
  }
  const matched = matchRecords(participation.leaves, endedToo, {
    ...parts,
    requirement: requirementOfTask(task, contract),
    nowSeconds: await chain.client.blockTimestamp(),
  });
  return { record, commit, context, participation, kept, matched };
}

/** @throws ConcordatError as recallRound, and whatever stops the training */
export async function replayRound(round: number, parts: ReplayParts, options?: ReplayOptions): Promise<ReplayReport> {
  const recalled = await recallRound(round, parts, options);
  const { kept, context } = recalled;
  const random = createAttemptRandom(kept.seed, attemptContext(context));
  const stages = givenStages(recalled, parts);
  const departed = () => stages.some(({ same }) => !same);
  try {
    if (!departed()) {
      const { values, traces } = await computeAgain(recalled, random, parts);
      stages.push(...tracedStages(kept, traces));
      // anything but the very same values must not be sealed under this seed, not even here
      if (!departed()) stages.push(await sealAgain(recalled, values, random, parts));
    }
  } finally {
    random.wipe();
  }
  return {
    formatVersion: 'concordat/1/replay',
    dealer: parts.identity.address,
    round,
    attempt: recalled.commit.attempt,
    records: recalled.participation.leaves.length,
    stages,
    reproduced: !departed(),
    payloadHash: recalled.commit.payloadHash,
  };
}

/** What goes in: all of it, so that every record that differs is named at once. */
function givenStages({ record, commit, participation, matched }: RecalledRound, { task }: ReplayParts): ReplayStage[] {
  const { recordsRoot, weight } = commit;
  const root = LinkedTree.of(participation.leaves).root;
  const sameCommit = root === recordsRoot && participation.recordsRoot === recordsRoot;
  const stages: ReplayStage[] = [
    sameCommit && weight === participation.leaves.length
      ? { stage: 'commit', same: true, finding: `transaction ${commit.txHash}, records root ${recordsRoot}` }
      : { stage: 'commit', same: false, finding: `records root ${root} in the journal, ${recordsRoot} on chain` },
    record.taskHash === task.hash
      ? { stage: 'task', same: true, finding: task.hash }
      : { stage: 'task', same: false, finding: `${task.hash} here, ${record.taskHash} on chain` },
  ];
  return [...stages, ...recordStages(matched)];
}

function recordStages({ records, changed, gone, ended, endedOpened }: Matched): ReplayStage[] {
  const faults: readonly (readonly [string, readonly Hex[]])[] = [
    ['changed since the round', changed],
    ['no longer in the records', gone],
    ['not looked at: their consent has ended since', endedOpened ? [] : ended],
  ];
  const stages = faults.flatMap(([what, subjects]): ReplayStage[] =>
    subjects.length === 0 ? [] : [{ stage: 'records', same: false, finding: `${subjects.length} ${what}`, subjects }],
  );
  if (stages.length > 0) return stages;
  const used = ended.length === 0 ? '' : `, ${ended.length} of them of customers whose consent has ended since`;
  return [{ stage: 'records', same: true, finding: `${records.length} records under the root${used}` }];
}

async function computeAgain(
  { kept, record, matched }: RecalledRound,
  random: AttemptRandom,
  { task, contract, readBlob }: ReplayParts,
): Promise<ComputedUpdate> {
  const base = await createBaseReader(readBlob, task, contract)(record.baseModelHash);
  const dealerState = decodeState(kept.trace.dealerState, base.weights.length);
  const records = matched.records.map((one) => one.record);
  return computeUpdate({ task, contract, base, dealerState, records, random });
}

const STAGE_FAULT = {
  training: 'another update: of other code, another backend or another seed',
  noise: 'other noise, or none',
} as const;

function tracedStages({ trace }: KeptAttempt, traces: StageTraces): ReplayStage[] {
  return TRACED_STAGES.map((stage) => {
    const same = trace.stages[stage] === traces[stage];
    return { stage, same, finding: same ? 'the same values' : STAGE_FAULT[stage] };
  });
}

async function sealAgain(
  { context, commit }: RecalledRound,
  values: Uint16Array,
  random: AttemptRandom,
  { ring, task, payloads }: ReplayParts,
): Promise<ReplayStage> {
  const file = await payloads.find(commit.round, commit.attempt);
  const comparison = compareWithFile(file?.path);
  try {
    const streams = { secret: random.stream('secret'), errors: random.stream('errors') };
    const request = { seed: context.seed, packing: packingOf(task), values };
    const hash = resealPayload(ring, request, streams, comparison.write);
    const { bytes, same } = comparison.result();
    if (hash !== commit.payloadHash) return { stage: 'payload', same: false, finding: `its hash is ${hash}` };
    if (!same) return { stage: 'payload', same, finding: 'the kept file is not what was committed to' };
    const how =
      file === undefined ? 'by its hash; the file goes with its round' : 'by its hash, and against the kept file';
    return { stage: 'payload', same, finding: `${bytes} bytes, ${how}` };
  } finally {
    comparison.close();
  }
}
