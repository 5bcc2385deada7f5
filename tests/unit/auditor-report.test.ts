// The report for people: what holds and what that means, what does not and by how much, and what was left undecided.
import { describe, expect, test } from 'vitest';
import { checkText, reportJson, reportText, summaryText } from '../../auditor/report.ts';
import { CHECKS } from '../../auditor/verify.ts';
import { badReport, checkReport, goodReport } from '../helpers/audit/small-report.ts';

test('a plain report, whole', () => {
  const { federation } = badReport;
  expect(reportText(badReport, { colour: false })).toBe(
    [
      `Audit of federation ${federation} on chain 7, up to block 99`,
      '3 rounds opened, 2 published, 1 failed',
      '✓ 01  Title 01  (3 checked)',
      '        Meaning of 01.',
      '        [a note]',
      '✗ 02  Title 02  (3 checked, 22 failed)',
      '      - the root',
      '          expected  0x1',
      '          got       0x2',
      '      - the head',
      '      - … and 20 more',
      '? 03  Title 03  (3 checked, 1 undecided)',
      '      - undecided: a proof',
      '          got       no calldata',
      'What that means',
      '✗ P3  Live consent: NOT shown to be kept: a check failed  (checks 02, 03)',
      '        It says.',
      '',
      'What was not verified, and why',
      '  ? 03  undecided: a proof (no calldata)',
      '  No audit of public data shows:',
      '  P3  It leaves open.',
      '',
      '12 files, 3.4 MB, read in 0.25 s; 3 checks in 1.50 s',
      '2 of 3 checks do not hold:',
      '✗ 02  Title 02',
      '? 03  Title 03',
      '',
    ].join('\n'),
  );
});

test('colours only for a terminal', () => {
  const check = checkReport('01', {});
  expect(checkText(check, { colour: false })).not.toContain('\u001b');
  expect(checkText(check, { colour: true })).toContain('\u001b[32m✓');
});

test('all well is said in the last line', () => {
  expect(summaryText(goodReport)).toMatch(/\nAll 1 checks hold\.\n$/);
});

test('a note with a line per round is cut in the text, and whole in the JSON', () => {
  const note = 'round 1: so much; '.repeat(100);
  expect(checkText(checkReport('01', { note }), { colour: false }).length).toBeLessThan(700);
  expect(JSON.parse(reportJson({ ...goodReport, checks: [checkReport('01', { note })] })).checks[0].note).toBe(note);
});

describe('the words of every check', () => {
  test.each(CHECKS.map((check) => [check.id, check] as const))('%s', (_, { meaning, cannot, promises }) => {
    expect(promises.length).toBeGreaterThan(0);
    // one or two sentences each
    for (const text of [meaning, cannot]) expect(text).toMatch(/^[A-Z].{30,330}\.$/);
  });
});
