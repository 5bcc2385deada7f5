// Check 17: the stated epsilon of every round, a thousandth off in either direction, and a budget that is passed.
import { beforeAll, describe, expect, test } from 'vitest';
import { modelCheck } from '../../auditor/checks/14-model.ts';
import { metricsCheck } from '../../auditor/checks/15-metrics.ts';
import { privacyCheck } from '../../auditor/checks/17-privacy.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { createAccountant } from '../../protocol/learning/privacy/accountant.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import { changeEvents, copyOf, evidenceOf, type RawEvidence } from '../helpers/audit/raw-evidence.ts';
import { taskText } from '../helpers/audit/small-task.ts';
import { roundsWithoutConsent } from '../helpers/audit/synthetic-federation.ts';
import { BUDGET } from './privacy-world.ts';

const PLANNED = 2;
const accountant = createAccountant(BUDGET, PLANNED);
const COSTS = [1, 2].map(accountant.epsilonMilliAfter);

function historyOf(epsilon: number, rounds: number): Promise<RawEvidence> {
  const text = canonicalJson({
    ...JSON.parse(taskText),
    rounds: PLANNED,
    strategy: {
      name: 'dp-fedsgd',
      learningRate: 0.5,
      momentum: 0,
      averageDecay: 0.5,
      sumRange: 16,
      evaluationShare: 0.5,
    },
    privacy: { ...BUDGET, epsilon },
  });
  return roundsWithoutConsent(parseTask(text), text, rounds);
}

function stating(raw: RawEvidence, costs: readonly number[]): RawEvidence {
  const copy = copyOf(raw);
  changeEvents(copy, 'RoundOpened', ({ round }) => ({ epsilonAfterMilli: costs[round - 1] ?? 0 }));
  return copy;
}

const run = async (raw: RawEvidence) => privacyCheck.run(await evidenceOf(raw));

describe('two rounds of dp-fedsgd', () => {
  let raw: RawEvidence;
  beforeAll(async () => {
    raw = await historyOf(8, 2);
  });

  test('with their costs stated hold, and the note says what was spent', async () => {
    const { checked, failed, inconclusive, note } = await run(stating(raw, COSTS));
    expect([checked, failed, inconclusive]).toEqual([2, 0, 0]);
    expect(note).toBe(`(${(COSTS[1] ?? 0) / 1_000}, 0.00001) per customer after 2 rounds, of 8`);
  });
  test('a thousandth less, or more, does not', async () => {
    for (const off of [-1, 1]) {
      for (const wrong of [0, 1]) {
        const stated = COSTS.map((cost, i) => (i === wrong ? cost + off : cost));
        expect((await run(stating(raw, stated))).failed).toBe(1);
      }
    }
  });
  test('a round whose set was fixed counts although it failed; one that failed before does not', async () => {
    const [first = 0] = COSTS;
    const without = (raw: RawEvidence, names: readonly string[]): RawEvidence => {
      const events = raw.history.events.filter(
        (event) => !('round' in event && event.round === 1 && names.includes(event.name)),
      );
      const at = events.findIndex((event) => event.name === 'RoundOpened' && event.round === 2);
      const opened = events[at];
      if (opened === undefined) throw new Error('no second round');
      const failed = { name: 'RoundFailed', round: 1, reason: 'given up', at: opened.at } as const;
      return { ...raw, history: { ...raw.history, events: [...events.slice(0, at), failed, ...events.slice(at)] } };
    };
    expect((await run(without(stating(raw, COSTS), ['Published']))).failed).toBe(0);
    expect((await run(without(stating(raw, COSTS), ['Published', 'SetFinalised']))).failed).toBe(1);
    expect((await run(without(stating(raw, [first, first]), ['Published', 'SetFinalised']))).failed).toBe(0);
  });
  test('models and metrics are recomputed from the noisy sums', async () => {
    const evidence = await evidenceOf(raw);
    expect((await modelCheck.run(evidence)).failures).toEqual([]);
    expect((await metricsCheck.run(evidence)).failures).toEqual([]);
  });
});

test('a round beyond the budget fails, whatever it states', async () => {
  const budget = (COSTS[1] ?? 0) / 1_000;
  const raw = await historyOf(budget, 3);
  expect((await run(stating(raw, [...COSTS, accountant.epsilonMilliAfter(3)]))).failed).toBe(1);
});
