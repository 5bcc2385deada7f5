// How verdicts come about: nothing passes that was not looked at, and nothing stops the rest from being looked at.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Check, createTally } from '../../auditor/checks/check.ts';
import type { Evidence } from '../../auditor/evidence.ts';
import { checkText } from '../../auditor/report.ts';
import { CHECKS, verify } from '../../auditor/verify.ts';
import { evidenceOf, type RawEvidence } from '../helpers/audit/raw-evidence.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

let raw: RawEvidence;
let evidence: Evidence;
beforeAll(async () => {
  raw = await syntheticFederation();
  evidence = await evidenceOf(raw);
});

const WORDS = { promises: [], meaning: 'It holds.', cannot: 'Anything else.' };
const check = (id: string, run: Check['run']): Check => ({ id, title: `check ${id}`, ...WORDS, run });

const withoutPublications = async (): Promise<Evidence> => {
  const { history, files } = raw;
  return evidenceOf({
    history: { ...history, events: history.events.filter(({ name }) => name !== 'Published') },
    files,
  });
};

describe('the checks', () => {
  test('are the numbered files, in order, each under its own number; 19 needs an earlier audit', () => {
    const folder = fileURLToPath(new URL('../../auditor/checks/', import.meta.url));
    const numbers = readdirSync(folder).flatMap((name) => /^(\d\d)-/.exec(name)?.[1] ?? []);
    expect([...CHECKS.map(({ id }) => id), '19']).toEqual(numbers.sort());
  });

  test('each find nothing in an empty history, and none calls that a pass', async () => {
    const { deployment } = raw.history;
    const empty = await evidenceOf({ history: { deployment, events: [], headBlock: 0 }, files: new Map() });
    const report = await verify(empty);
    expect(report.checks.filter(({ verdict }) => verdict === 'pass')).toEqual([]);
    expect(report.checksFailed).toBe(CHECKS.length);
  });
});

describe('a verdict', () => {
  test('an exception inside a check is its failure, and the next check still runs', async () => {
    const report = await verify(evidence, undefined, [
      check('01', () => Promise.reject(new Error('lost my footing'))),
      check('02', async () => {
        const tally = createTally();
        tally.holds('one', true);
        return tally.result();
      }),
    ]);
    expect(report.checks.map(({ verdict }) => verdict)).toEqual(['fail', 'pass']);
    expect(report.checks[0]?.failures[0]?.got).toBe('lost my footing');
  });

  test('what a history says cannot write on the terminal of whoever audits it', async () => {
    const evil = '\u001b[2J\u001b[32m✓\r\nAll 18 checks hold.\u202e\u2028';
    const report = await verify(evidence, undefined, [
      check('01', async () => {
        const tally = createTally();
        tally.same(evil, evil, 'x');
        return tally.result(`pages of ${evil}`);
      }),
    ]);
    const text = report.checks.map((one) => checkText(one, { colour: false })).join('');
    for (const unseen of ['\u001b', '\r', '\u202e', '\u2028']) expect(text).not.toContain(unseen);
    expect(text).not.toMatch(/^All 18/m);
    expect(text).toContain('\\u{1b}[2J');
  });

  test('undecided is not a pass', async () => {
    const report = await verify(evidence, undefined, [
      check('01', async () => {
        const tally = createTally();
        tally.holds('one', true);
        tally.unsure('two', 'nobody knows');
        return tally.result();
      }),
    ]);
    expect(report.checks[0]).toMatchObject({ verdict: 'inconclusive', checked: 2, failed: 0, inconclusive: 1 });
    expect(report.checksFailed).toBe(1);
  });

  test('nothing looked at is a failure once a round was published, and undecided before', async () => {
    const nothing = check('01', async () => createTally().result());
    const after = await verify(evidence, undefined, [nothing]);
    const before = await verify(await withoutPublications(), undefined, [nothing]);
    expect(after.checks[0]?.verdict).toBe('fail');
    expect(before.checks[0]?.verdict).toBe('inconclusive');
  });

  test('the report says what it speaks about', async () => {
    const report = await verify(evidence, undefined, []);
    expect(report).toMatchObject({
      formatVersion: 'concordat/1/audit-report',
      protocolVersion: 'concordat/1',
      chainId: 31_337,
      headBlock: raw.history.headBlock,
      rounds: { opened: 2, published: 2, failed: 0 },
      checksRun: 0,
      checksFailed: 0,
    });
    expect(report.transcriptHead).toBe(evidence.bundle.entries.at(-1)?.hash);
  });
});

describe('a tally', () => {
  test('names the first failures and counts them all', () => {
    const tally = createTally();
    for (let i = 0; i < 50; i++) tally.same(`thing ${i}`, i, -1);
    const result = tally.result('note');
    expect(result).toMatchObject({ checked: 50, failed: 50, note: 'note' });
    expect(result.failures).toHaveLength(20);
    expect(result.failures[0]).toEqual({ what: 'thing 0', expected: '-1', got: '0' });
  });

  test('to have what is needed is nothing checked; not to have it is a failure', async () => {
    const tally = createTally();
    expect(await tally.needs('there', () => 1)).toBe(1);
    expect(tally.result().checked).toBe(0);
    expect(await tally.needs('not there', () => Promise.reject(new Error('gone')))).toBeUndefined();
    expect(tally.result()).toMatchObject({ checked: 1, failed: 1, failures: [{ what: 'not there', got: 'gone' }] });
  });
});
