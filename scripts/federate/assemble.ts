// Puts the report together from what the parties say of themselves.
import type { CoordinatorStatus } from '../../coordinator/api/public.ts';
import type { EdgeStatus } from '../../edge-node/api/status.ts';
import { summarisePopulation } from '../../examples/simulation/population.ts';
import type { Access } from '../../protocol/consent/evaluate.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { layoutOf, parameterCount } from '../../protocol/learning/model.ts';
import type { DealersCustomers } from './customers.ts';
import type { RunningFederation } from './federation.ts';
import type { Material } from './material.ts';
import type { Comparison } from './quality.ts';
import type { FederationReport } from './report.ts';
import { coordinatorStatus, edgeStatus, published, roundReport } from './rounds.ts';
import type { Run } from './run.ts';

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (total: number, count: number): number => (count === 0 ? 0 : Math.round(total / count));
const parts = (edges: readonly EdgeStatus[]) =>
  edges.flatMap(({ rounds }) => rounds.flatMap((round) => (round.took === 'part' ? [round] : [])));

export async function assembleReport(
  run: Run,
  running: RunningFederation,
  material: Material,
  customers: readonly DealersCustomers[],
  access: Access,
  comparison: Comparison,
  verdicts: Pick<FederationReport, 'audit' | 'witnesses' | 'withdrawal'>,
): Promise<FederationReport> {
  const { options, timingsMs } = run;
  const edges = await Promise.all(running.dealers.map(edgeStatus));
  const coordinator = await coordinatorStatus(running.coordinator);
  const rounds = published(coordinator);
  const rules = new Map(customers.flatMap(({ population }) => [...population]));
  const summary = summarisePopulation(rules, access);
  const proofs = sum(edges.map(({ costs }) => costs.proofs));
  const proofMs = sum(edges.map(({ costs }) => costs.proofMs));
  return {
    formatVersion: 1,
    example: options.data ?? options.example,
    title: material.task.title,
    seed: options.seed,
    dealers: options.dealers,
    keyHolders: { count: options.keyHolders, threshold: options.threshold },
    rounds: rounds.length,
    ...comparison,
    consent: {
      simulated: true,
      customers: summary.customers,
      policies: sum(edges.map(({ policies }) => policies)),
      covered: summary.covered,
      refusals: summary.refusedBecause,
    },
    roundDetails: rounds.map((outcome) => roundReport(outcome, edges)),
    timingsMs,
    bytesPerDealerPerRound: Math.max(0, ...parts(edges).map(({ bytes }) => bytes)),
    parameters: parameterCount(layoutOf(material.task, featureCount(material.contract))),
    proofs: {
      count: proofs,
      policies: sum(edges.map(({ costs }) => costs.provenPolicies)),
      totalMs: proofMs,
      meanMs: mean(proofMs, proofs),
    },
    gas: gasReport(running, edges, coordinator),
    ...verdicts,
  };
}

/** Mean gas per call; `total` is everything together. */
function gasReport(
  running: RunningFederation,
  edges: readonly EdgeStatus[],
  coordinator: CoordinatorStatus,
): Record<string, number> {
  const costs = edges.map((edge) => edge.costs);
  const admitPolicies = sum(costs.map(({ gas }) => gas.admitPolicies));
  const admitSelection = sum(costs.map(({ gas }) => gas.admitSelection));
  const anchors = sum(edges.map(({ anchorGas }) => anchorGas));
  const commits = parts(edges).map(({ gasUsed }) => gasUsed);
  const byCoordinator = Object.entries(coordinator.gas);
  return {
    admitPolicies: mean(admitPolicies, sum(costs.map(({ proofs }) => proofs))),
    admitSelection: mean(admitSelection, sum(costs.map(({ gas }) => gas.admittedSelections))),
    commit: mean(sum(commits), commits.length),
    ...Object.fromEntries(byCoordinator.map(([call, { total, count }]) => [call, mean(total, count)])),
    deployment: running.deployGas,
    total:
      running.deployGas +
      admitPolicies +
      admitSelection +
      anchors +
      sum(commits) +
      sum(byCoordinator.map(([, { total }]) => total)),
  };
}
