// A report for people: one line per check, what it looked at, and every failure by name.
import type { CheckReport, Report, Subject, Verdict } from './verify.ts';

const MARK: Readonly<Record<Verdict, string>> = { pass: '✓', fail: '✗', inconclusive: '?' };
const COLOUR: Readonly<Record<Verdict, string>> = {
  pass: '\u001b[32m',
  fail: '\u001b[31m',
  inconclusive: '\u001b[33m',
};
const RESET = '\u001b[0m';

export interface TextOptions {
  /** Colours, for a terminal. */
  readonly colour: boolean;
}

export const reportJson = (report: Report): string => `${JSON.stringify(report, undefined, 2)}\n`;

export function headerText(report: Subject): string {
  const { opened, published, failed } = report.rounds;
  return (
    `Audit of federation ${report.federation} on chain ${report.chainId}, up to block ${report.headBlock}\n` +
    `${opened} rounds opened, ${published} published, ${failed} failed\n`
  );
}

/** One check: a line, its note, and under it the failures. */
export function checkText(check: CheckReport, { colour }: TextOptions): string {
  const paint = (text: string): string => (colour ? `${COLOUR[check.verdict]}${text}${RESET}` : text);
  const lines = [`${paint(MARK[check.verdict])} ${check.id}  ${check.title}  (${countText(check)})`];
  if (check.note !== '') lines.push(`        ${check.note}`);
  for (const { what, expected, got } of check.failures) {
    lines.push(`      ${paint('-')} ${what}`);
    if (expected !== undefined) lines.push(`          expected  ${expected}`);
    if (got !== undefined) lines.push(`          got       ${got}`);
  }
  const unnamed = check.failed + check.inconclusive - check.failures.length;
  if (unnamed > 0) lines.push(`      ${paint('-')} … and ${unnamed} more`);
  return `${lines.join('\n')}\n`;
}

function countText({ checked, failed, inconclusive }: CheckReport): string {
  const wrong = [failed > 0 ? `${failed} failed` : '', inconclusive > 0 ? `${inconclusive} undecided` : ''];
  return [`${checked} checked`, ...wrong.filter((text) => text !== '')].join(', ');
}

/** The last lines: a sum, and the checks that do not hold, by number. */
export function summaryText(report: Report): string {
  const broken = report.checks.filter(({ verdict }) => verdict !== 'pass');
  if (broken.length === 0) return `All ${report.checksRun} checks hold.\n`;
  const lines = broken.map(({ id, title, verdict }) => `${MARK[verdict]} ${id}  ${title}`);
  return `${report.checksFailed} of ${report.checksRun} checks do not hold:\n${lines.join('\n')}\n`;
}

export const reportText = (report: Report, options: TextOptions): string =>
  [headerText(report), ...report.checks.map((check) => checkText(check, options)), summaryText(report)].join('');
