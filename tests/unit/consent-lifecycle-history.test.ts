// One customer's history from the log, the anchors, the attestations and the clock: every kind of event, at its second.
import { describe, expect, test } from 'vitest';
import { evaluate, freshAccuracy } from '../../protocol/consent/evaluate.ts';
import { grantsFor, withoutScene } from '../../protocol/consent/grants.ts';
import {
  type AnchorOnChain,
  consentHistory,
  type HistoryInput,
  type SignedRecord,
  type TaskOnChain,
} from '../../protocol/consent/history.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { NO_PRIVACY_CAP, type Policy } from '../../protocol/consent/policy.ts';
import { quarterStart } from '../../protocol/consent/quarter.ts';
import { customer, FLOORED, faultOf, NOTHING, NOW, type TestCustomer, TRAINING } from './consent-world.ts';

const MAX_AGE = 3_600;
const HOUR = 3_600;
const SCENE = 'lead-scoring';
const CAPPED: Policy = { ...FLOORED, conditions: { ...FLOORED.conditions, privacyCapMilli: 1_500 } };
const END = TRAINING.conditions.expiry;

const task = (change: Partial<TaskOnChain> = {}): TaskOnChain => ({
  scene: SCENE,
  rounds: [{ openedAtSeconds: NOW - HOUR, epsilonAfterMilli: 1_000 }],
  attestations: [{ attestedAtSeconds: NOW - HOUR, accuracyBps: 9_300 }],
  ...change,
});
const attested = (...pairs: readonly (readonly [seconds: number, accuracyBps: number])[]) => ({
  attestations: pairs.map(([after, accuracyBps]) => ({ attestedAtSeconds: NOW + after, accuracyBps })),
});

/** Signs policies at seconds after NOW; log indices have gaps, as other customers sign too. */
function signed(
  steps: readonly (readonly [secondsAfter: number, policy: Policy])[],
  who: TestCustomer = customer('anna'),
  firstIndex = 3,
): SignedRecord[] {
  return steps.map(([after, policy], i) => {
    const { record, operation } = who.submission(policy, { nowSeconds: NOW + after });
    return { logIndex: firstIndex + 10 * i, operation: decodeOperation(operation), record };
  });
}

const input = (change: Partial<HistoryInput>): HistoryInput => ({
  ...{ entries: [], anchors: [], tasks: [], metricMaxAgeSeconds: MAX_AGE, nowSeconds: NOW + 100_000 },
  ...change,
});
/** Events of the scene in play, short: "kind@seconds reason". */
const story = (change: Partial<HistoryInput>, scene = SCENE): string[] =>
  consentHistory(input(change))
    .events.filter((event) => event.scene === scene)
    .map(({ kind, atSeconds, suspension }) => `${kind}@${atSeconds - NOW}${suspension ? ` ${suspension.reason}` : ''}`);

