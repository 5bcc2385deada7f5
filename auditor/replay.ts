// The contracts' state, rebuilt from their events in order: what stood at the moment of each event, asked of no contract.
import type { Hex } from '../protocol/bytes.ts';
import { type ChainEvent, type EventOf, eventsOf, type History, type SelectionCall } from './history.ts';

interface Claim {
  readonly validUntil: number;
  readonly accuracyFloorBps: number;
  readonly privacyCapMilli: number;
}

/** Several claims folded into their strictest: earliest end, highest floor, lowest cap, all members. */
export interface Bounds extends Claim {
  readonly memberCount: number;
}

interface Standing extends Bounds {
  readonly root: Hex;
}

interface RoundState {
  readonly opened: EventOf<'RoundOpened'>;
  /** The last one of each dealer: what a set refers to. */
  readonly commits: Map<Hex, EventOf<'Committed'>>;
  finalised: EventOf<'SetFinalised'> | undefined;
  failed: EventOf<'RoundFailed'> | undefined;
  published: EventOf<'Published'> | undefined;
}

export interface ChainState {
  paused: boolean;
  coordinator: Hex | undefined;
  readonly dealers: Set<Hex>;
  readonly witnesses: Set<Hex>;
  /** Address -> index from 1. */
  readonly keyHolders: Map<Hex, number>;
  /** The last one of each key-holder: what a round that opens now is sealed to. */
  readonly sealingKeys: Map<Hex, EventOf<'KeyRotated'>>;
  /** The current one of each dealer. */
  readonly anchors: Map<Hex, EventOf<'Anchored'>>;
  /** By dealer and subject: the number of a withdrawal that was forced and not yet acknowledged. */
  readonly forced: Map<string, number>;
  readonly claims: Map<string, Claim>;
  readonly selections: Map<string, Standing>;
  readonly rounds: Map<number, RoundState>;
  /** By task: the accuracy its last published round attests. */
  readonly attestations: Map<Hex, EventOf<'Published'>>;
  /** By task: the model it published last. */
  readonly models: Map<Hex, Hex>;
}

const emptyState = (): ChainState => ({
  paused: false,
  coordinator: undefined,
  dealers: new Set(),
  witnesses: new Set(),
  keyHolders: new Map(),
  sealingKeys: new Map(),
  anchors: new Map(),
  forced: new Map(),
  claims: new Map(),
  selections: new Map(),
  rounds: new Map(),
  attestations: new Map(),
  models: new Map(),
});

const claimKey = (dealer: Hex, requirementKey: Hex, digest: bigint): string => `${dealer}/${requirementKey}/${digest}`;
export const selectionKey = (dealer: Hex, requirementKey: Hex): string => `${dealer}/${requirementKey}`;

/** Subjects that were taken out on chain, and whose dealer has not acknowledged it. */
export const forcedAt = ({ forced }: ChainState, dealer: Hex): string[] =>
  [...forced.keys()].filter((key) => key.startsWith(`${dealer}/`));

/**
 * Calls `visit` with each event and the state just before it; returns the state after all.
 * @param state what it starts from, and is changed: `carriedOn(history)` where rounds, models or withdrawals of a predecessor count
 */
export function replay(
  events: readonly ChainEvent[],
  visit: (event: ChainEvent, before: ChainState) => void = () => undefined,
  state: ChainState = emptyState(),
): ChainState {
  for (const event of events) {
    visit(event, state);
    apply(event, state);
  }
  return state;
}

/** What a federation has of its predecessors before its first event: rounds, models and forced withdrawals; no member, no consent. */
export function carriedOn({ predecessor }: History): ChainState {
  const state = emptyState();
  if (predecessor === undefined) return state;
  const last = replay(predecessor.events, undefined, carriedOn(predecessor));
  for (const [number, round] of last.rounds)
    state.rounds.set(number, { ...round, failed: failureOf(round, predecessor) });
  for (const [task, model] of last.models) state.models.set(task, model);
  for (const [key, seq] of last.forced) state.forced.set(key, seq);
  return state;
}

/** What a ledger had not ended when it was superseded has failed. */
function failureOf({ opened, published, failed }: RoundState, { events }: History): RoundState['failed'] {
  if (published !== undefined || failed !== undefined) return failed;
  const { at } = eventsOf(events, 'SuccessorNamed')[0] ?? opened;
  return { name: 'RoundFailed', at, round: opened.round, reason: 'superseded' };
}

