// Runs every numbered check over the evidence, always all of them, and says what was looked at and what was wrong.
import type { Hex } from '../protocol/bytes.ts';
import { PROTOCOL_VERSION } from '../protocol/params.ts';
import { bundleCheck } from './checks/01-bundle.ts';
import { transcriptCheck } from './checks/02-transcript.ts';
import { deploymentCheck } from './checks/03-deployment.ts';
import { membershipCheck } from './checks/04-membership.ts';
import { consentLogCheck } from './checks/05-consent-log.ts';
import { witnessesCheck } from './checks/06-witnesses.ts';
import { policyClaimsCheck } from './checks/07-policy-claims.ts';
import { selectionsCheck } from './checks/08-selections.ts';
import { commitmentsCheck } from './checks/09-commitments.ts';
import { setCheck } from './checks/10-set.ts';
import { uploadsCheck } from './checks/11-uploads.ts';
import { sumCheck } from './checks/12-sum.ts';
import { openingCheck } from './checks/13-opening.ts';
import { modelCheck } from './checks/14-model.ts';
import { metricsCheck } from './checks/15-metrics.ts';
import { taskCheck } from './checks/16-task.ts';
import { privacyCheck } from './checks/17-privacy.ts';
import { lineageCheck } from './checks/18-lineage.ts';
import { type Check, type CheckResult, messageOf } from './checks/check.ts';
import type { BundleSize, Evidence } from './evidence.ts';
import { eventsOf } from './history.ts';
import { plainText } from './plain-text.ts';
import { type FederationPromise, PROMISES } from './promises.ts';
import { type RoundLine, timelineOf } from './timeline.ts';

export const CHECKS: readonly Check[] = [
  bundleCheck,
  transcriptCheck,
  deploymentCheck,
  membershipCheck,
  consentLogCheck,
  witnessesCheck,
  policyClaimsCheck,
  selectionsCheck,
  commitmentsCheck,
  setCheck,
  uploadsCheck,
  sumCheck,
  openingCheck,
  modelCheck,
  metricsCheck,
  taskCheck,
  privacyCheck,
  lineageCheck,
];

export type Verdict = 'pass' | 'fail' | 'inconclusive';

export interface CheckReport extends CheckResult, Omit<Check, 'run'> {
  readonly verdict: Verdict;
  readonly ms: number;
}

/** What the checks come to, for one promise. */
export interface PromiseReport extends FederationPromise {
  /** Numbers of the checks that it rests on; without any, no audit shows it. */
  readonly checks: readonly string[];
  readonly verdict: Verdict | 'not audited';
}

/** What a report speaks about. */
export interface Subject {
  readonly federation: Hex;
  readonly chainId: number;
  /** The last block and the last transcript entry that were read. */
  readonly headBlock: number;
  readonly transcriptHead: Hex | undefined;
  readonly rounds: { readonly opened: number; readonly published: number; readonly failed: number };
}

export interface Report extends Subject {
  readonly formatVersion: 'concordat/1/audit-report';
  readonly protocolVersion: string;
  /** When the audit ended, unix seconds. */
  readonly madeAt: number;
  readonly ms: number;
  readonly bundle?: BundleSize;
  readonly promises: readonly PromiseReport[];
  readonly timeline: readonly RoundLine[];
  readonly checks: readonly CheckReport[];
  readonly checksRun: number;
  /** Checks that do not hold: those that failed, and those that could not decide. */
  readonly checksFailed: number;
}

/** Never throws: whatever goes wrong inside a check is that check's failure. */
export async function verify(
  evidence: Evidence,
  onCheck: (check: CheckReport) => void = () => undefined,
  checks: readonly Check[] = CHECKS,
): Promise<Report> {
  const startedMs = performance.now();
  const subject = subjectOf(evidence);
  const reports: CheckReport[] = [];
  for (const check of checks) {
    const report = await runTimed(check, evidence, subject.rounds.published > 0);
    reports.push(report);
    onCheck(report);
  }
  return {
    formatVersion: 'concordat/1/audit-report',
    protocolVersion: PROTOCOL_VERSION,
    ...subject,
    madeAt: Math.floor(Date.now() / 1_000),
    ms: since(startedMs),
    ...(evidence.bundleSize && { bundle: evidence.bundleSize() }),
    promises: PROMISES.map((promise) => judgePromise(promise, reports)),
    timeline: timelineOf(evidence.history),
    checks: reports,
    checksRun: reports.length,
    checksFailed: reports.filter(({ verdict }) => verdict !== 'pass').length,
  };
}

const since = (startedMs: number): number => Math.round(performance.now() - startedMs);

async function runTimed(check: Check, evidence: Evidence, somethingPublished: boolean): Promise<CheckReport> {
  const startedMs = performance.now();
  const { run: _, ...about } = check;
  return { ...about, ...plain(judge(await run(check, evidence), somethingPublished)), ms: since(startedMs) };
}

/** Names, reasons and texts of a history end up in these: whoever wrote them must not write on the auditor's terminal. */
function plain<T extends CheckResult>(result: T): T {
  const failures = result.failures.map(({ what, expected, got }) => ({
    what: plainText(what),
    ...(expected !== undefined && { expected: plainText(expected) }),
    ...(got !== undefined && { got: plainText(got) }),
  }));
  // every finding of a note, however many there are
  const note = result.note.split('; ').map(plainText).join('; ');
  return { ...result, failures, note };
}

/** No stronger than the weakest check that it rests on. */
export function judgePromise(promise: FederationPromise, reports: readonly CheckReport[]): PromiseReport {
  const own = reports.filter(({ promises }) => promises.includes(promise.id));
  const verdicts = own.map(({ verdict }) => verdict);
  const verdict = (['fail', 'inconclusive', 'pass'] as const).find((one) => verdicts.includes(one)) ?? 'not audited';
  return { ...promise, checks: own.map(({ id }) => id), verdict };
}

export function subjectOf({ history, bundle }: Evidence): Subject {
  const { deployment, events, headBlock } = history;
  const [opened, published, failed] = (['RoundOpened', 'Published', 'RoundFailed'] as const).map(
    (name) => eventsOf(events, name).length,
  ) as [number, number, number];
  return {
    federation: deployment.federation,
    chainId: deployment.chainId,
    headBlock,
    transcriptHead: bundle.entries.at(-1)?.hash,
    rounds: { opened, published, failed },
  };
}

async function run(check: Check, evidence: Evidence): Promise<CheckResult> {
  try {
    return await check.run(evidence);
  } catch (cause) {
    const failures = [{ what: 'the check broke off', got: messageOf(cause) }];
    return { checked: 1, failed: 1, inconclusive: 0, failures, note: '' };
  }
}

/** A published round leaves something to look at for every check; without one, there is nothing to say yes to either. */
function judge(result: CheckResult, somethingPublished: boolean): CheckResult & { readonly verdict: Verdict } {
  if (result.checked === 0) {
    const failures = [{ what: 'there was nothing to check', expected: 'at least one', got: '0' }];
    const counts = somethingPublished ? { failed: 1, inconclusive: 0 } : { failed: 0, inconclusive: 1 };
    return {
      verdict: somethingPublished ? 'fail' : 'inconclusive',
      checked: 0,
      ...counts,
      failures,
      note: result.note,
    };
  }
  return { verdict: result.failed > 0 ? 'fail' : result.inconclusive > 0 ? 'inconclusive' : 'pass', ...result };
}
