// A task with a budget: what is refused when it is read, what its rounds cost, and who stops when it is spent.
import { expect, test, vi } from 'vitest';
import { openOrResume } from '../../coordinator/rounds/begin.ts';
import type { RoundParts } from '../../coordinator/rounds/parts.ts';
import { epsilonOfNextRound, requirePrivacy } from '../../edge-node/privacy/budget.ts';
import { createPrivacyLedger } from '../../edge-node/privacy/ledger.ts';
import { noiseOf } from '../../edge-node/privacy/noise.ts';
import { createEarlierRounds } from '../../engines/chain/earlier-rounds.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { createAccountant } from '../../protocol/learning/privacy/accountant.ts';
import { type EarlierRound, epsilonAfterNextRound } from '../../protocol/learning/privacy/ledger.ts';
import { type DenseModel, parseTask, type Task, type TaskDocument } from '../../protocol/learning/task.ts';
import { denseOf } from '../helpers/dense.ts';
import { BUDGET, fedSgdTask, ridgeTask, systemFill } from './privacy-world.ts';

const parse = (document: TaskDocument): Task => parseTask(JSON.stringify(document));
const OTHER: Hex = `0x${'77'.repeat(32)}`;
const task = parse(fedSgdTask());
const budgetOf = (document: Task) => {
  if (document.privacy.mode !== 'dp') throw new Error('no budget');
  return document.privacy;
};
const accountant = createAccountant(budgetOf(task), task.rounds);
const milli = (sums: number): number => accountant.epsilonMilliAfter(sums);

test('both strategies are read with a budget', () => {
  expect(task.privacy).toEqual(BUDGET);
  expect(parse(ridgeTask()).strategy.name).toBe('dp-ridge');
});

const FEDAVG = { name: 'fedavg', localEpochs: 1, batchSize: 8, learningRate: 0.01 } as const;
const model = (more: Partial<DenseModel>) => ({ ...denseOf(fedSgdTask()), ...more });

test.each<[string, TaskDocument, string]>([
  ['a budget without noise', fedSgdTask({}, { strategy: FEDAVG }), 'privacy.mode'],
  ['noise without a budget', fedSgdTask({}, { privacy: { mode: 'none' } }), 'privacy.mode'],
  ['more honest dealers than a round may have', fedSgdTask({ honestDealers: 4 }), 'privacy.honestDealers'],
  ['two clip norms', { ...fedSgdTask(), update: { ...fedSgdTask().update, clipNorm: 2 } }, 'update.clipNorm'],
  ['a budget that does not last', fedSgdTask({ epsilon: 0.4 }), 'privacy.noiseMultiplier'],
  ['another loss', fedSgdTask({}, { model: model({ loss: 'squared' }) }), 'model.loss'],
  ['ridge on a sample', ridgeTask({ samplingRate: 0.5 }), 'privacy.samplingRate'],
  ['ridge in two rounds', { ...ridgeTask(), rounds: 2 }, 'rounds'],
  ['ridge with a penalty of its own', { ...ridgeTask(), model: model({ loss: 'squared', l2: 1 }) }, 'model.l2'],
  [
    'ridge with weights',
    { ...ridgeTask(), model: model({ loss: 'squared', positiveWeight: 2 }) },
    'model.positiveWeight',
  ],
])('%s is refused', (_, document, path) => {
  expect(() => parse(document)).toThrow(expect.objectContaining({ code: 'TASK_INVALID', fields: { path } }));
});

test('what is advised instead is enough, and hardly more', () => {
  const advised = (document: TaskDocument): number => {
    try {
      parse(document);
    } catch (error) {
      return Number(/at least ([\d.]+)/.exec((error as Error).message)?.[1]);
    }
    return Number.NaN;
  };
  const enough = advised(fedSgdTask({ epsilon: 0.4 }));
  expect(enough).toBeGreaterThan(BUDGET.noiseMultiplier);
  expect(parse(fedSgdTask({ epsilon: 0.4, noiseMultiplier: enough })).rounds).toBe(10);
  expect(() => parse(fedSgdTask({ epsilon: 0.4, noiseMultiplier: enough * 0.995 }))).toThrow(/lasts 9 of 10 rounds/);
});