function apply(event: ChainEvent, state: ChainState): void {
  switch (event.name) {
    case 'ContractsSet':
    case 'PredecessorNamed':
    case 'SuccessorNamed':
      return;
    case 'Paused':
    case 'Unpaused':
      state.paused = event.name === 'Paused';
      return;
    case 'CoordinatorSet':
      state.coordinator = event.coordinator;
      return;
    case 'DealerRegistered':
      state.dealers.add(event.dealer);
      return;
    case 'DealerRemoved':
      state.dealers.delete(event.dealer);
      return;
    case 'WitnessRegistered':
      state.witnesses.add(event.witness);
      return;
    case 'WitnessRemoved':
      state.witnesses.delete(event.witness);
      return;
    case 'KeyHolderRegistered':
      state.keyHolders.set(event.keyHolder, event.index);
      return;
    case 'KeyHolderReplaced':
      state.keyHolders.delete(event.keyHolder);
      state.keyHolders.set(event.successor, event.index);
      return;
    case 'KeyRotated':
      state.sealingKeys.set(event.keyHolder, event);
      return;
    case 'Anchored':
      state.anchors.set(event.dealer, event);
      return;
    case 'ForcedWithdrawal':
      state.forced.set(`${event.dealer}/${event.subject}`, event.seq);
      return;
    case 'ForcedWithdrawalAcknowledged':
      state.forced.delete(`${event.dealer}/${event.subject}`);
      return;
    case 'PoliciesAdmitted':
      for (const digest of event.digests) state.claims.set(claimKey(event.dealer, event.requirementKey, digest), event);
      return;
    case 'SelectionAdmitted':
      state.selections.set(selectionKey(event.dealer, event.requirementKey), standingOf(event, state));
      return;
    default:
      applyToRound(event, state);
  }
}

type RoundEvent = EventOf<'RoundOpened' | 'Committed' | 'SetFinalised' | 'RoundFailed' | 'Published'>;

function applyToRound(event: RoundEvent, state: ChainState): void {
  if (event.name === 'RoundOpened') {
    const untouched = { finalised: undefined, failed: undefined, published: undefined };
    // a second opening of the same number is check 10's to report; the first one stands
    if (!state.rounds.has(event.round))
      state.rounds.set(event.round, { opened: event, commits: new Map(), ...untouched });
    return;
  }
  const round = state.rounds.get(event.round);
  if (round === undefined) return;
  switch (event.name) {
    case 'Committed':
      round.commits.set(event.dealer, event);
      return;
    case 'SetFinalised':
      round.finalised ??= event;
      return;
    case 'RoundFailed':
      round.failed ??= event;
      return;
    case 'Published':
      round.published ??= event;
      state.attestations.set(event.taskHash, event);
      state.models.set(event.taskHash, event.modelHash);
  }
}

/** A selection with a policy that nobody proved: nothing can stand on it. */
const VOID: Bounds = { memberCount: 0, validUntil: 0, accuracyFloorBps: 10_000, privacyCapMilli: 0 };

/** From the calldata when there is any: the numbers in the event are only what the contract says of itself. */
function standingOf(event: EventOf<'SelectionAdmitted'>, state: ChainState): Standing {
  const { dealer, requirementKey, call } = event;
  const folded = call && foldClaims(dealer, requirementKey, call.buckets, state);
  const bounds = folded === undefined ? event : folded.unclaimed.length > 0 ? VOID : folded.bounds;
  return { ...bounds, root: state.anchors.get(dealer)?.root ?? event.root };
}

/** The bounds of some buckets under the claims that stand, and the digests that nobody proved anything of. */
export function foldClaims(
  dealer: Hex,
  requirementKey: Hex,
  buckets: SelectionCall['buckets'],
  state: ChainState,
): { bounds: Bounds; unclaimed: bigint[] } {
  const claims = buckets.map(({ digest }) => state.claims.get(claimKey(dealer, requirementKey, digest)));
  const known = claims.filter((claim) => claim !== undefined);
  return {
    bounds: {
      memberCount: buckets.reduce((sum, { memberCount }) => sum + memberCount, 0),
      validUntil: Math.min(...known.map((claim) => claim.validUntil)),
      accuracyFloorBps: Math.max(...known.map((claim) => claim.accuracyFloorBps)),
      privacyCapMilli: Math.min(...known.map((claim) => claim.privacyCapMilli)),
    },
    unclaimed: buckets.filter((_, i) => claims[i] === undefined).map(({ digest }) => digest),
  };
}
