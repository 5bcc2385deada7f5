// The life of one grant, one scene of one subject: its states, the transitions there are, and what time and metrics ask for.
import { ConcordatError } from '../errors.ts';
import { type Access, type DenialReason, evaluate } from './evaluate.ts';
import { type Conditions, EVIDENCE } from './policy.ts';

/** What the customer allows in one scene. */
export interface GrantTerms {
  /** One mark per field class, as in the record. */
  readonly row: string;
  readonly conditions: Conditions;
}

/** Everything but the customer that a grant depends on. */
export type Facts = Omit<Access, 'requirement'>;

export type SuspensionReason = Extract<DenialReason, 'accuracy-under-floor' | 'metric-stale' | 'privacy-cap'>;

interface Since {
  /** Unix seconds of the transition into this state. */
  readonly sinceSeconds: number;
}

/** `modified`: given, under other terms than at first. Only `given` and `modified` allow anything. */
export type GrantState =
  | (Since & { readonly status: 'refused' | 'withdrawn' })
  | (Since & { readonly status: 'given' | 'modified'; readonly terms: GrantTerms })
  | (Since & { readonly status: 'expired'; readonly terms: GrantTerms })
  | (Since & {
      readonly status: 'suspended';
      readonly terms: GrantTerms;
      readonly reason: SuspensionReason;
      /** What it resumes as. */
      readonly before: 'given' | 'modified';
    });

type ActiveState = Extract<GrantState, { status: 'given' | 'modified' | 'suspended' }>;

export type Transition =
  // what the customer signs
  | { readonly kind: 'refuse' | 'withdraw'; readonly atSeconds: number }
  | { readonly kind: 'give' | 'modify'; readonly atSeconds: number; readonly terms: GrantTerms }
  // what time and attested metrics do, under the terms the customer signed
  | { readonly kind: 'suspend' | 'resume' | 'expire'; readonly facts: Facts };

type Kind = Transition['kind'];

/** `none`: the subject's log has not spoken of the scene. */
export const TRANSITIONS: Readonly<Record<GrantState['status'] | 'none', readonly Kind[]>> = {
  none: ['give', 'refuse'],
  refused: ['give'],
  given: ['modify', 'suspend', 'withdraw', 'expire'],
  modified: ['modify', 'suspend', 'withdraw', 'expire'],
  // suspended again: for another reason
  suspended: ['modify', 'suspend', 'resume', 'withdraw', 'expire'],
  withdrawn: ['give'],
  expired: ['give', 'withdraw'],
};

/** Given and not ended: allowed, or frozen. */
export const isActive = (state: GrantState | undefined): state is ActiveState =>
  state?.status === 'given' || state?.status === 'modified' || state?.status === 'suspended';

const grantsNothing = (row: string): boolean => !row.includes('+');

const sameTerms = (a: GrantTerms, b: GrantTerms): boolean =>
  a.row === b.row &&
  a.conditions.expiry === b.conditions.expiry &&
  a.conditions.accuracyFloorBps === b.conditions.accuracyFloorBps &&
  a.conditions.privacyCapMilli === b.conditions.privacyCapMilli &&
  a.conditions.evidence === b.conditions.evidence;

/** The first condition that the facts break, by the one law there is; whether a task's classes are granted is not asked. */
export function breachOf({ conditions }: GrantTerms, facts: Facts): SuspensionReason | 'expired' | undefined {
  const asksNothing = { required: 0n, minEvidence: EVIDENCE.attested };
  const decision = evaluate({ grants: 0n, conditions }, { ...facts, requirement: asksNothing });
  if (decision.allow || decision.reason === 'not-granted' || decision.reason === 'evidence-too-weak') return undefined;
  return decision.reason;
}

/**
 * The next state. A transition must be in the table, go forward in time, and be true: nothing is suspended without a
 * breach, resumed under one, or expired before its time.
 * @throws ConcordatError CONSENT_OPERATION_REFUSED, `fields.reason` = 'transition'
 */
