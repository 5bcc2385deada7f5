// One round at a dealer, in one sentence: check the base, gate, train, quantise, seal, send, commit; and again when consent moved
// on.
import type { RefusedTransaction } from '../engines/chain/client.ts';
import type { ChainConnection } from '../engines/chain/connect.ts';
import type { EarlierRounds } from '../engines/chain/earlier-rounds.ts';
import type { RoundRecord } from '../engines/chain/round-ledger.ts';
import { sealingKeysOf } from '../engines/chain/sealing-keys.ts';
import type { Identity } from '../engines/keys/identity.ts';
import type { Log } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { Requirement } from '../protocol/consent/policy.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import { encodeState } from '../protocol/learning/strategy-state.ts';
import { packingOf, type Task } from '../protocol/learning/task.ts';
import type { SealContext } from '../protocol/secagg/attempt.ts';
import { accessNow } from './access.ts';
import type { RecordsCommitment, RecordsCommitter } from './commitment.ts';
import type { LiveSelection, SelectionKeeper } from './consent/selection.ts';
import type { ConsentedRecord, ConsentGate } from './data/gate.ts';
import type { Participations } from './participation.ts';
import { requirePrivacy } from './privacy/budget.ts';
import type { AttemptSeeds } from './seal/attempt-seeds.ts';
import type { OneTimeSealer, StoredUpdate } from './seal/once.ts';
import type { PayloadRandom, SealedUpdate } from './seal/seal.ts';
import type { BaseChecker, ProvenBase } from './train/check-base.ts';
import type { DealerStates } from './train/dealer-state.ts';
import { computeUpdate } from './update.ts';
import type { UploadSender } from './upload.ts';

export interface RoundParts {
  readonly identity: Identity;
  readonly chain: ChainConnection;
  readonly task: Task;
  readonly contract: DataContract;
  readonly requirement: Requirement;
  readonly gate: ConsentGate;
  readonly selections: SelectionKeeper;
  readonly sealer: OneTimeSealer;
  readonly seeds: AttemptSeeds;
  readonly participations: Participations;
  readonly earlierRounds: EarlierRounds;
  readonly commitRecords: RecordsCommitter;
  readonly dealerStates: DealerStates;
  readonly bases: BaseChecker;
  readonly sendUpload: UploadSender;
  readonly chainNowSeconds: () => Promise<number>;
  /** Set while a drill waits: this root is committed first, to be refused on the record. */
  readonly takeDrill: () =>
    | { readonly staleRoot: Hex; readonly report: (refused: RefusedTransaction) => void }
    | undefined;
  readonly log: Log;
}

export type RoundResult =
  | {
      readonly took: 'part';
      readonly round: number;
      readonly records: number;
      readonly bytes: number;
      readonly gasUsed: number;
      readonly timingsMs: RoundTimings;
    }
  | { readonly took: 'no-part'; readonly round: number; readonly reason: string };

export interface RoundTimings {
  readonly consent: number;
  readonly training: number;
  readonly sealing: number;
  readonly sending: number;
}

/** Consent can move on between selection and commit; each time the dealer starts over, without whoever left. */
const MAX_TRIES = 5;
const CONSENT_MOVED_ON = new Set([
  'StaleRoot',
  'ConsentExpired',
  'AccuracyUnderFloor',
  'MetricStale',
  'WeightExceedsConsent',
]);

/** @throws ConcordatError TASK_REFUSED for a task this dealer did not agree to, and whatever stops the round for it */
export async function takePart(round: number, record: RoundRecord, parts: RoundParts): Promise<RoundResult> {
  if (record.taskHash !== parts.task.hash) {
    throw new ConcordatError('TASK_REFUSED', `round ${round} is for task ${record.taskHash}`, {
      taskHash: record.taskHash,
    });
  }
  await requirePrivacy(round, record, parts);
  await parts.sealer.forgetBefore(round);
  await letGoOfSeeds(round, parts);
  const base = await parts.bases.base(round, record.baseModelHash);
  for (let tries = 1; ; tries++) {
    try {
      return await tryOnce(round, record, base, parts);
    } catch (error) {
      const reason = error instanceof ConcordatError ? String(error.fields.reason ?? '') : '';
      if (tries === MAX_TRIES || !CONSENT_MOVED_ON.has(reason)) throw error;
      parts.log.info({ round, reason }, 'consent moved on: starting over under the current root');
    }
  }
}

async function tryOnce(round: number, record: RoundRecord, base: ProvenBase, parts: RoundParts): Promise<RoundResult> {
  const [startedMs, access] = [performance.now(), await accessNow(record, parts)];
  const selection = await parts.selections.ensure(access);
  if (selection === undefined) return { took: 'no-part', round, reason: 'no live consent covers this round' };
  const records = parts.gate.open(new Set(selection.customers.keys()));
  if (records.length === 0) return { took: 'no-part', round, reason: 'no record of a consenting customer' };

  const trainingMs = performance.now();
  const context = await nextAttempt(round, record, parts);
  const { attempt } = context;
  const { sealed, sealingMs } = await trainAndSeal(context, base, records, parts);

  const sendingMs = performance.now();
  const commitment = parts.commitRecords(records, selection.customers);
  const bytes = await parts.sendUpload(round, attempt, sealed);
  const gasUsed = await commit(round, attempt, selection, sealed, commitment, records, parts);
  await parts.seeds.keepOnly(round, attempt);
  const endedMs = performance.now();
  const timingsMs = {
    consent: trainingMs - startedMs,
    training: sealingMs - trainingMs,
    sealing: sendingMs - sealingMs,
    sending: endedMs - sendingMs,
  };
  return { took: 'part', round, records: records.length, bytes, gasUsed, timingsMs };
}

