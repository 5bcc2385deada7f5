// One round at a dealer, in one sentence: gate, train, quantise, seal, send, commit; and again when consent moved on.
import { createHmac, randomFillSync } from 'node:crypto';
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
import { packingOf, type Task } from '../protocol/learning/task.ts';
import { addNoise, encodeUpdate } from '../protocol/learning/update.ts';
import { accessNow } from './access.ts';
import type { RecordsCommitment, RecordsCommitter } from './commitment.ts';
import type { LiveSelection, SelectionKeeper } from './consent/selection.ts';
import type { ConsentedRecord, ConsentGate } from './data/gate.ts';
import type { Participations } from './participation.ts';
import { requirePrivacy } from './privacy/budget.ts';
import { noiseOf } from './privacy/noise.ts';
import type { OneTimeSealer, StoredUpdate } from './seal/once.ts';
import type { SealedUpdate } from './seal/seal.ts';
import type { DealerStates } from './train/dealer-state.ts';
import type { FetchBase, RoundBase } from './train/fetch-base.ts';
import { trainLocally } from './train/local.ts';
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
  readonly participations: Participations;
  readonly earlierRounds: EarlierRounds;
  readonly commitRecords: RecordsCommitter;
  readonly dealerStates: DealerStates;
  readonly fetchBase: FetchBase;
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
  const base = await parts.fetchBase(record.baseModelHash);
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

async function tryOnce(round: number, record: RoundRecord, base: RoundBase, parts: RoundParts): Promise<RoundResult> {
  const { task, contract, identity } = parts;
  const [startedMs, access] = [performance.now(), await accessNow(record, parts)];
  const selection = await parts.selections.ensure(access);
  if (selection === undefined) return { took: 'no-part', round, reason: 'no live consent covers this round' };
  const records = parts.gate.open(new Set(selection.customers.keys()));
  if (records.length === 0) return { took: 'no-part', round, reason: 'no record of a consenting customer' };

  const trainingMs = performance.now();
  const attempt = await parts.sealer.nextAttempt(round);
  const seed = trainingSeed(identity.secret, round, attempt);
  const dealerState = await parts.dealerStates.before(round, base.weights.length);
  const local = await trainLocally({ task, contract, base, dealerState, records, seed, fillRandom: randomFillSync });
  await parts.dealerStates.write(round, attempt, local.dealerState);

  const sealingMs = performance.now();
  const weight = records.length;
  const noise = noiseOf(task, contract, randomFillSync);
  const update = encodeUpdate(addNoise(local.update, local.vector, noise), local.vector);
  const sealed = await sealUpdate(update.values, round, attempt, record, parts);

  const sendingMs = performance.now();
  const commitment = parts.commitRecords(records, selection.customers);
  const bytes = await parts.sendUpload(round, attempt, sealed);
  const gasUsed = await commit(round, attempt, selection, sealed, commitment, records, parts);
  const endedMs = performance.now();
  const timingsMs = {
    consent: trainingMs - startedMs,
    training: sealingMs - trainingMs,
    sealing: sendingMs - sealingMs,
    sending: endedMs - sendingMs,
  };
  return { took: 'part', round, records: weight, bytes, gasUsed, timingsMs };
}

/** Decides the shuffles of this attempt; known to the dealer alone, and again after a crash. */
function trainingSeed(secret: Uint8Array, round: number, attempt: number): Uint8Array {
  return createHmac('sha256', secret).update(`concordat/1/training-seed/${round}/${attempt}`).digest();
}

async function sealUpdate(
  values: Uint16Array,
  round: number,
  attempt: number,
  record: RoundRecord,
  parts: RoundParts,
): Promise<StoredUpdate> {
  const { federation, client, ledger } = parts.chain;
  const [keys, registered, { keyHolderThreshold }] = await Promise.all([
    sealingKeysOf(parts.chain, round),
    federation.dealers(),
    federation.parameters(),
  ]);
  return parts.sealer.seal({
    chainId: client.chainId,
    ledger: ledger.address,
    round,
    attempt,
    dealer: parts.identity.address,
    seed: record.seed,
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
  const sealed = await parts.sealer.recall({
    chainId: chain.client.chainId,
    ledger: chain.ledger.address,
    round,
    attempt: onChain.attempt,
    dealer: identity.address,
    seed: record.seed,
  });
  if (sealed === undefined) return false;
  await parts.sendUpload(round, onChain.attempt, sealed);
  const participation = await parts.participations.read(round);
  if (participation?.attempt === onChain.attempt) {
    await parts.participations.write(round, { ...participation, committed: true });
  }
  return true;
}