const spent = (count: number, more: Partial<EarlierRound> = {}): EarlierRound[] =>
  Array.from({ length: count }, (_, i) => ({
    taskHash: task.hash,
    epsilonAfterMilli: milli(i + 1),
    counts: true,
    ...more,
  }));

test('each round costs what the accountant says for one more', () => {
  for (let sums = 0; sums < 10; sums++) expect(epsilonAfterNextRound(task, spent(sums))).toBe(milli(sums + 1));
});

test('a round that never had a set is free; what a coordinator states of this task is not believed', () => {
  expect(epsilonAfterNextRound(task, [...spent(3), ...spent(5, { counts: false })])).toBe(milli(4));
  expect(epsilonAfterNextRound(task, spent(3, { epsilonAfterMilli: 0 }))).toBe(milli(4));
  // "no cap" as well: a coordinator could have as many sums as it likes, and average the noise away
  expect(epsilonAfterNextRound(task, spent(3, { epsilonAfterMilli: NO_PRIVACY_CAP }))).toBe(milli(4));
});

test('tasks add up; a task without a budget does not, for nobody with a cap was in it', () => {
  const other = { taskHash: OTHER, counts: true };
  const before = [{ ...other, epsilonAfterMilli: 500 }, ...spent(1, { epsilonAfterMilli: 500 + milli(1) })];
  expect(epsilonAfterNextRound(task, before)).toBe(500 + milli(2));
  const between = [...spent(1), { ...other, epsilonAfterMilli: milli(1) + 700 }];
  expect(epsilonAfterNextRound(task, between)).toBe(700 + milli(2));
  expect(epsilonAfterNextRound(task, [{ ...other, epsilonAfterMilli: NO_PRIVACY_CAP }])).toBe(milli(1));
});

test('the round that would pass the budget is refused, also after rounds that failed late', () => {
  const tight = parse(fedSgdTask({ epsilon: milli(10) / 1_000 }));
  const used = (count: number) => spent(count, { taskHash: tight.hash });
  expect(epsilonAfterNextRound(tight, used(9))).toBe(milli(10));
  const boasting = used(10).map((round) => ({ ...round, epsilonAfterMilli: NO_PRIVACY_CAP }));
  expect(() => epsilonAfterNextRound(tight, boasting)).toThrow(/PRIVACY_BUDGET_SPENT/);
  expect(() => epsilonAfterNextRound(tight, used(10))).toThrow(
    expect.objectContaining({ code: 'PRIVACY_BUDGET_SPENT' }),
  );
});

test('without a budget a round must say that it has none', async () => {
  const open = parse(fedSgdTask({}, { privacy: { mode: 'none' }, strategy: FEDAVG }));
  expect(epsilonAfterNextRound(open, [])).toBe(NO_PRIVACY_CAP);
  const parts = { task: open, earlierRounds: async () => [] };
  await requirePrivacy(1, { epsilonAfterMilli: NO_PRIVACY_CAP }, parts);
  // it would let in customers who set a cap
  await expect(requirePrivacy(1, { epsilonAfterMilli: 0 }, parts)).rejects.toMatchObject({
    code: 'PRIVACY_UNDERSTATED',
  });
});

test('a dealer takes part at the cost it computes or above, not a thousandth below', async () => {
  const parts = { task, earlierRounds: async (before: number) => spent(before - 1) };
  await requirePrivacy(4, { epsilonAfterMilli: milli(4) }, parts);
  await requirePrivacy(4, { epsilonAfterMilli: milli(4) + 1 }, parts);
  const below = requirePrivacy(4, { epsilonAfterMilli: milli(4) - 1 }, parts);
  await expect(below).rejects.toMatchObject({ code: 'PRIVACY_UNDERSTATED' });
});

