// A process of the learning benchmark: takes one job at a time and answers with its figures.
import { tryCandidate } from './candidate.ts';
import type { Job } from './jobs.ts';
import { runSeed } from './seed.ts';

process.on('message', async (job: Job) => {
  process.send?.(await (job.kind === 'seed' ? runSeed(job) : tryCandidate(job)));
});
