// From signed operations in hand to a selection admitted on chain, and what one customer's change costs after that.
import type { Submission } from '../../edge-node/consent/admission.ts';
import type { LiveSelection } from '../../edge-node/consent/selection.ts';
import type { Access } from '../../protocol/consent/evaluate.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import { type Spread, spreadOf } from '../secagg/measure.ts';
import type { BenchDealer } from './dealer.ts';

export interface ColdResult {
  readonly totalMs: number;
  /** Every signature and record checked by the dealer, and its log on disk. */
  readonly takeInMs: number;
  /** Anchors of 500 operations: the witness checks every signature again, rebuilds the trees, co-signs; on chain. */
  readonly anchorMs: number;
  readonly anchors: number;
  /** Proofs made in child processes, and admitted on chain. */
  readonly proveAndAdmitMs: number;
  /** Of that, until the last proof was made; the start of the processes included. */
  readonly proveMs: number;
  readonly proofs: number;
  readonly admitSelectionMs: number;
  readonly selection: LiveSelection;
}

export async function runCold(
  dealer: BenchDealer,
  submissions: readonly Submission[],
  access: Access,
  progress: (line: string) => void,
): Promise<ColdResult> {
  const started = performance.now();
  let lapStarted = started;
  const lap = (): number => {
    const ms = performance.now() - lapStarted;
    lapStarted += ms;
    return ms;
  };
  await takeIn(dealer, submissions);
  const takeInMs = lap();
  progress(`${submissions.length} operations checked and stored, ${seconds(takeInMs)}`);
  const { epoch } = await dealer.anchoring.flush();
  const anchorMs = lap();
  progress(`${epoch} anchors co-signed and on chain, ${seconds(anchorMs)}`);
  await dealer.selections.prepare(access);
  const proveAndAdmitMs = lap();
  const { proofs, proofMs } = dealer.selections.costs;
  progress(`${proofs} proofs made and admitted, ${seconds(proveAndAdmitMs)}`);
  const selection = await dealer.selections.ensure(access);
  const admitSelectionMs = lap();
  if (selection?.memberCount !== submissions.length) {
    throw new ConcordatError('STATE_CORRUPT', `the selection covers ${selection?.memberCount} customers`);
  }
  const totalMs = performance.now() - started;
  const result = { totalMs, takeInMs, anchorMs, anchors: epoch, proveAndAdmitMs, proveMs: proofMs, proofs };
  return { ...result, admitSelectionMs, selection };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

async function takeIn(dealer: BenchDealer, submissions: readonly Submission[]): Promise<void> {
  for (let from = 0; from < submissions.length; from += LIMITS.maxConsentOperationsPerRequest) {
    const part = submissions.slice(from, from + LIMITS.maxConsentOperationsPerRequest);
    for (const outcome of await dealer.book.submitAll(part)) if (!outcome.accepted) throw outcome.error;
  }
}

export interface ChangesResult {
  /** From the signed operation at the dealer's door until its anchor is mined. */
  readonly join: Spread;
  readonly withdrawal: Spread;
  readonly both: Spread;
  /** The selection after it, apart: a Merkle multiproof over all buckets. */
  readonly nextSelection: Spread;
  readonly proofs: number;
}

/** `joining` and `withdrawing` take turns; every one is anchored on its own. */
export async function runChanges(
  dealer: BenchDealer,
  joining: readonly Submission[],
  withdrawing: readonly Submission[],
  access: Access,
): Promise<ChangesResult> {
  const proofsBefore = dealer.selections.costs.proofs;
  const times = { join: [] as number[], withdrawal: [] as number[], selection: [] as number[] };
  const change = async (submission: Submission, into: number[]) => {
    const started = performance.now();
    await dealer.book.submit(submission);
    await dealer.anchoring.flush();
    const anchored = performance.now();
    await dealer.selections.ensure(access);
    into.push(anchored - started);
    times.selection.push(performance.now() - anchored);
  };
  for (const [i, submission] of joining.entries()) {
    await change(submission, times.join);
    const leaving = withdrawing[i];
    if (leaving !== undefined) await change(leaving, times.withdrawal);
  }
  return {
    join: spreadOf(times.join),
    withdrawal: spreadOf(times.withdrawal),
    both: spreadOf([...times.join, ...times.withdrawal]),
    nextSelection: spreadOf(times.selection),
    proofs: dealer.selections.costs.proofs - proofsBefore,
  };
}
