// What happened to one customer's grants, in order: computed from the log, the anchors, the attestations and the clock.
import { ConcordatError } from '../errors.ts';
import { freshAccuracy } from './evaluate.ts';
import { type GrantRows, rowsOfGrants } from './grants.ts';
import {
  advance,
  breachOf,
  type Facts,
  type GrantState,
  isActive,
  type SuspensionReason,
  type Transition,
  transitionDue,
  transitionSigned,
} from './lifecycle.ts';
import type { Operation } from './operation.ts';
import { type Conditions, EVIDENCE, type Policy } from './policy.ts';
import { secondsOfIso } from './quarter.ts';
import { type ConsentRecord, decodeRecord, policyOfRecord, recordHash } from './record.ts';
import { SCENE_IDS, type SceneId } from './scenes.ts';
import { ConsentState } from './state.ts';

/** One entry of the dealer's log, its signature checked, with the record it signs: customer and dealer have both. */
export interface SignedRecord {
  /** From 0. */
  readonly logIndex: number;
  readonly operation: Operation;
  /** Canonical JSON, as signed. A withdrawal forced on chain may come without: it grants nothing whatever it says. */
  readonly record: Uint8Array | undefined;
}

export interface AnchorOnChain {
  readonly epoch: number;
  readonly operationCount: number;
  readonly anchoredAtSeconds: number;
}

/** What the chain says of one task: it uses its scene from its first round on. */
export interface TaskOnChain {
  readonly scene: SceneId;
  readonly rounds: readonly { readonly openedAtSeconds: number; readonly epsilonAfterMilli: number }[];
  readonly attestations: readonly { readonly attestedAtSeconds: number; readonly accuracyBps: number }[];
}

export interface HistoryInput {
  /** One customer's, in log order. */
  readonly entries: readonly SignedRecord[];
  readonly anchors: readonly AnchorOnChain[];
  readonly tasks: readonly TaskOnChain[];
  readonly metricMaxAgeSeconds: number;
  readonly nowSeconds: number;
}

export interface ConsentEvent {
  readonly atSeconds: number;
  readonly scene: SceneId;
  readonly kind: 'given' | 'refused' | 'modified' | 'suspended' | 'resumed' | 'withdrawn' | 'expired';
  /** Of a suspension: why, and since when the grant is frozen (an earlier breach, when the reason changed). */
  readonly suspension?: { readonly reason: SuspensionReason; readonly sinceSeconds: number };
  /** Of what was signed: where it stands in the log, and the first anchor over it; without one it is the dealer's promise. */
  readonly signed?: { readonly logIndex: number; readonly seq: number; readonly anchor: AnchorOnChain | undefined };
}

export interface ConsentHistory {
  readonly events: readonly ConsentEvent[];
  /** Where every scene stands at `nowSeconds`; empty before the first operation. */
  readonly standing: ReadonlyMap<SceneId, GrantState>;
}

interface Dated {
  readonly entry: SignedRecord;
  readonly rows: GrantRows;
  readonly conditions: Conditions;
  readonly anchor: AnchorOnChain | undefined;
  readonly atSeconds: number;
}

const EVENT_OF: Readonly<Record<Transition['kind'], ConsentEvent['kind']>> = {
  give: 'given',
  refuse: 'refused',
  modify: 'modified',
  withdraw: 'withdrawn',
  suspend: 'suspended',
  resume: 'resumed',
  expire: 'expired',
};

/**
 * @throws ConcordatError CONSENT_OPERATION_REFUSED when the entries are no log of one customer, STATE_CORRUPT when a record
 * is missing or not the one that was signed, MESSAGE_* when one does not decode
 */
export function consentHistory(input: HistoryInput): ConsentHistory {
  const dated = datesOf(input);
  const standing = new Map<SceneId, GrantState>();
  const events: ConsentEvent[] = [];

  const step = (scene: SceneId, transition: Transition | undefined, signed?: ConsentEvent['signed']): void => {
    if (transition === undefined) return;
    const state = advance(standing.get(scene), transition);
    standing.set(scene, state);
    events.push({
      atSeconds: 'facts' in transition ? transition.facts.nowSeconds : transition.atSeconds,
      scene,
      kind: EVENT_OF[transition.kind],
      ...(state.status === 'suspended' && {
        suspension: { reason: state.reason, sinceSeconds: state.sinceSeconds },
      }),
      ...(signed !== undefined && { signed }),
    });
  };
  const settle = (atSeconds: number): void => {
    for (const scene of SCENE_IDS) step(scene, dueOf(standing.get(scene), factsOf(input, scene, atSeconds)));
  };

  for (const atSeconds of instantsOf(input, dated)) {
    settle(atSeconds);
    for (const { entry, rows, conditions, anchor } of dated.filter((one) => one.atSeconds === atSeconds)) {
      const signed = { logIndex: entry.logIndex, seq: entry.operation.seq, anchor };
      for (const scene of SCENE_IDS) {
        const terms = { row: rows[scene], conditions };
        step(scene, transitionSigned(standing.get(scene), terms, atSeconds), signed);
      }
      settle(atSeconds);
    }
  }
  return { events, standing };
}

