// One candidate under one budget, on five folds of the training records.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { candidatesOf, taskOf } from './candidates.ts';
import { federated, type Quality } from './federation.ts';
import { type Fold, foldsOf } from './folds.ts';
import type { Job } from './jobs.ts';
import { type Example, folderOf, learningOf, recordsOf } from './material.ts';
import { mean } from './statistics.ts';

const DEALERS = 12;

const dealt = new Map<string, Promise<Fold[]>>();

function foldsFor(example: Example, repeat: number): Promise<Fold[]> {
  const seed = `choose/${repeat}`;
  const known = dealt.get(seed);
  if (known !== undefined) return known;
  const made = recordsOf(example).then(({ rows, contract }) => foldsOf(contract, rows, { dealers: DEALERS, seed }));
  dealt.set(seed, made);
  return made;
}

/** Means over the folds. */
export async function tryCandidate(job: Extract<Job, { kind: 'candidate' }>): Promise<Quality> {
  const { example, epsilon, repeat } = job;
  const candidate = candidatesOf(example, epsilon)[job.candidate];
  if (candidate === undefined) throw new RangeError(`no candidate ${job.candidate}`);
  const { contract } = await learningOf(example, candidate.file);
  const source = await readFile(path.join(folderOf(example), candidate.file), 'utf8');
  const task = taskOf(source, candidate, epsilon);
  const found: Quality[] = [];
  for (const [i, { shares, held }] of (await foldsFor(example, repeat)).entries()) {
    const seed = `choose/${repeat}/${i}/${job.candidate}/${epsilon}`;
    found.push(await federated({ task, contract }, shares, held, seed));
  }
  return { auc: mean(found.map(({ auc }) => auc)), hits: mean(found.map(({ hits }) => hits)) };
}