describe('what the customer signs', () => {
  test('given, refused elsewhere, modified, withdrawn, given again', () => {
    const entries = signed([
      [0, TRAINING],
      [50, FLOORED],
      [100, NOTHING],
      [200, TRAINING],
    ]);
    expect(story({ entries })).toEqual(['given@0', 'modified@50', 'withdrawn@100', 'given@200']);
    expect(story({ entries }, 'marketing-messages')).toEqual(['refused@0']);
  });

  test('withdrawing one scene is no event of another', () => {
    const less = { ...TRAINING, grants: withoutScene(TRAINING.grants, SCENE) };
    const entries = signed([
      [0, TRAINING],
      [50, less],
    ]);
    expect(story({ entries })).toEqual(['given@0', 'withdrawn@50']);
    expect(story({ entries }, 'model-training')).toEqual(['given@0']);
  });

  test('expired at the second the quarter begins, given anew with a later end, withdrawn after the end', () => {
    const renewed = { ...TRAINING, conditions: { ...TRAINING.conditions, expiry: quarterStart(END, 4) } };
    const later = END - NOW + 500;
    const entries = signed([
      [0, TRAINING],
      [later, renewed],
    ]);
    const nowSeconds = END + 1_000;
    expect(story({ entries, nowSeconds })).toEqual(['given@0', `expired@${END - NOW}`, `given@${later}`]);
    expect(story({ entries: entries.slice(0, 1), nowSeconds: END - 1 })).toEqual(['given@0']);
    const gone = signed([
      [0, TRAINING],
      [later, NOTHING],
    ]);
    expect(story({ entries: gone, nowSeconds })).toEqual(['given@0', `expired@${END - NOW}`, `withdrawn@${later}`]);
  });

  test('an end that had passed when it was signed ends at once', () => {
    const past = { ...TRAINING, conditions: { ...TRAINING.conditions, expiry: quarterStart(NOW) } };
    expect(story({ entries: signed([[0, past]]) })).toEqual(['given@0', 'expired@0']);
  });

  test('each says where it stands in the log, and the first anchor over it', () => {
    const anchor = (epoch: number, operationCount: number): AnchorOnChain => {
      return { epoch, operationCount, anchoredAtSeconds: NOW + 1_000 * epoch };
    };
    // operation counts are numbers of entries: 3 entries are indices 0 to 2
    const anchors = [anchor(1, 3), anchor(2, 4), anchor(3, 13), anchor(4, 13)];
    const entries = signed([
      [0, TRAINING],
      [50, NOTHING],
    ]);
    const events = consentHistory(input({ entries, anchors })).events.filter(({ scene }) => scene === SCENE);
    expect(events.map(({ signed: source }) => source)).toEqual([
      { logIndex: 3, seq: 1, anchor: anchor(2, 4) },
      { logIndex: 13, seq: 2, anchor: undefined },
    ]);
  });

  test('a clock ahead of the chain, and a clock that went back, keep the order', () => {
    const entries = signed([
      [5_000, TRAINING],
      [10, FLOORED],
      [9_000, NOTHING],
    ]);
    const anchors = [{ epoch: 1, operationCount: 4, anchoredAtSeconds: NOW + 60 }];
    expect(story({ entries, anchors, nowSeconds: NOW + 500 })).toEqual(['given@60', 'modified@60', 'withdrawn@500']);
  });

  test('a withdrawal forced on chain counts from its anchor, without a record and with a number further on', () => {
    const entries = signed([
      [0, TRAINING],
      [10, FLOORED],
      [20, NOTHING],
    ]);
    const [given, , left] = entries;
    if (given === undefined || left === undefined) throw new Error('three entries were signed');
    const anchors = [{ epoch: 1, operationCount: left.logIndex + 1, anchoredAtSeconds: NOW + 90 }];
    // what was signed in between never reached the log: the old digest is the withdrawal's own business
    const forced = [given, { ...left, record: undefined }];
    expect(story({ entries: forced, anchors })).toEqual(['given@0', 'withdrawn@90']);
    expect(story({ entries: [given, left], anchors })).toEqual(['given@0', 'withdrawn@20']);
  });

  test('another device is another subject: its numbers begin anew', () => {
    const entries = [
      ...signed([
        [0, TRAINING],
        [50, NOTHING],
      ]),
      ...signed([[100, TRAINING]], customer('anna', undefined, 'second device'), 50),
    ];
    expect(story({ entries })).toEqual(['given@0', 'withdrawn@50', 'given@100']);
  });
});

