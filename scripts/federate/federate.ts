// The main job, told in order: build, start, enrol, prove, learn, withdraw, learn on, compare, audit.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { connectFederation } from '../../engines/chain/connect.ts';
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { summarisePopulation } from '../../examples/coil2000/population.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import { createProgress, type Progress } from '../../kit/progress.ts';
import { type Access, evaluate } from '../../protocol/consent/evaluate.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { layoutOf, parameterCount } from '../../protocol/learning/model.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import { auditRun } from './audit.ts';
import { type DealersCustomers, inviteCustomers, pickWithdrawing, submit } from './customers.ts';
import { deploy, makeIdentities, type Node, type RunningFederation, startChain, startNodes } from './federation.ts';
import { prepareMaterial } from './material.ts';
import { type FederateOptions, withdrawalAfter } from './options.ts';
import { compare } from './quality.ts';
import type { FederationReport } from './report.ts';
import { coordinatorStatus, edgeStatus, published, roundReport, runRounds, untilReady } from './rounds.ts';
import { proveWithdrawal, type Withdrawal, withdraw } from './withdrawal.ts';

/** Anything started is pushed here first, so that whatever happens next can stop it. */
export interface Stoppable {
  stop(): Promise<void>;
}

export interface FinishedRun {
  readonly report: FederationReport;
  readonly running: RunningFederation;
}

