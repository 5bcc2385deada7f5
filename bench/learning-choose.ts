// Chooses settings of an example's tasks on five folds of its training records, and says what every candidate found.
// Run: npm run bench -- learning-choose coil2000|telco [repeats] [JSON file] [epsilons, 0 for none: 0,8,3,1]
// With a file that is there, the budgets that are not named stay as they are in it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type Candidate, candidatesOf, type Epsilon } from './learning/candidates.ts';
import type { Quality } from './learning/federation.ts';
import { type Job, runJobs } from './learning/jobs.ts';
import { exampleNamed } from './learning/material.ts';
import { deviation, mean } from './learning/statistics.ts';

const [name, repeats = '3', json, named = '0,8,3,1'] = process.argv.slice(2);
const example = exampleNamed(name);

const budgets: readonly Epsilon[] = named
  .split(',')
  .map(Number)
  .filter((epsilon) => candidatesOf(example, epsilon).length > 0);
const jobs = budgets.flatMap((epsilon) =>
  candidatesOf(example, epsilon).flatMap((_, candidate) =>
    Array.from({ length: Number(repeats) }, (_, repeat): Job & { kind: 'candidate' } => ({
      kind: 'candidate',
      example,
      candidate,
      epsilon,
      repeat,
    })),
  ),
);
let done = 0;
const answers = await runJobs<Quality>(jobs, 2, () => {
  done++;
  if (done % 10 === 0) console.error(`${done} of ${jobs.length}`);
});

interface Tried extends Candidate {
  readonly auc: number;
  readonly aucSpread: number;
  readonly hitsPerFold: number;
}

function triedAt(epsilon: Epsilon): Tried[] {
  return candidatesOf(example, epsilon).map((candidate, at) => {
    const mine = answers.filter((_, i) => jobs[i]?.epsilon === epsilon && jobs[i]?.candidate === at);
    const aucs = mine.map(({ auc }) => auc);
    const [auc, aucSpread] = [mean(aucs), deviation(aucs)].map((x) => Number(x.toFixed(4)));
    const hitsPerFold = Number(mean(mine.map(({ hits }) => hits)).toFixed(2));
    return { ...candidate, auc: auc ?? 0, aucSpread: aucSpread ?? 0, hitsPerFold };
  });
}

const result = {
  example,
  chosenBy: 'mean AUC over five folds of the training records; the hold-out was not looked at',
  notCounted: 'the choice itself looked at the same customers: no budget covers that',
  repeats: Number(repeats),
  budgets: budgets.map((epsilon) => {
    const tried = triedAt(epsilon).sort((a, b) => b.auc - a.auc);
    return { epsilon, chosen: tried[0], tried };
  }),
};
for (const { epsilon, tried } of result.budgets) {
  console.log(epsilon === 0 ? 'without a budget' : `epsilon ${epsilon}`);
  for (const { file, settings, clipNorm, rounds, auc, aucSpread, hitsPerFold } of tried.slice(0, 12)) {
    const shown = JSON.stringify({ clipNorm, rounds, ...settings });
    console.log(`  AUC ${auc.toFixed(4)} ± ${aucSpread.toFixed(4)}  ${hitsPerFold.toFixed(1)} hits  ${file} ${shown}`);
  }
}
if (json !== undefined) {
  const before: typeof result.budgets = existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')).budgets : [];
  const kept = before.filter(({ epsilon }) => !budgets.includes(epsilon));
  const all = { ...result, budgets: [...kept, ...result.budgets].sort((a, b) => a.epsilon - b.epsilon) };
  writeFileSync(json, `${JSON.stringify(all, undefined, 2)}\n`);
}
