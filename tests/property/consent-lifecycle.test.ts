// Properties of a grant's life: where any history ends is what the law says then, and replaying part of it changes no past.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { evaluate } from '../../protocol/consent/evaluate.ts';
import { grantsOfRows, rowsOfGrants } from '../../protocol/consent/grants.ts';
import { consentHistory, type HistoryInput, type SignedRecord } from '../../protocol/consent/history.ts';
import { advance, type Facts, type GrantState, transitionDue } from '../../protocol/consent/lifecycle.ts';
import { EVIDENCE, NO_PRIVACY_CAP, type Policy } from '../../protocol/consent/policy.ts';
import { isoOfSeconds, quarterStart } from '../../protocol/consent/quarter.ts';
import { type ConsentRecord, decodeRecord, encodeRecord, recordHash } from '../../protocol/consent/record.ts';
import { SCENE_IDS } from '../../protocol/consent/scenes.ts';
import vectors from '../../protocol/vectors/consent-state.json' with { type: 'json' };

const START = quarterStart(1_780_000_000, 1);
const [template] = vectors.entries.map(({ record }) => decodeRecord(utf8ToBytes(record)));
const DAY = 86_400;
const MAX_AGE = 3 * DAY;
const EVIDENCE_NAME = { [EVIDENCE.attested]: 'attested', [EVIDENCE.passkey]: 'passkey' } as const;

const after = fc.integer({ min: 0, max: 200 }).map((days) => START + days * DAY);
const grants = fc.constantFrom(0n, 0x24n, 0x240024n, 0x240000n, 2n ** 192n - 1n);
const policy: fc.Arbitrary<Policy> = fc.record({
  grants,
  conditions: fc.record({
    expiry: fc.integer({ min: 0, max: 3 }).map((quarters) => quarterStart(START, quarters)),
    accuracyFloorBps: fc.constantFrom(0, 9_199, 9_200),
    privacyCapMilli: fc.constantFrom(1_000, 1_001, NO_PRIVACY_CAP),
    evidence: fc.constantFrom(EVIDENCE.attested, EVIDENCE.passkey),
  }),
});

/** The records of one subject, in log order; signatures are another matter. */
function logOf(steps: readonly (readonly [number, Policy])[]): SignedRecord[] {
  if (template === undefined) throw new Error('no record to start from');
  const ordered = [...steps].sort(([a], [b]) => a - b);
  return ordered.map(([seconds, { grants: matrix, conditions }], i) => {
    const { accuracyFloorBps, privacyCapMilli, expiry, evidence } = conditions;
    const time = isoOfSeconds(seconds);
    const made: ConsentRecord = {
      ...template,
      seq: i + 1,
      grants: rowsOfGrants(matrix),
      conditions: { accuracyFloorBps, privacyCapMilli },
      evidence: EVIDENCE_NAME[evidence],
      validity: { from: isoOfSeconds(Math.min(seconds, expiry)), until: isoOfSeconds(expiry) },
      event: { time, method: evidence === EVIDENCE.passkey ? 'qr-self' : 'paper' },
    };
    const record = encodeRecord(made);
    const { pseudonym: subject, publicKey, nonce } = made.subject;
    const { address: dealer } = made.controller;
    const hashes = { oldDigest: 0n, newDigest: 0n, recordHash: recordHash(record) };
    return { logIndex: i, record, operation: { dealer, subject, publicKey, nonce, seq: i + 1, ...hashes } };
  });
}

const story: fc.Arbitrary<HistoryInput> = fc.record({
  entries: fc.array(fc.tuple(after, policy), { maxLength: 6 }).map(logOf),
  anchors: fc.constant([]),
  tasks: fc.array(
    fc.record({
      scene: fc.constantFrom(...SCENE_IDS.slice(0, 2)),
      rounds: fc.array(
        fc.record({ openedAtSeconds: after, epsilonAfterMilli: fc.constantFrom(1_000, 1_001, NO_PRIVACY_CAP) }),
        { maxLength: 4 },
      ),
      attestations: fc.array(
        fc.record({ attestedAtSeconds: after, accuracyBps: fc.constantFrom(9_198, 9_199, 9_200) }),
        { maxLength: 8 },
      ),
    }),
    { maxLength: 2 },
  ),
  metricMaxAgeSeconds: fc.constant(MAX_AGE),
  nowSeconds: after,
});