export async function federate(options: FederateOptions, started: Stoppable[]): Promise<FinishedRun> {
  const progress = createProgress();
  const timingsMs: Record<string, number> = {};
  const beganMs = performance.now();
  const step = async <T>(name: string, title: string, run: Parameters<Progress['step']>[1]): Promise<T> => {
    const startedMs = performance.now();
    const result = (await progress.step(title, run)) as T;
    timingsMs[name] = (timingsMs[name] ?? 0) + performance.now() - startedMs;
    return result;
  };
  await mkdir(resolve(options.out), { recursive: true });

  const material = await step<Awaited<ReturnType<typeof prepareMaterial>>>(
    'data',
    'Check the data against its contract',
    async (s) => {
      const prepared = await prepareMaterial(options);
      const sizes = prepared.split.dealers.map((d) => d.length);
      s.update(
        `${sizes.reduce((a, b) => a + b, 0)} customers at ${sizes.length} dealers (${sizes.join(', ')}); ${prepared.split.holdOut.length} held out`,
      );
      return prepared;
    },
  );

  const artifacts = await step<Awaited<ReturnType<typeof preparePolicyCircuit>>>(
    'circuit',
    'Policy circuit: compile and set up',
    async (s) => {
      const prepared = await preparePolicyCircuit({
        cacheDir: options.cacheDir,
        onProgress: ({ stage, detail }) => s.update(`${stage} ${detail}`),
      });
      s.update(
        `${prepared.constraints.toLocaleString('en')} constraints; ${prepared.setup} setup, for the embedded chain only`,
      );
      return prepared;
    },
  );

  const running = await step<RunningFederation>('start', 'Chain, contracts and processes', async (s) => {
    const chain = await startChain(options);
    started.push(chain);
    s.update('contracts');
    const who = await makeIdentities(options);
    const { federation, gasUsed } = await deploy(chain, who, artifacts, material, options);
    let up = 0;
    const total = 1 + options.dealers + options.keyHolders;
    const nodes = await startNodes(
      chain,
      federation,
      who,
      artifacts,
      material,
      options,
      (node: Node) => {
        started.push(node);
        up += 1;
        s.update(`${up} of ${total} processes up`);
      },
      (text) => process.stderr.write(`${text}\n`),
    );
    await writeFileAtomic(
      join(options.out, 'federation.json'),
      JSON.stringify(
        {
          rpcUrl: chain.rpcUrl,
          chainId: chain.chainId,
          federation,
          bundle: 'coordinator/bundle',
          chainState: 'chain.json',
        },
        undefined,
        2,
      ),
    );
    s.update(
      `chain at ${chain.rpcUrl}, coordinator at ${nodes.coordinator.url}, ${options.dealers} edge nodes, ${options.keyHolders} key-holders`,
    );
    return { chain, federation, ...nodes, deployGas: gasUsed };
  });

  const customers = await step<DealersCustomers[]>(
    'enrolment',
    'Customers sign their rules (SIMULATED: this data has no consent)',
    async (s) => {
      const nowSeconds = Math.floor(Date.now() / 1000);
      const everyone = await Promise.all(
        running.dealers.map((dealer) => inviteCustomers(dealer, options.seed, nowSeconds)),
      );
      let signed = 0;
      await Promise.all(
        everyone.map(async ({ dealer, simulated }) => {
          const receipts = await submit(dealer, simulated.enrolments(), false);
          signed += receipts.length;
          s.update(`${signed} passkey signatures accepted`);
        }),
      );
      return everyone;
    },
  );

  await step('proofs', 'Consent anchored on chain, policies proven in zero knowledge', (s) =>
    untilReady(running.dealers, s.update),
  );

  const withdrawAfter = withdrawalAfter(options.rounds);
  const learn = (rounds: number, from: number) =>
    step('rounds', `Rounds ${from}–${from + rounds - 1}`, (s) =>
      runRounds(running.coordinator, rounds, ({ round, aucBps, records, timingsMs: t }) => {
        const ms = Object.values(t).reduce((a, b) => a + b, 0);
        s.line(`round ${round}: ${records} records, AUC before ${(aucBps / 10_000).toFixed(4)}, ${ms.toFixed(0)} ms`);
      }),
    );
  await learn(withdrawAfter ?? options.rounds, 1);
  const accessAt = async (): Promise<Access> => {
    const accuracy = published(await coordinatorStatus(running.coordinator)).at(-1)?.accuracyBps;
    return {
      requirement: requirementOfTask(material.task, material.contract),
      nowSeconds: Math.floor(Date.now() / 1000),
      attestedAccuracyBps: accuracy,
      epsilonAfterMilli: NO_PRIVACY_CAP,
    };
  };
  let withdrawal: Withdrawal | undefined;
  let leaving: DealersCustomers | undefined;
  if (withdrawAfter !== undefined) {
    withdrawal = await step<Withdrawal>('withdrawal', 'A customer withdraws model-training', async (s) => {
      const access = await accessAt();
      leaving = largest(customers);
      const covered = [...leaving.population]
        .filter(([, { policy }]) => evaluate(policy, access).allow)
        .map(([id]) => id);
      const done = await withdraw(running, leaving, pickWithdrawing(covered, options.seed));
      s.update(`anchored after ${done.effectiveMs.toFixed(0)} ms; receipt verified against the chain`);
      return done;
    });
    await learn(options.rounds - withdrawAfter, withdrawAfter + 1);
  }

  const outcomes = published(await coordinatorStatus(running.coordinator));
  // the last round was committed under the accuracy attested by the round before it
  const access = { ...(await accessAt()), attestedAccuracyBps: outcomes.at(-2)?.accuracyBps };
  const coveredNow = customers.map(
    ({ population }) =>
      new Set(
        [...population]
          .filter(([id, { policy }]) => evaluate(policy, access).allow && id !== withdrawal?.customerId)
          .map(([id]) => id),
      ),
  );
  const comparison = await step<Awaited<ReturnType<typeof compare>>>(
    'baselines',
    'The same customers in one place, and each dealer alone (simulation for comparison)',
    async () => {
      const coveredRecords = coveredNow.reduce((sum, ids) => sum + ids.size, 0);
      const last = outcomes.at(-1);
      const everyone = last?.dealers === options.dealers;
      if (everyone && last.records !== coveredRecords) {
        throw new ConcordatError(
          'STATE_CORRUPT',
          `the last round used ${last.records} records, consent covers ${coveredRecords}`,
        );
      }
      const chainModel = await lastModel(running, material.task.hash);
      return compare(material, coveredNow, running.coordinator.url, chainModel, options.seed);
    },
  );

  const withdrawn =
    withdrawal && leaving && withdrawAfter !== undefined
      ? await proveWithdrawal(running, leaving, withdrawal, withdrawAfter)
      : undefined;
  const audit = await step<FederationReport['audit']>('audit', 'Audit from chain and transcript alone', async (s) => {
    const verdict = await auditRun(running, options);
    s.update(`${verdict.checks} checks, ${verdict.failed} failed`);
    return verdict;
  });

  const [edges, coordinator] = await Promise.all([
    Promise.all(running.dealers.map(edgeStatus)),
    coordinatorStatus(running.coordinator),
  ]);
  const everyRule = new Map(customers.flatMap(({ population }) => [...population]));
  const summary = summarisePopulation(everyRule, access);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const proofs = sum(edges.map((e) => e.costs.proofs));
  const proofMs = sum(edges.map((e) => e.costs.proofMs));
  const sent = edges.flatMap((e) => e.rounds.flatMap((r) => (r.took === 'part' ? [r.bytes] : [])));
  const rounds = outcomes.map((outcome) => roundReport(outcome, edges));
  timingsMs.total = performance.now() - beganMs;
  const report: FederationReport = {
    formatVersion: 1,
    example: options.data ?? options.example,
    seed: options.seed,
    dealers: options.dealers,
    keyHolders: { count: options.keyHolders, threshold: options.threshold },
    rounds: outcomes.length,
    ...comparison,
    consent: {
      simulated: true,
      customers: summary.customers,
      policies: sum(edges.map((e) => e.policies)),
      covered: summary.covered,
      refusals: summary.refusedBecause,
    },
    roundDetails: rounds,
    timingsMs,
    bytesPerDealerPerRound: Math.max(0, ...sent),
    parameters: parameterCount(layoutOf(material.task, featureCount(material.contract))),
    proofs: {
      count: proofs,
      policies: sum(edges.map((e) => e.costs.provenPolicies)),
      totalMs: proofMs,
      meanMs: proofs === 0 ? 0 : proofMs / proofs,
    },
    gas: gasReport(running, edges, coordinator),
    audit,
    withdrawal: withdrawn,
  };
  await writeFileAtomic(join(options.out, 'report.json'), JSON.stringify(report, undefined, 2));
  return { report, running };
}