describe('what time and metrics do', () => {
  test('suspended to the basis point under the floor, and resumed when the next measure meets it', () => {
    const tasks = [task(attested([-10, 9_200], [100, 9_199], [150, 9_000], [200, 9_200]))];
    expect(story({ entries: signed([[0, FLOORED]]), tasks, nowSeconds: NOW + 300 })).toEqual([
      'given@0',
      'suspended@100 accuracy-under-floor',
      'resumed@200',
    ]);
  });

  test('suspended in the first second at which the metric is too old', () => {
    const tasks = [task(attested([0, 9_300]))];
    const entries = signed([[0, FLOORED]]);
    expect(story({ entries, tasks, nowSeconds: NOW + MAX_AGE })).toEqual(['given@0']);
    const stale = `suspended@${MAX_AGE + 1} metric-stale`;
    for (const later of [1, 500]) {
      expect(story({ entries, tasks, nowSeconds: NOW + MAX_AGE + later })).toEqual(['given@0', stale]);
    }
    const again = [task(attested([0, 9_300], [MAX_AGE + 1, 9_300]))];
    // measured again in that very second: never frozen
    expect(story({ entries, tasks: again, nowSeconds: NOW + MAX_AGE + 1 })).toEqual(['given@0']);
  });

  test('a task never measured freezes who set a floor, from its first round', () => {
    const rounds = [{ openedAtSeconds: NOW + 40, epsilonAfterMilli: 0 }];
    const tasks = [task({ rounds, ...attested([90, 9_500]) })];
    const entries = signed([[0, FLOORED]]);
    const now = { nowSeconds: NOW + 100 };
    expect(story({ entries, tasks, ...now })).toEqual(['given@0', 'suspended@40 metric-stale', 'resumed@90']);
    // the scene it does not use is not touched, nor is a customer without a floor
    expect(story({ entries, tasks, ...now }, 'model-training')).toEqual(['given@0']);
    expect(story({ entries: signed([[0, TRAINING]], customer('bo')), tasks, ...now })).toEqual(['given@0']);
  });

  test('suspended by the round that would pass the cap, and thawed by a larger one', () => {
    const rounds = [1_500, 1_501].map((epsilonAfterMilli, i) => ({ openedAtSeconds: NOW + 10 + i, epsilonAfterMilli }));
    const tasks = [task({ rounds, ...attested([0, 9_300]) })];
    const wider = { ...CAPPED, conditions: { ...CAPPED.conditions, privacyCapMilli: NO_PRIVACY_CAP } };
    const entries = signed([
      [0, CAPPED],
      [50, wider],
    ]);
    expect(story({ entries, tasks, nowSeconds: NOW + 100 })).toEqual([
      ...['given@0', 'suspended@11 privacy-cap', 'modified@50'],
    ]);
  });

  test('a new reason is told, with the second the freeze began; withdrawn and expired end it', () => {
    const tasks = [task(attested([0, 9_100]))];
    const entries = signed([
      [0, FLOORED],
      [MAX_AGE + 50, NOTHING],
    ]);
    const { events } = consentHistory(input({ entries, tasks, nowSeconds: NOW + 2 * MAX_AGE }));
    const frozen = events.filter(({ kind }) => kind === 'suspended').map(({ suspension }) => suspension);
    expect(frozen).toEqual([
      { reason: 'accuracy-under-floor', sinceSeconds: NOW },
      { reason: 'metric-stale', sinceSeconds: NOW },
    ]);
    expect(story({ entries, tasks, nowSeconds: NOW + 2 * MAX_AGE }).at(-1)).toBe(`withdrawn@${MAX_AGE + 50}`);
    const left = story({ entries: entries.slice(0, 1), tasks, nowSeconds: END });
    expect(left.at(-1)).toBe(`expired@${END - NOW}`);
  });

  test('changed while frozen: modified, and frozen again at once when it still is in breach', () => {
    const tasks = [task(attested([0, 9_100]))];
    const lower = { ...FLOORED, conditions: { ...FLOORED.conditions, accuracyFloorBps: 9_150 } };
    const entries = signed([
      [0, FLOORED],
      [50, lower],
    ]);
    expect(story({ entries, tasks, nowSeconds: NOW + 100 })).toEqual([
      ...['given@0', 'suspended@0 accuracy-under-floor', 'modified@50', 'suspended@50 accuracy-under-floor'],
    ]);
  });

  test('of two tasks, one in breach is enough, and the second does not thaw what the first froze', () => {
    const good = task(attested([0, 9_900]));
    const bad = task(attested([100, 9_000], [200, 9_250]));
    for (const tasks of [
      [good, bad],
      [bad, good],
    ]) {
      expect(story({ entries: signed([[150, FLOORED]]), tasks, nowSeconds: NOW + 300 })).toEqual([
        ...['given@150', 'suspended@150 accuracy-under-floor', 'resumed@200'],
      ]);
    }
    const worse = [task(attested([100, 9_000])), task({ attestations: [] })];
    // two reasons at once: one is told, once
    expect(story({ entries: signed([[150, FLOORED]]), tasks: worse, nowSeconds: NOW + 300 })).toHaveLength(2);
  });
});