/** The last record signed by now, as the law has it; written without history.ts. */
function lawNow(input: HistoryInput, scene: (typeof SCENE_IDS)[number]): boolean {
  const { nowSeconds, metricMaxAgeSeconds, tasks, entries } = input;
  const last = entries.at(-1);
  if (last === undefined) return false;
  const record = decodeRecord(last.record ?? new Uint8Array());
  const row = grantsOfRows({ ...rowsOfGrants(0n), [scene]: record.grants[scene] });
  if (row === 0n) return false;
  const expiry = Date.parse(record.validity.until) / 1000;
  const rule = { grants: row, conditions: { ...record.conditions, expiry, evidence: EVIDENCE[record.evidence] } };
  const requirement = { required: row, minEvidence: EVIDENCE.attested };
  const mine = tasks.filter((task) => task.scene === scene);
  const uses = mine.flatMap(({ rounds, attestations }) => {
    const opened = rounds.filter(({ openedAtSeconds }) => openedAtSeconds <= nowSeconds);
    const measured = attestations.filter(({ attestedAtSeconds }) => attestedAtSeconds <= nowSeconds);
    const newest = <T>(items: readonly T[], time: (item: T) => number) =>
      items.findLast((item) => time(item) === Math.max(...items.map(time)));
    const round = newest(opened, ({ openedAtSeconds }) => openedAtSeconds);
    const metric = newest(measured, ({ attestedAtSeconds }) => attestedAtSeconds);
    const counts = metric !== undefined && nowSeconds - metric.attestedAtSeconds <= metricMaxAgeSeconds;
    const accuracy = counts ? metric.accuracyBps : undefined;
    return round === undefined ? [] : [{ epsilonAfterMilli: round.epsilonAfterMilli, attestedAccuracyBps: accuracy }];
  });
  const idle = { epsilonAfterMilli: 0, attestedAccuracyBps: 10_000 };
  return (uses.length > 0 ? uses : [idle]).every((use) => evaluate(rule, { requirement, nowSeconds, ...use }).allow);
}

describe('any history', () => {
  test('ends with a grant in force exactly where the law allows the use', () => {
    fc.assert(
      fc.property(story, (input) => {
        const { standing } = consentHistory(input);
        for (const scene of SCENE_IDS.slice(0, 3)) {
          const status = standing.get(scene)?.status;
          expect(status === 'given' || status === 'modified').toBe(lawNow(input, scene));
        }
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  test('is in order, and what was told of the past stays told', () => {
    fc.assert(
      fc.property(story, fc.integer({ min: 0, max: 60 }), (input, days) => {
        const { events } = consentHistory(input);
        for (const [i, event] of events.entries()) {
          expect(event.atSeconds).toBeGreaterThanOrEqual(events[i - 1]?.atSeconds ?? 0);
          expect(event.atSeconds).toBeLessThanOrEqual(input.nowSeconds);
        }
        // the same log, read earlier: entries signed later were not there yet
        const nowSeconds = input.nowSeconds - days * DAY;
        const entries = input.entries.filter(
          ({ record }) => Date.parse(decodeRecord(record ?? new Uint8Array()).event.time) / 1000 <= nowSeconds,
        );
        const earlier = consentHistory({ ...input, nowSeconds, entries }).events;
        expect(events.filter(({ atSeconds }) => atSeconds < nowSeconds)).toEqual(
          earlier.filter(({ atSeconds }) => atSeconds < nowSeconds),
        );
      }),
      { seed: 2, numRuns: 200 },
    );
  });
});

test('whatever the facts, one step settles a grant, and the step is permitted', () => {
  const facts: fc.Arbitrary<Facts> = fc.record({
    nowSeconds: fc.integer({ min: 100, max: 105 }),
    attestedAccuracyBps: fc.constantFrom(undefined, 9_199, 9_200),
    epsilonAfterMilli: fc.constantFrom(1_000, 1_001),
  });
  const conditions = fc.record({
    expiry: fc.integer({ min: 99, max: 106 }),
    accuracyFloorBps: fc.constantFrom(0, 9_200),
    privacyCapMilli: fc.constantFrom(1_000, NO_PRIVACY_CAP),
    evidence: fc.constant(EVIDENCE.passkey),
  });
  fc.assert(
    fc.property(conditions, fc.array(facts, { minLength: 1, maxLength: 6 }), (own, timeline) => {
      const terms = { row: '+', conditions: own };
      let state: GrantState = advance(undefined, { kind: 'give', atSeconds: 99, terms });
      for (const now of [...timeline].sort((a, b) => a.nowSeconds - b.nowSeconds)) {
        const due = transitionDue(state, now);
        if (due !== undefined) state = advance(state, due);
        expect(transitionDue(state, now)).toBeUndefined();
      }
    }),
    { seed: 3, numRuns: 300 },
  );
});
