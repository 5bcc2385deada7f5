// Every transition of a grant, the permitted and the forbidden, at the second and the basis point where they turn.
import { describe, expect, test } from 'vitest';
import {
  advance,
  type Facts,
  type GrantState,
  type GrantTerms,
  TRANSITIONS,
  type Transition,
  transitionDue,
  transitionSigned,
} from '../../protocol/consent/lifecycle.ts';
import { EVIDENCE } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';

const EXPIRY = 2_000;
const ROW = '+---------------';
const NONE = '-'.repeat(16);
const terms = (change: Partial<GrantTerms['conditions']> = {}, row = ROW): GrantTerms => ({
  row,
  conditions: {
    expiry: EXPIRY,
    accuracyFloorBps: 9_200,
    privacyCapMilli: 3_000,
    evidence: EVIDENCE.passkey,
    ...change,
  },
});
const facts = (change: Partial<Facts> = {}): Facts => ({
  nowSeconds: 1_500,
  attestedAccuracyBps: 9_200,
  epsilonAfterMilli: 3_000,
  ...change,
});
const SINCE = 1_000;

const STATES: Readonly<Record<GrantState['status'] | 'none', GrantState | undefined>> = {
  none: undefined,
  refused: { status: 'refused', sinceSeconds: SINCE },
  given: { status: 'given', sinceSeconds: SINCE, terms: terms() },
  modified: { status: 'modified', sinceSeconds: SINCE, terms: terms() },
  suspended: {
    ...{ status: 'suspended', sinceSeconds: SINCE, terms: terms() },
    ...{ reason: 'accuracy-under-floor', before: 'modified' },
  },
  withdrawn: { status: 'withdrawn', sinceSeconds: SINCE },
  expired: { status: 'expired', sinceSeconds: SINCE, terms: terms({ expiry: SINCE }) },
};

/** Each true in itself: what the table forbids is refused for the table's sake. */
const ATTEMPTS: Readonly<Record<Transition['kind'], Transition>> = {
  refuse: { kind: 'refuse', atSeconds: 1_500 },
  give: { kind: 'give', atSeconds: 1_500, terms: terms({ accuracyFloorBps: 0 }) },
  modify: { kind: 'modify', atSeconds: 1_500, terms: terms({ accuracyFloorBps: 0 }) },
  withdraw: { kind: 'withdraw', atSeconds: 1_500 },
  suspend: { kind: 'suspend', facts: facts({ epsilonAfterMilli: 3_001 }) },
  resume: { kind: 'resume', facts: facts() },
  expire: { kind: 'expire', facts: facts({ nowSeconds: EXPIRY }) },
};

const BECOMES: Readonly<Record<Transition['kind'], GrantState['status']>> = {
  ...{ refuse: 'refused', give: 'given', modify: 'modified', withdraw: 'withdrawn' },
  ...{ suspend: 'suspended', resume: 'modified', expire: 'expired' },
};

function refusal(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    if (error instanceof ConcordatError) return { code: error.code, ...error.fields };
    throw error;
  }
  return undefined;
}
const refusedFrom = (from: string, transition: string) => ({
  ...{ code: 'CONSENT_OPERATION_REFUSED', reason: 'transition', from, transition },
});

const pairs = Object.keys(STATES).flatMap((from) =>
  Object.keys(ATTEMPTS).map((kind) => [from as keyof typeof STATES, kind as Transition['kind']] as const),
);

describe('the table', () => {
  const permitted = pairs.filter(([from, kind]) => TRANSITIONS[from].includes(kind));
  const forbidden = pairs.filter(([from, kind]) => !TRANSITIONS[from].includes(kind));

  test('is this one', () => {
    expect(permitted.map((pair) => pair.join(' '))).toEqual([
      ...['none refuse', 'none give', 'refused give'],
      ...['given modify', 'given withdraw', 'given suspend', 'given expire'],
      ...['modified modify', 'modified withdraw', 'modified suspend', 'modified expire'],
      ...['suspended modify', 'suspended withdraw', 'suspended suspend', 'suspended resume', 'suspended expire'],
      ...['withdrawn give', 'expired give', 'expired withdraw'],
    ]);
  });

  test.each(permitted)('from %s one may %s', (from, kind) => {
    const state = advance(STATES[from], ATTEMPTS[kind]);
    expect(state.status).toBe(BECOMES[kind]);
    const stillFrozen = from === 'suspended' && kind === 'suspend';
    expect(state.sinceSeconds).toBe(stillFrozen ? SINCE : kind === 'expire' ? EXPIRY : 1_500);
  });

  test.each(forbidden)('from %s nobody may %s', (from, kind) => {
    expect(refusal(() => advance(STATES[from], ATTEMPTS[kind]))).toEqual(refusedFrom(from, kind));
  });
});

