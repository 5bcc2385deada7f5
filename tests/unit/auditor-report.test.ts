// The report for people: what holds, what does not, and by how much.
import { expect, test } from 'vitest';
import { checkText, reportJson, reportText, summaryText } from '../../auditor/report.ts';
import type { CheckReport, Report } from '../../auditor/verify.ts';

const check = (id: string, more: Partial<CheckReport>): CheckReport => ({
  id,
  title: `Title ${id}`,
  verdict: 'pass',
  checked: 3,
  failed: 0,
  inconclusive: 0,
  failures: [],
  note: '',
  ...more,
});

const report: Report = {
  formatVersion: 'concordat/1/audit-report',
  protocolVersion: 'concordat/1',
  federation: '0xfe',
  chainId: 7,
  headBlock: 99,
  transcriptHead: '0xaa',
  rounds: { opened: 3, published: 2, failed: 1 },
  checks: [
    check('01', { note: 'a note' }),
    check('02', {
      verdict: 'fail',
      failed: 22,
      failures: [{ what: 'the root', expected: '0x1', got: '0x2' }, { what: 'the head' }],
    }),
    check('03', { verdict: 'inconclusive', inconclusive: 1, failures: [{ what: 'undecided: a proof' }] }),
  ],
  checksRun: 3,
  checksFailed: 2,
};

test('a plain report, whole', () => {
  expect(reportText(report, { colour: false })).toBe(
    [
      'Audit of federation 0xfe on chain 7, up to block 99',
      '3 rounds opened, 2 published, 1 failed',
      '✓ 01  Title 01  (3 checked)',
      '        a note',
      '✗ 02  Title 02  (3 checked, 22 failed)',
      '      - the root',
      '          expected  0x1',
      '          got       0x2',
      '      - the head',
      '      - … and 20 more',
      '? 03  Title 03  (3 checked, 1 undecided)',
      '      - undecided: a proof',
      '2 of 3 checks do not hold:',
      '✗ 02  Title 02',
      '? 03  Title 03',
      '',
    ].join('\n'),
  );
});

test('colours only for a terminal', () => {
  const [first] = report.checks;
  if (first === undefined) throw new Error('no check');
  expect(checkText(first, { colour: false })).not.toContain('\u001b');
  expect(checkText(first, { colour: true })).toContain('\u001b[32m✓');
});

test('all well is said in one line', () => {
  expect(summaryText({ ...report, checks: [check('01', {})], checksRun: 1, checksFailed: 0 })).toBe(
    'All 1 checks hold.\n',
  );
});

test('JSON carries the report as it is', () => {
  expect(JSON.parse(reportJson(report))).toEqual(report);
});