/** Of attempts that came to nothing in the round before, and of those past their days. */
async function letGoOfSeeds(round: number, { seeds, participations }: RoundParts): Promise<void> {
  const before = await seeds.lastRoundBefore(round);
  if (before !== undefined) await seeds.keepOnly(before, (await participations.read(before))?.attempt ?? 0);
  await seeds.eraseExpired();
}

async function trainAndSeal(
  context: SealContext,
  base: ProvenBase,
  records: readonly ConsentedRecord[],
  parts: RoundParts,
): Promise<{ readonly sealed: StoredUpdate; readonly sealingMs: number }> {
  const { task, contract, dealerStates, seeds } = parts;
  const { round, attempt } = context;
  const random = await seeds.draw(context);
  try {
    const dealerState = await dealerStates.before(round, base.weights.length);
    const update = await computeUpdate({ task, contract, base, dealerState, records, random });
    await dealerStates.write(round, attempt, update.dealerState);
    const stateFile = encodeState(dealerState);
    await seeds.writeTrace(context, { stages: update.traces, ...(stateFile && { dealerState: stateFile }) });
    const sealingMs = performance.now();
    const payloadRandom = { secret: random.stream('secret'), errors: random.stream('errors') };
    return { sealed: await sealUpdate(update.values, context, payloadRandom, parts), sealingMs };
  } finally {
    random.wipe();
  }
}

/** One that nothing was begun under: neither a payload nor a seed. */
async function nextAttempt(round: number, record: RoundRecord, parts: RoundParts): Promise<SealContext> {
  const [unsealed, seeded] = [await parts.sealer.nextAttempt(round), await parts.seeds.lastAttempt(round)];
  return contextOf(round, Math.max(unsealed, seeded + 1), record, parts);
}

function contextOf(
  round: number,
  attempt: number,
  { seed }: RoundRecord,
  { chain, identity }: Pick<RoundParts, 'chain' | 'identity'>,
): SealContext {
  return {
    chainId: chain.client.chainId,
    ledger: chain.ledger.address,
    round,
    attempt,
    dealer: identity.address,
    seed,
  };
}

async function sealUpdate(
  values: Uint16Array,
  context: SealContext,
  payloadRandom: PayloadRandom,
  parts: RoundParts,
): Promise<StoredUpdate> {
  const { federation } = parts.chain;
  const [keys, registered, { keyHolderThreshold }] = await Promise.all([
    sealingKeysOf(parts.chain, context.round),
    federation.dealers(),
    federation.parameters(),
  ]);
  return parts.sealer.seal({
    ...context,
    payloadRandom,
    packing: packingOf(parts.task),
    dealers: registered.length,
    values,
    keyHolders: keys,
    threshold: keyHolderThreshold,
  });
}

async function commit(
  round: number,
  attempt: number,
  selection: LiveSelection,
  sealed: SealedUpdate,
  commitment: RecordsCommitment,
  records: readonly ConsentedRecord[],
  parts: RoundParts,
): Promise<number> {
  const { payloadHash, sharesRoot } = sealed;
  const terms = { round, attempt, payloadHash, sharesRoot, recordsRoot: commitment.root, weight: records.length };
  const drill = parts.takeDrill();
  if (drill !== undefined) {
    drill.report(await parts.chain.ledger.commitExpectingRefusal({ ...terms, anchoredRoot: drill.staleRoot }));
  }
  const participation = {
    attempt,
    anchoredRoot: selection.root,
    recordsRoot: commitment.root,
    weight: records.length,
    leaves: commitment.leaves.map(([subject, hash]): [Hex, Hex] => [subject, hash]),
  };
  await parts.participations.write(round, { ...participation, committed: false });
  const { gasUsed } = await parts.chain.ledger.commit({ ...terms, anchoredRoot: selection.root });
  await parts.participations.write(round, { ...participation, committed: true });
  return gasUsed;
}

/** After a restart: a commit that is on chain must have its upload at the coordinator; the identical bytes go out again. */
export async function resume(round: number, record: RoundRecord, parts: RoundParts): Promise<boolean> {
  const { chain, identity } = parts;
  const onChain = await chain.ledger.commitOf(round, identity.address);
  if (onChain === undefined) return false;
  const sealed = await parts.sealer.recall(contextOf(round, onChain.attempt, record, parts));
  if (sealed === undefined) return false;
  await parts.sendUpload(round, onChain.attempt, sealed);
  const participation = await parts.participations.read(round);
  if (participation?.attempt === onChain.attempt) {
    await parts.participations.write(round, { ...participation, committed: true });
  }
  await parts.seeds.keepOnly(round, onChain.attempt);
  return true;
}
