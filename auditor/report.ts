// A report for people: what each check looked at and what it means, then the promises, what nobody could verify, sizes and times.
import type { CheckReport, PromiseReport, Report, Subject, Verdict } from './verify.ts';

export const MARK: Readonly<Record<PromiseReport['verdict'], string>> = {
  pass: '✓',
  fail: '✗',
  inconclusive: '?',
  'not audited': '–',
};
const COLOUR: Readonly<Record<Verdict, string>> = {
  pass: '\u001b[32m',
  fail: '\u001b[31m',
  inconclusive: '\u001b[33m',
};
const RESET = '\u001b[0m';
const COLUMNS = 110;
/** A note with a line per round fills a screen: it is whole in the JSON and on the page. */
const NOTE_CHARACTERS = 560;

export interface TextOptions {
  /** Colours, for a terminal. */
  readonly colour: boolean;
}

export const reportJson = (report: object): string => `${JSON.stringify(report, undefined, 2)}\n`;

export function headerText(report: Subject): string {
  const { opened, published, failed } = report.rounds;
  return (
    `Audit of federation ${report.federation} on chain ${report.chainId}, up to block ${report.headBlock}\n` +
    `${opened} rounds opened, ${published} published, ${failed} failed\n`
  );
}

/** One check: a line, what it means when it holds, its note, and the failures. */
export function checkText(check: CheckReport, { colour }: TextOptions): string {
  const paint = (text: string): string => painted(text, check.verdict, colour);
  const lines = [`${paint(MARK[check.verdict])} ${check.id}  ${check.title}  (${countText(check)})`];
  if (check.verdict === 'pass') lines.push(...wrapped(check.meaning, '        '));
  if (check.note !== '') lines.push(`        [${shortened(check.note)}]`);
  for (const { what, expected, got } of check.failures) {
    lines.push(`      ${paint('-')} ${what}`);
    if (expected !== undefined) lines.push(`          expected  ${expected}`);
    if (got !== undefined) lines.push(`          got       ${got}`);
  }
  const unnamed = check.failed + check.inconclusive - check.failures.length;
  if (unnamed > 0) lines.push(`      ${paint('-')} … and ${unnamed} more`);
  return `${lines.join('\n')}\n`;
}

const painted = (text: string, verdict: PromiseReport['verdict'], colour: boolean): string =>
  colour && verdict !== 'not audited' ? `${COLOUR[verdict]}${text}${RESET}` : text;

export function countText({ checked, failed, inconclusive }: CheckReport): string {
  const wrong = [failed > 0 ? `${failed} failed` : '', inconclusive > 0 ? `${inconclusive} undecided` : ''];
  return [`${checked} checked`, ...wrong.filter((text) => text !== '')].join(', ');
}

const shortened = (note: string): string =>
  note.length <= NOTE_CHARACTERS ? note : `${note.slice(0, NOTE_CHARACTERS)} … and so on: see the JSON or the page`;

function wrapped(text: string, indent: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1] ?? '';
    if (last !== '' && indent.length + last.length + 1 + word.length > COLUMNS) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((line) => indent + line);
}

/** After the checks: the promises, what could not be verified and why, sizes and times, and the verdict as the last line. */
export function summaryText(report: Report, options: TextOptions = { colour: false }): string {
  return [
    'What that means\n',
    ...report.promises.map((promise) => promiseText(promise, options)),
    '\nWhat was not verified, and why\n',
    openText(report),
    `\n${sizesText(report)}\n`,
    verdictText(report),
  ].join('');
}

function promiseText({ id, title, says, checks, verdict }: PromiseReport, { colour }: TextOptions): string {
  const basis = checks.length === 0 ? 'no check of an audit' : `checks ${checks.join(', ')}`;
  const head = `${painted(MARK[verdict], verdict, colour)} ${id}  ${title}: ${SAID_OF_PROMISE[verdict]}  (${basis})`;
  return `${[head, ...wrapped(says, '        ')].join('\n')}\n`;
}

export const SAID_OF_PROMISE: Readonly<Record<PromiseReport['verdict'], string>> = {
  pass: 'kept, as far as public data show',
  fail: 'NOT shown to be kept: a check failed',
  inconclusive: 'undecided',
  'not audited': 'not a matter for an audit',
};

/** What a run could not decide, each with its reason. */
export function undecided({ checks }: Report): readonly { readonly id: string; readonly text: string }[] {
  return checks.flatMap(({ id, inconclusive, failures }) => {
    if (inconclusive === 0) return [];
    const named = failures.filter(({ what }) => what.startsWith('undecided: ') || what.startsWith('there was nothing'));
    const texts = named.map(({ what, got }) => (got === undefined ? what : `${what} (${got})`));
    const unnamed = inconclusive - texts.length;
    return [...texts, ...(unnamed > 0 ? [`${unnamed} more undecided`] : [])].map((text) => ({ id, text }));
  });
}

/** What a person should know of this history, although no check is about it. */
export function remarks({ chainId, timeline, rounds }: Report): readonly string[] {
  const noNoise = rounds.published > 0 && timeline.every(({ epsilonMilli }) => epsilonMilli === undefined);
  return [
    ...(chainId === DEVELOPMENT_CHAIN ? [ON_ONE_MACHINE] : []),
    ...(noNoise ? ['No round used differential privacy: no figure bounds what its models tell of a customer.'] : []),
  ];
}

/** The number of an embedded chain (anvil). */
const DEVELOPMENT_CHAIN = 31_337;
const ON_ONE_MACHINE =
  'The chain is a development chain (31337) on one machine: whoever runs it can make it say anything.';

function openText(report: Report): string {
  const inThisRun = undecided(report).flatMap(({ id, text }) => wrapped(`? ${id}  ${text}`, '  '));
  const decided = inThisRun.length > 0 ? inThisRun : ['  Nothing that this audit looks at was left undecided.'];
  const told = remarks(report).flatMap((text) => wrapped(text, '  '));
  const never = report.promises.flatMap(({ id, leavesOpen }) => wrapped(`${id}  ${leavesOpen}`, '  '));
  return `${[...decided, ...told, '  No audit of public data shows:', ...never].join('\n')}\n`;
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;

export function sizesText({ bundle, ms, checksRun }: Report): string {
  const read =
    bundle === undefined
      ? ''
      : `${bundle.files} files, ${(bundle.bytes / 1e6).toFixed(1)} MB, read in ${seconds(bundle.readMs)}; `;
  return `${read}${checksRun} checks in ${seconds(ms)}`;
}

function verdictText(report: Report): string {
  const broken = report.checks.filter(({ verdict }) => verdict !== 'pass');
  if (broken.length === 0) return `All ${report.checksRun} checks hold.\n`;
  const lines = broken.map(({ id, title, verdict }) => `${MARK[verdict]} ${id}  ${title}`);
  return `${report.checksFailed} of ${report.checksRun} checks do not hold:\n${lines.join('\n')}\n`;
}

export const reportText = (report: Report, options: TextOptions): string =>
  [headerText(report), ...report.checks.map((check) => checkText(check, options)), summaryText(report, options)].join(
    '',
  );