describe('a permitted transition must also be true', () => {
  const active = ['given', 'modified', 'suspended'] as const;

  test.each(active)('%s: not expired a second early, and nothing but an end once it is time', (from) => {
    const state = STATES[from];
    expect(refusal(() => advance(state, { kind: 'expire', facts: facts({ nowSeconds: EXPIRY - 1 }) }))).toBeDefined();
    const late = facts({ nowSeconds: EXPIRY, epsilonAfterMilli: 3_001 });
    const changed = terms({ expiry: 9_000 });
    for (const transition of [
      { kind: 'suspend', facts: late } as const,
      { kind: 'modify', atSeconds: EXPIRY, terms: changed } as const,
    ]) {
      expect(refusal(() => advance(state, transition))).toEqual(refusedFrom(from, transition.kind));
    }
    expect(advance(state, { kind: 'withdraw', atSeconds: EXPIRY }).status).toBe('withdrawn');
  });

  test.each<[string, Partial<Facts>]>([
    ['the floor is met exactly', {}],
    ['the cap is met exactly', { epsilonAfterMilli: 3_000 }],
  ])('nothing is suspended while %s', (_, change) => {
    const attempt = () => advance(STATES.given, { kind: 'suspend', facts: facts(change) });
    expect(refusal(attempt)).toEqual(refusedFrom('given', 'suspend'));
  });

  test('nothing resumes under a breach, be it another than it was suspended for', () => {
    for (const change of [
      { attestedAccuracyBps: 9_199 },
      { attestedAccuracyBps: undefined },
      { epsilonAfterMilli: 3_001 },
    ]) {
      const attempt = () => advance(STATES.suspended, { kind: 'resume', facts: facts(change) });
      expect(refusal(attempt)).toEqual(refusedFrom('suspended', 'resume'));
    }
  });

  test('suspending twice for one reason is refused, for another it is told and the freeze keeps its beginning', () => {
    const under = facts({ attestedAccuracyBps: 9_199 });
    expect(refusal(() => advance(STATES.suspended, { kind: 'suspend', facts: under }))).toEqual(
      refusedFrom('suspended', 'suspend'),
    );
    const stale = facts({ attestedAccuracyBps: undefined });
    expect(advance(STATES.suspended, { kind: 'suspend', facts: stale })).toMatchObject({
      reason: 'metric-stale',
      sinceSeconds: SINCE,
      before: 'modified',
    });
  });

  test('giving nothing, and changing nothing, are no changes', () => {
    const empty = terms({}, NONE);
    expect(refusal(() => advance(undefined, { kind: 'give', atSeconds: 1, terms: empty }))).toBeDefined();
    expect(refusal(() => advance(STATES.given, { kind: 'modify', atSeconds: 1_500, terms: empty }))).toBeDefined();
    expect(refusal(() => advance(STATES.given, { kind: 'modify', atSeconds: 1_500, terms: terms() }))).toBeDefined();
    for (const change of [
      { expiry: 2_001 },
      { accuracyFloorBps: 9_201 },
      { privacyCapMilli: 2_999 },
      { evidence: EVIDENCE.attested },
    ]) {
      const transition = { kind: 'modify', atSeconds: 1_500, terms: terms(change) } as const;
      expect(advance(STATES.given, transition).status).toBe('modified');
    }
  });

  test('time does not go back; the same second will do', () => {
    expect(refusal(() => advance(STATES.given, { kind: 'withdraw', atSeconds: SINCE - 1 }))).toEqual(
      refusedFrom('given', 'withdraw'),
    );
    expect(advance(STATES.given, { kind: 'withdraw', atSeconds: SINCE }).status).toBe('withdrawn');
  });
});

