// The rounds as a report tells them, and what the checks come to for a promise: no stronger than the weakest of them.
import { beforeAll, expect, test } from 'vitest';
import type { Check } from '../../auditor/checks/check.ts';
import { timelineOf } from '../../auditor/timeline.ts';
import { verify } from '../../auditor/verify.ts';
import { changeEvents, copyOf, evidenceOf, type RawEvidence, theEvent } from '../helpers/audit/raw-evidence.ts';
import { DEALERS, syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

let raw: RawEvidence;
beforeAll(async () => {
  raw = await syntheticFederation();
});

test('who was added up, and who had committed and was left out', () => {
  const lines = timelineOf(raw.history);
  const addresses = DEALERS.map(({ address }) => address);
  expect(lines.map(({ status }) => status)).toEqual(['published', 'published']);
  expect(lines.map(({ dealers }) => dealers.map(({ dealer }) => dealer))).toEqual([addresses, addresses.slice(0, 3)]);
  expect(lines.map(({ leftOut }) => leftOut)).toEqual([[], addresses.slice(3)]);
  // three of five without a floor in the first round; in the second all, but for one who withdrew
  expect(lines.map(({ dealers }) => dealers.map(({ weight }) => weight))).toEqual([
    [3, 3, 3, 3],
    [4, 5, 5],
  ]);
  expect(lines.every(({ epsilonMilli }) => epsilonMilli === undefined)).toBe(true);
});

test('a weight is that of the last commit before the set, whatever is committed after it', () => {
  const copy = copyOf(raw);
  const { dealer } = theEvent(copy, 'Committed');
  const late = { ...theEvent(copy, 'Committed'), attempt: 9, weight: 999 };
  copy.history = { ...copy.history, events: [...copy.history.events, late] };
  expect(timelineOf(copy.history)[0]?.dealers.find((one) => one.dealer === dealer)?.weight).toBe(3);
});

test('a round without a set names nobody, and an epsilon is told as stated', () => {
  const copy = copyOf(raw);
  const { at } = theEvent(copy, 'RoundOpened', ({ round }) => round === 2);
  const events = copy.history.events.filter(({ name }) => name !== 'SetFinalised' && name !== 'Published');
  copy.history = { ...copy.history, events: [...events, { name: 'RoundFailed', at, round: 2, reason: 'too few' }] };
  changeEvents(copy, 'RoundOpened', () => ({ epsilonAfterMilli: 1_250 }));
  const [first, second] = timelineOf(copy.history);
  expect([first?.status, first?.dealers, first?.leftOut.length]).toEqual(['under way', [], 4]);
  expect([second?.status, second?.reason, second?.epsilonMilli]).toEqual(['failed', 'too few', 1_250]);
});

test('one failed check is enough to break a promise, an undecided one to leave it open; none at all is not audited', async () => {
  const check = (id: string, run: Pick<Awaited<ReturnType<Check['run']>>, 'failed' | 'inconclusive'>): Check => ({
    id,
    title: id,
    promises: id === '01' ? ['P1', 'P2', 'P3'] : id === '02' ? ['P2', 'P3'] : ['P3'],
    meaning: 'It holds.',
    cannot: 'Anything else.',
    run: async () => ({ checked: 1, ...run, failures: [], note: '' }),
  });
  const report = await verify(await evidenceOf(raw), undefined, [
    check('01', { failed: 0, inconclusive: 0 }),
    check('02', { failed: 0, inconclusive: 1 }),
    check('03', { failed: 1, inconclusive: 0 }),
  ]);
  expect(report.promises.slice(0, 4).map(({ verdict }) => verdict)).toEqual([
    'pass',
    'inconclusive',
    'fail',
    'not audited',
  ]);
});