/** A chain of rounds. */
function chainOf(rounds: readonly Partial<RoundRecord>[]) {
  const opened: { epsilonAfterMilli: number }[] = [];
  return {
    opened,
    roundCount: async () => rounds.length + opened.length,
    roundOf: vi.fn(async (round: number) => {
      const record = rounds[round - 1] ?? (round <= rounds.length + opened.length ? { status: 'open' } : undefined);
      return record && ({ taskHash: task.hash, epsilonAfterMilli: milli(round), ...record } as RoundRecord);
    }),
    lastModelOf: async () => undefined,
    openRound: async (opening: { epsilonAfterMilli: number }) => {
      opened.push(opening);
      return { round: rounds.length + opened.length, gasUsed: 0 };
    },
  };
}

const SET: Hex = `0x${'11'.repeat(32)}`;
const PUBLISHED = { status: 'published', setHash: SET } as const;
const EARLY = { status: 'failed', setHash: undefined } as const;
const LATE = { status: 'failed', setHash: SET } as const;

const partsOf = (ledger: ReturnType<typeof chainOf>, of = task) =>
  ({ ledger, task: of, chainNowSeconds: async () => 0, gas: () => undefined }) as unknown as RoundParts;

test('the coordinator opens a round with its cost: published rounds and late failures count, early failures do not', async () => {
  const ledger = chainOf([PUBLISHED, EARLY, LATE]);
  await openOrResume(partsOf(ledger), createEarlierRounds(ledger));
  expect(ledger.opened[0]?.epsilonAfterMilli).toBe(milli(3));
});

test('the coordinator stops when the budget is spent', async () => {
  const tight = parse(fedSgdTask({ epsilon: milli(10) / 1_000 }));
  const ledger = chainOf(Array.from({ length: 10 }, () => ({ ...PUBLISHED, taskHash: tight.hash })));
  const opening = openOrResume(partsOf(ledger, tight), createEarlierRounds(ledger));
  await expect(opening).rejects.toMatchObject({ code: 'PRIVACY_BUDGET_SPENT' });
  expect(ledger.opened).toHaveLength(0);
  const next = { task: tight, earlierRounds: createEarlierRounds(ledger), ledger };
  expect(await epsilonOfNextRound(next)).toBe(NO_PRIVACY_CAP);
});

test('an open round counts: two at once cannot both be free; rounds that are over are asked for once', async () => {
  const ledger = chainOf([PUBLISHED, { status: 'open', setHash: undefined }]);
  const earlier = createEarlierRounds(ledger);
  expect((await earlier(3)).map(({ counts }) => counts)).toEqual([true, true]);
  await earlier(3);
  expect(ledger.roundOf.mock.calls.map(([round]) => round)).toEqual([1, 2, 2]);
});

test('a customer has spent what their own rounds cost, less than the federation when they joined late', async () => {
  const ledger = chainOf([PUBLISHED, EARLY, PUBLISHED, LATE, { ...PUBLISHED, taskHash: OTHER }]);
  const usage = [1, 2, 3, 4, 5].map((round) => ({ round, used: round !== 1 }));
  const participations = { usageOf: async () => usage } as never;
  const privacy = await createPrivacyLedger({ task, participations, ledger }).of(SET);
  expect(privacy).toEqual({ rounds: [3, 4], epsilonMilli: milli(2), delta: 1e-5, budgetMilli: 8_000 });
  const open = parse(fedSgdTask({}, { privacy: { mode: 'none' }, strategy: FEDAVG }));
  expect(await createPrivacyLedger({ task: open, participations, ledger }).of(SET)).toBeUndefined();
});

test('a task without a budget gets no noise', () => {
  const open = parse(fedSgdTask({}, { privacy: { mode: 'none' }, strategy: FEDAVG }));
  expect(noiseOf(open, {} as DataContract, systemFill)).toBeUndefined();
});
