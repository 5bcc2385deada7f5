// Whether a report's verdict is that of the checks in it: a signer may have signed nonsense, or an audit of its own choice of checks.
import { judgePromise, type Report } from './verify.ts';

/** @param wanted numbers of the checks that every audit runs @returns what does not fit; undefined when all does */
export function contradictionIn(report: Report, wanted: readonly string[]): string | undefined {
  const { checks, checksRun, checksFailed, promises } = report;
  const ids = checks.map(({ id }) => id);
  const missing = wanted.filter((id) => !ids.includes(id));
  if (missing.length > 0) return `without check ${missing.join(', ')}`;
  if (new Set(ids).size !== ids.length) return 'with a check twice';
  if (checksRun !== checks.length) return `of ${checks.length} checks, and speaks of ${checksRun}`;
  const broken = checks.filter(({ verdict }) => verdict !== 'pass').length;
  if (checksFailed !== broken) return `in which ${broken} checks do not hold, and speaks of ${checksFailed}`;
  const empty = checks.find(
    ({ verdict, checked, failed, inconclusive, failures }) =>
      verdict === 'pass' && (checked === 0 || failed + inconclusive + failures.length > 0),
  );
  if (empty !== undefined) return `in which check ${empty.id} holds against its own figures`;
  const promise = promises.find((one) => judgePromise(one, checks).verdict !== one.verdict);
  return promise && `in which ${promise.id} is said to be ${promise.verdict}, and its checks say otherwise`;
}