export function advance(state: GrantState | undefined, transition: Transition): GrantState {
  const { kind } = transition;
  const from = state?.status ?? 'none';
  const refuse = (why: string): never => {
    const fields = { reason: 'transition', from, transition: kind };
    throw new ConcordatError(
      'CONSENT_OPERATION_REFUSED',
      `a grant cannot go from ${from} by "${kind}": ${why}`,
      fields,
    );
  };
  const sinceSeconds = 'facts' in transition ? transition.facts.nowSeconds : transition.atSeconds;
  if (!TRANSITIONS[from].includes(kind)) refuse('there is no such transition');
  if (state !== undefined && sinceSeconds < state.sinceSeconds) refuse('it goes back in time');
  // an expiry is noticed before anything else is done under the terms that ended, except to end them for good
  const ended = isActive(state) && sinceSeconds >= state.terms.conditions.expiry;
  if (ended && kind !== 'expire' && kind !== 'withdraw') refuse('its terms have expired');

  switch (transition.kind) {
    case 'refuse':
      return { status: 'refused', sinceSeconds };
    case 'withdraw':
      return { status: 'withdrawn', sinceSeconds };
    case 'give':
    case 'modify': {
      const { terms } = transition;
      if (grantsNothing(terms.row)) refuse('nothing is granted');
      if (state !== undefined && 'terms' in state && sameTerms(state.terms, terms)) refuse('the terms are the same');
      return { status: transition.kind === 'give' ? 'given' : 'modified', sinceSeconds, terms };
    }
    default:
      return isActive(state) ? byRule(state, transition.kind, transition.facts, refuse) : refuse('it is not in force');
  }
}

function byRule(
  state: ActiveState,
  kind: 'suspend' | 'resume' | 'expire',
  facts: Facts,
  refuse: (why: string) => never,
): GrantState {
  const { terms } = state;
  const breach = breachOf(terms, facts);
  if (kind === 'expire') {
    return breach === 'expired'
      ? { status: 'expired', sinceSeconds: facts.nowSeconds, terms }
      : refuse('it is not yet time');
  }
  if (kind === 'resume') {
    if (state.status !== 'suspended' || breach !== undefined) return refuse(`${breach ?? 'nothing'} holds`);
    return { status: state.before, sinceSeconds: facts.nowSeconds, terms };
  }
  if (breach === undefined || breach === 'expired') return refuse('every condition is met');
  if (state.status !== 'suspended') {
    return { status: 'suspended', sinceSeconds: facts.nowSeconds, terms, reason: breach, before: state.status };
  }
  // frozen since the first breach, however the reasons change
  return breach === state.reason ? refuse('it is suspended for this already') : { ...state, reason: breach };
}

/** What time and metrics ask for now, if anything: the rule by which a grant expires, freezes and thaws. */
export function transitionDue(state: GrantState | undefined, facts: Facts): Transition | undefined {
  if (!isActive(state)) return undefined;
  const breach = breachOf(state.terms, facts);
  if (breach === 'expired') return { kind: 'expire', facts };
  if (state.status !== 'suspended') return breach === undefined ? undefined : { kind: 'suspend', facts };
  if (breach === undefined) return { kind: 'resume', facts };
  return breach === state.reason ? undefined : { kind: 'suspend', facts };
}

/** What a newly signed record asks for in this scene; undefined when it changes nothing here. */
export function transitionSigned(
  state: GrantState | undefined,
  terms: GrantTerms,
  atSeconds: number,
): Transition | undefined {
  const nothing = grantsNothing(terms.row);
  if (state === undefined) return nothing ? { kind: 'refuse', atSeconds } : { kind: 'give', atSeconds, terms };
  // refused or withdrawn
  if (!('terms' in state)) return nothing ? undefined : { kind: 'give', atSeconds, terms };
  if (nothing) return { kind: 'withdraw', atSeconds };
  if (sameTerms(state.terms, terms)) return undefined;
  return { kind: state.status === 'expired' ? 'give' : 'modify', atSeconds, terms };
}