describe('what time and metrics ask for', () => {
  const due = (state: GrantState | undefined, change: Partial<Facts>) => transitionDue(state, facts(change))?.kind;

  test.each<[string, Partial<Facts>, Transition['kind'] | undefined, GrantState['status']]>([
    ['every condition is met exactly', {}, undefined, 'given'],
    ['a basis point under the floor', { attestedAccuracyBps: 9_199 }, 'suspend', 'suspended'],
    ['no metric that counts', { attestedAccuracyBps: undefined }, 'suspend', 'suspended'],
    ['a thousandth beyond the cap', { epsilonAfterMilli: 3_001 }, 'suspend', 'suspended'],
    ['the last second', { nowSeconds: EXPIRY - 1 }, undefined, 'given'],
    ['the second of the end', { nowSeconds: EXPIRY }, 'expire', 'expired'],
    ['the end, and a breach', { nowSeconds: EXPIRY, attestedAccuracyBps: 0 }, 'expire', 'expired'],
  ])('a given grant, %s', (_, change, kind, status) => {
    expect(due(STATES.given, change)).toBe(kind);
    const transition = transitionDue(STATES.given, facts(change));
    expect((transition ? advance(STATES.given, transition) : STATES.given)?.status).toBe(status);
  });

  test('a suspended grant resumes as what it was, by the first facts that break nothing', () => {
    expect(due(STATES.suspended, { attestedAccuracyBps: 9_199 })).toBeUndefined();
    expect(due(STATES.suspended, { attestedAccuracyBps: undefined })).toBe('suspend');
    expect(due(STATES.suspended, { nowSeconds: EXPIRY })).toBe('expire');
    const resume = transitionDue(STATES.suspended, facts());
    expect(resume && advance(STATES.suspended, resume)).toEqual({
      status: 'modified',
      sinceSeconds: 1_500,
      terms: terms(),
    });
  });

  test('without a floor no metric is needed', () => {
    const open: GrantState = { status: 'given', sinceSeconds: SINCE, terms: terms({ accuracyFloorBps: 0 }) };
    expect(due(open, { attestedAccuracyBps: undefined })).toBeUndefined();
  });

  test.each(['none', 'refused', 'withdrawn', 'expired'] as const)('nothing of a grant that is %s', (from) => {
    expect(due(STATES[from], { nowSeconds: 1e9, attestedAccuracyBps: undefined })).toBeUndefined();
  });

  test('what is due is always permitted', () => {
    for (const state of Object.values(STATES)) {
      for (const nowSeconds of [1_500, EXPIRY]) {
        for (const attestedAccuracyBps of [9_199, 9_200, undefined]) {
          for (const epsilonAfterMilli of [3_000, 3_001]) {
            const transition = transitionDue(state, { nowSeconds, attestedAccuracyBps, epsilonAfterMilli });
            if (transition === undefined) continue;
            const after = advance(state, transition);
            // and done with: the same facts ask for nothing more
            expect(transitionDue(after, { nowSeconds, attestedAccuracyBps, epsilonAfterMilli })).toBeUndefined();
          }
        }
      }
    }
  });
});

describe('what a signed record asks for', () => {
  const other = terms({ accuracyFloorBps: 0 });
  const nothing = terms({}, NONE);
  test.each<[keyof typeof STATES, string, GrantTerms, Transition['kind'] | undefined]>([
    ['none', 'something', terms(), 'give'],
    ['none', 'nothing', nothing, 'refuse'],
    ['refused', 'something', terms(), 'give'],
    ['refused', 'nothing', nothing, undefined],
    ['given', 'the same', terms(), undefined],
    ['given', 'something else', other, 'modify'],
    ['given', 'nothing', nothing, 'withdraw'],
    ['modified', 'something else', other, 'modify'],
    ['suspended', 'the same', terms(), undefined],
    ['suspended', 'something else', other, 'modify'],
    ['suspended', 'nothing', nothing, 'withdraw'],
    ['withdrawn', 'what it was', terms(), 'give'],
    ['withdrawn', 'nothing', nothing, undefined],
    ['expired', 'a later end', terms(), 'give'],
    ['expired', 'the same, which has ended', terms({ expiry: SINCE }), undefined],
    ['expired', 'nothing', nothing, 'withdraw'],
  ])('%s, and now %s', (from, _, signed, kind) => {
    const transition = transitionSigned(STATES[from], signed, 1_500);
    expect(transition?.kind).toBe(kind);
    if (transition) expect(advance(STATES[from], transition).status).toBe(BECOMES[transition.kind]);
  });
});