/** The first task whose use is in breach decides; with none, the grant thaws. */
function dueOf(state: GrantState | undefined, uses: readonly Facts[]): Transition | undefined {
  if (!isActive(state)) return undefined;
  const facts = uses.find((use) => breachOf(state.terms, use) !== undefined) ?? uses[0];
  return facts && transitionDue(state, facts);
}

/** One set of facts per task that uses the scene by then. Where no task does, only time can end the grant. */
function factsOf({ tasks, metricMaxAgeSeconds }: HistoryInput, scene: SceneId, nowSeconds: number): readonly Facts[] {
  const uses = tasks
    .filter((task) => task.scene === scene)
    .flatMap(({ rounds, attestations }) => {
      const round = latest(rounds, ({ openedAtSeconds }) => openedAtSeconds, nowSeconds);
      if (round === undefined) return [];
      const metric = latest(attestations, ({ attestedAtSeconds }) => attestedAtSeconds, nowSeconds);
      const attestedAccuracyBps = freshAccuracy(metric, nowSeconds, metricMaxAgeSeconds);
      return [{ nowSeconds, attestedAccuracyBps, epsilonAfterMilli: round.epsilonAfterMilli }];
    });
  return uses.length > 0 ? uses : [{ nowSeconds, attestedAccuracyBps: Number.MAX_SAFE_INTEGER, epsilonAfterMilli: 0 }];
}

/** The last of those that had happened; of two at one time, the later in the list. */
function latest<T>(items: readonly T[], timeOf: (item: T) => number, nowSeconds: number): T | undefined {
  return items
    .filter((item) => timeOf(item) <= nowSeconds)
    .reduce<T | undefined>((a, b) => (a === undefined || timeOf(b) >= timeOf(a) ? b : a), undefined);
}

const NO_HASH = new Uint8Array(32);
const NOTHING: Policy = {
  grants: 0n,
  conditions: { expiry: 0, accuracyFloorBps: 0, privacyCapMilli: 0, evidence: EVIDENCE.attested },
};

/** The record of an entry, when it is the one that was signed. */
function recordOf({ operation, logIndex, record }: SignedRecord): ConsentRecord | undefined {
  if (record === undefined && operation.newDigest === 0n) return undefined;
  const decoded = record && decodeRecord(record);
  const signed = record !== undefined && recordHash(record) === operation.recordHash;
  if (decoded !== undefined && signed && decoded.seq === operation.seq) return decoded;
  throw new ConcordatError('STATE_CORRUPT', `log entry ${logIndex} comes without the record it signs`, { logIndex });
}

/**
 * When each entry counts: when the customer decided, but never after the anchor over it (their clock may be ahead), nor
 * before the entry before. Without a record, when it was anchored.
 */
function datesOf({ entries, anchors, nowSeconds }: HistoryInput): readonly Dated[] {
  let previous = Number.NEGATIVE_INFINITY;
  const [first] = entries;
  // the state knows which operation may follow which; its roots and log head are not asked for
  const state = first && ConsentState.empty(first.operation.dealer);
  return entries.map((entry) => {
    const record = recordOf(entry);
    state?.apply({ operation: entry.operation, operationHash: NO_HASH, assertionHash: NO_HASH });
    const anchor = anchors
      .filter(({ operationCount }) => operationCount > entry.logIndex)
      .reduce<AnchorOnChain | undefined>((a, b) => (a === undefined || b.epoch < a.epoch ? b : a), undefined);
    const latestTime = Math.min(nowSeconds, anchor?.anchoredAtSeconds ?? nowSeconds);
    const decidedAt = record === undefined ? latestTime : secondsOfIso(record.event.time);
    previous = Math.max(previous, Math.min(decidedAt, latestTime));
    const { grants, conditions } = record === undefined ? NOTHING : policyOfRecord(record);
    return { entry, rows: rowsOfGrants(grants), conditions, anchor, atSeconds: previous };
  });
}

/** Every second at which something may change, up to now. */
function instantsOf(
  { tasks, metricMaxAgeSeconds, nowSeconds }: HistoryInput,
  dated: readonly Dated[],
): readonly number[] {
  const times = [
    nowSeconds,
    ...dated.flatMap(({ atSeconds, conditions }) => [atSeconds, conditions.expiry]),
    ...tasks.flatMap(({ rounds }) => rounds.map(({ openedAtSeconds }) => openedAtSeconds)),
    // the first second at which a metric is too old
    ...tasks.flatMap(({ attestations }) =>
      attestations.flatMap(({ attestedAtSeconds }) => [attestedAtSeconds, attestedAtSeconds + metricMaxAgeSeconds + 1]),
    ),
  ];
  return [...new Set(times)].filter((time) => time <= nowSeconds).sort((a, b) => a - b);
}
