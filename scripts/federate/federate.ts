// The main job, told in order: check, build, start, enrol, prove, learn, withdraw, learn on, compare, audit.
import { mkdir } from 'node:fs/promises';
import { connectFederation } from '../../engines/chain/connect.ts';
import { type Access, evaluate } from '../../protocol/consent/evaluate.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import { assembleReport } from './assemble.ts';
import { auditRun } from './audit.ts';
import { type DealersCustomers, pickWithdrawing } from './customers.ts';
import type { RunningFederation } from './federation.ts';
import type { Material } from './material.ts';
import { type FederateOptions, withdrawalAfter } from './options.ts';
import { type Comparison, compare } from './quality.ts';
import type { FederationReport, WithdrawalReport } from './report.ts';
import { coordinatorStatus, published } from './rounds.ts';
import { createRun, type Run, type Stoppable } from './run.ts';
import { checkData, compareSigned, enrol, learn, prepareCircuit, prove, startEverything, writeJson } from './stages.ts';
import { proveWithdrawal, type Withdrawal, withdraw } from './withdrawal.ts';

export interface FinishedRun {
  readonly report: FederationReport;
  readonly running: RunningFederation;
}

export async function federate(options: FederateOptions, started: Stoppable[]): Promise<FinishedRun> {
  const beganMs = performance.now();
  const run = createRun(options, started);
  await mkdir(options.out, { recursive: true });

  const material = await checkData(run);
  const artifacts = await prepareCircuit(run);
  const running = await startEverything(run, material, artifacts);
  const customers = await enrol(run, running);
  await prove(run, running);

  const { rounds } = material.task;
  const half = withdrawalAfter(rounds);
  await learn(run, running, 1, half ?? rounds);
  const leaving = half === undefined ? undefined : await withdrawOne(run, running, material, customers);
  if (half !== undefined) await learn(run, running, half + 1, rounds);

  const access = await accessOfLastRound(running, material);
  const comparison = await compareModels(run, running, material, customers, access, leaving);
  const withdrawal = leaving && half && (await proveLeaving(running, leaving, half));
  const witnesses = options.witnesses > 0 ? await compareSigned(run, running) : undefined;
  const audit = await run.step('audit', 'Audit from chain and transcript alone', async (s) => {
    const verdict = await auditRun(running, options);
    s.update(`${verdict.checks} checks, ${verdict.failed} failed`);
    return verdict;
  });

  run.timingsMs.total = performance.now() - beganMs;
  const report = await assembleReport(run, running, material, customers, access, comparison, {
    audit,
    witnesses,
    withdrawal: withdrawal || undefined,
  });
  await writeJson(run, 'report.json', report);
  return { report, running };
}

interface Leaving {
  readonly customers: DealersCustomers;
  readonly withdrawal: Withdrawal;
}

const withdrawOne = (
  run: Run,
  running: RunningFederation,
  material: Material,
  everyone: readonly DealersCustomers[],
): Promise<Leaving> =>
  run.step('withdrawal', 'A customer withdraws model-training', async (s) => {
    // covered whatever the metric says, so that this customer was in from round 1
    const access = accessAt(material, undefined);
    const customers = largest(everyone);
    const withdrawal = await withdraw(
      running,
      customers,
      pickWithdrawing(coveredBy(customers, access), run.options.seed),
    );
    s.update(`anchored after ${withdrawal.effectiveMs.toFixed(0)} ms; receipt verified against the chain`);
    return { customers, withdrawal };
  });

const proveLeaving = (running: RunningFederation, leaving: Leaving, after: number): Promise<WithdrawalReport> =>
  proveWithdrawal(running, leaving.customers, leaving.withdrawal, after);

function accessAt(
  material: Material,
  attestedAccuracyBps: number | undefined,
  epsilonAfterMilli = NO_PRIVACY_CAP,
): Access {
  return {
    requirement: requirementOfTask(material.task, material.contract),
    nowSeconds: Math.floor(Date.now() / 1000),
    attestedAccuracyBps,
    epsilonAfterMilli,
  };
}

/** The last round was committed under the accuracy attested by the round before it, and under its own epsilon. */
async function accessOfLastRound(running: RunningFederation, material: Material): Promise<Access> {
  const rounds = published(await coordinatorStatus(running.coordinator));
  const { ledger } = await connectFederation(running.chain.rpcUrl, running.federation);
  const last = await ledger.roundOf(rounds.at(-1)?.round ?? 0);
  return accessAt(material, rounds.at(-2)?.accuracyBps, last?.epsilonAfterMilli);
}

const coveredBy = ({ population }: DealersCustomers, access: Access): string[] =>
  [...population].filter(([, { policy }]) => evaluate(policy, access).allow).map(([customerId]) => customerId);

/** On the customers of the last round, so that everyone learns from the same people. */
const compareModels = (
  run: Run,
  running: RunningFederation,
  material: Material,
  customers: readonly DealersCustomers[],
  access: Access,
  leaving: Leaving | undefined,
): Promise<Comparison> =>
  run.step(
    'baselines',
    'The same customers in one place, and each dealer alone (computed here, for comparison)',
    async () => {
      const covered = customers.map(
        (dealers) => new Set(coveredBy(dealers, access).filter((id) => id !== leaving?.withdrawal.customerId)),
      );
      const last = published(await coordinatorStatus(running.coordinator)).at(-1);
      const expected = covered.reduce((sum, ids) => sum + ids.size, 0);
      if (last?.dealers === run.options.dealers && last.records !== expected) {
        const detail = `the last round used ${last.records} records, consent covers ${expected}`;
        throw new ConcordatError('STATE_CORRUPT', detail);
      }
      return compare(running, material, covered, run.options.seed);
    },
  );

function largest(customers: readonly DealersCustomers[]): DealersCustomers {
  const [first] = [...customers].sort((a, b) => b.population.size - a.population.size);
  if (first === undefined) throw new ConcordatError('NOT_FOUND', 'there is no dealer');
  return first;
}
