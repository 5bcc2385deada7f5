// One seed of the learning benchmark: customers are dealt out once, and everything is learnt from the same dealing.
import { splitRows } from '../../examples/simulation/split.ts';
import type { Task } from '../../protocol/learning/task.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { centralised, examplesOf, localOnly } from '../../scripts/baseline.ts';
import { federated, type Quality, qualityOf } from './federation.ts';
import type { Job } from './jobs.ts';
import { type Example, type Learning, learningOf, recordsOf, rowsAt } from './material.ts';
import { PLANS, type Planned } from './plan.ts';
import { centralisedRidge } from './ridge.ts';

export const DEALERS = 12;
/** Concentration of the Dirichlet draws over the contract's partition field. */
export const ALPHA = 0.3;

export interface SeedFigures {
  readonly strategies: Readonly<Record<string, Quality>>;
  readonly dp: Readonly<Record<string, Quality>>;
  readonly centralised: Quality;
  readonly centralisedRidge: Quality | undefined;
  readonly localMean: Quality;
  readonly seconds: number;
  readonly holdOut: { readonly positives: number; readonly negatives: number };
}

const records = new Map<Example, ReturnType<typeof recordsOf>>();

function recordsFor(example: Example): ReturnType<typeof recordsOf> {
  const known = records.get(example) ?? recordsOf(example);
  records.set(example, known);
  return known;
}

/** SCAFFOLD's task names how many dealers there are. */
function withDealers(task: Task): Task {
  return 'dealers' in task.strategy ? { ...task, strategy: { ...task.strategy, dealers: DEALERS } } : task;
}

export async function runSeed({ example, seed: number }: Extract<Job, { kind: 'seed' }>): Promise<SeedFigures> {
  const started = performance.now();
  const { rows, contract } = await recordsFor(example);
  const seed = `learning/${number}`;
  const split = splitRows(contract, rows, { dealers: DEALERS, seed, alpha: ALPHA });
  const shares = split.dealers.map((places) => rowsAt(rows, places));
  const holdOut = rowsAt(rows, split.holdOut);

  const run = async (plans: readonly Planned[]) => {
    const figures: Record<string, Quality> = {};
    for (const { name, file, change = (same: Task) => same } of plans) {
      const { task, contract: own } = await learningOf(example, file);
      figures[name] = await federated({ task: withDealers(change(task)), contract: own }, shares, holdOut, seed);
    }
    return figures;
  };
  const strategies = await run(PLANS[example].strategies);
  const dp = await run(PLANS[example].dp);
  const baselines = await baselinesOf(await learningOf(example, 'task.yaml'), shares, holdOut, seed);
  const ridge = 'ridge' in strategies ? await learningOf(example, 'tasks/ridge.yaml') : undefined;
  const positives = [...examplesOf(contract, holdOut).labels].filter((label) => label === 1).length;
  return {
    strategies,
    dp,
    ...baselines,
    centralisedRidge: ridge && (await centralisedRidge(ridge, shares.flat(), holdOut)),
    seconds: (performance.now() - started) / 1_000,
    holdOut: { positives, negatives: holdOut.length - positives },
  };
}

async function baselinesOf(learning: Learning, shares: readonly Row[][], holdOut: readonly Row[], seed: string) {
  const { contract } = learning;
  const input = { ...learning, holdOut: examplesOf(contract, holdOut), seed };
  const central = await centralised(input, examplesOf(contract, shares.flat()));
  const local = await localOnly(
    input,
    shares.map((share) => examplesOf(contract, share)),
  );
  return {
    centralised: qualityOf(central),
    localMean: qualityOf({ auc: local.meanAuc, hits: local.meanHits }),
  };
}