describe('the history', () => {
  test('is in order, ends now, and is the same however the chain lists its facts', () => {
    const entries = signed([
      [0, CAPPED],
      [50, FLOORED],
      [2_000, NOTHING],
      [3_000, TRAINING],
    ]);
    const shared = attested([-100, 9_300], [20, 9_000], [400, 9_250]);
    const tasks = [task(shared), task({ scene: 'model-training', ...shared })];
    const nowSeconds = NOW + 10_000;
    const { events, standing } = consentHistory(input({ entries, tasks, nowSeconds }));
    const times = events.map(({ atSeconds }) => atSeconds);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.max(...times)).toBeLessThanOrEqual(nowSeconds);
    const shuffled = tasks.map((one) => ({ ...one, attestations: [...one.attestations].reverse() }));
    const anchors = [
      { epoch: 2, operationCount: 99, anchoredAtSeconds: nowSeconds },
      { epoch: 1, operationCount: 99, anchoredAtSeconds: nowSeconds - 1 },
    ];
    const again = consentHistory(input({ entries, tasks: shuffled, nowSeconds, anchors }));
    expect(again.events.map(({ signed: _, ...event }) => event)).toEqual(
      events.map(({ signed: _, ...event }) => event),
    );
    expect(again.standing).toEqual(standing);
  });

  test('is empty before the first operation, and knows nothing of the future', () => {
    expect(consentHistory(input({ tasks: [task()] }))).toEqual({ events: [], standing: new Map() });
    const entries = signed([[0, FLOORED]]);
    const tasks = [task(attested([0, 9_300], [50, 9_000]))];
    expect(story({ entries, tasks, nowSeconds: NOW + 49 })).toEqual(['given@0']);
  });

  test('where it ends is what the law says of that moment', () => {
    const accuracies = [9_199, 9_200];
    for (const accuracyBps of accuracies) {
      for (const age of [MAX_AGE, MAX_AGE + 1]) {
        const nowSeconds = NOW + age;
        const tasks = [task(attested([0, accuracyBps]))];
        const { standing } = consentHistory(input({ entries: signed([[0, FLOORED]]), tasks, nowSeconds }));
        const metric = { accuracyBps, attestedAtSeconds: NOW };
        const decision = evaluate(FLOORED, {
          requirement: { required: grantsFor([SCENE], ['insurance']), minEvidence: 1 },
          nowSeconds,
          attestedAccuracyBps: freshAccuracy(metric, nowSeconds, MAX_AGE),
          epsilonAfterMilli: 1_000,
        });
        const state = standing.get(SCENE);
        expect(state?.status).toBe(decision.allow ? 'given' : 'suspended');
        if (!decision.allow) expect(state).toMatchObject({ reason: decision.reason });
      }
    }
  });
});

describe('refuses', () => {
  const [one, two] = signed([
    [0, TRAINING],
    [50, FLOORED],
  ]);
  if (one === undefined || two === undefined) throw new Error('two entries were signed');
  const [other] = signed([[0, FLOORED]]);
  test.each<[string, readonly SignedRecord[], string]>([
    ['another record than was signed', [{ ...one, record: other?.record ?? two.record }], 'STATE_CORRUPT'],
    ['a later record of the same subject', [{ ...one, record: two.record }], 'STATE_CORRUPT'],
    ['no record of what was granted', [{ ...one, record: undefined }], 'STATE_CORRUPT'],
    ['a first operation that is the second', [two], 'CONSENT_OPERATION_REFUSED seq'],
    ['one twice', [one, one], 'CONSENT_OPERATION_REFUSED seq'],
    ['the wrong order', [two, one], 'CONSENT_OPERATION_REFUSED seq'],
    ['a record that does not decode', [{ ...one, record: new Uint8Array(3) }], 'MESSAGE_MALFORMED'],
  ])('%s', async (_, entries, code) => {
    expect(await faultOf(() => consentHistory(input({ entries })))).toBe(code);
  });
});