function largest(customers: readonly DealersCustomers[]): DealersCustomers {
  const [first] = [...customers].sort((a, b) => b.population.size - a.population.size);
  if (first === undefined) throw new ConcordatError('NOT_FOUND', 'there is no dealer');
  return first;
}

async function lastModel(running: RunningFederation, taskHash: `0x${string}`) {
  const { ledger } = await connectFederation(running.chain.rpcUrl, running.federation);
  const hash = await ledger.lastModelOf(taskHash);
  if (hash === undefined) throw new ConcordatError('NOT_FOUND', 'no model was published');
  return hash;
}

/** Mean gas per call, and everything together. */
function gasReport(
  running: RunningFederation,
  edges: readonly Awaited<ReturnType<typeof edgeStatus>>[],
  coordinator: Awaited<ReturnType<typeof coordinatorStatus>>,
): Record<string, number> {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const mean = (total: number, count: number) => (count === 0 ? 0 : Math.round(total / count));
  const admitPolicies = sum(edges.map((e) => e.costs.gas.admitPolicies));
  const admitSelection = sum(edges.map((e) => e.costs.gas.admitSelection));
  const anchors = sum(edges.map((e) => e.anchorGas));
  const commitGas = edges.flatMap((e) => e.rounds.flatMap((r) => (r.took === 'part' ? [r.gasUsed] : [])));
  const perCall = Object.fromEntries(
    Object.entries(coordinator.gas).map(([call, { total, count }]) => [call, mean(total, count)]),
  );
  return {
    admitPolicies: mean(admitPolicies, sum(edges.map((e) => e.costs.proofs))),
    admitSelection: mean(admitSelection, sum(edges.map((e) => e.costs.gas.admittedSelections))),
    commit: mean(sum(commitGas), commitGas.length),
    ...perCall,
    deployment: running.deployGas,
    total:
      running.deployGas +
      admitPolicies +
      admitSelection +
      anchors +
      sum(commitGas) +
      sum(Object.values(coordinator.gas).map(({ total }) => total)),
  };
}
