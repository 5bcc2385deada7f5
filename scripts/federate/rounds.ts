// Asking the coordinator for rounds and watching them go by.
import type { CoordinatorStatus } from '../../coordinator/api/public.ts';
import type { RoundOutcome } from '../../coordinator/rounds/driver.ts';
import type { EdgeStatus } from '../../edge-node/api/status.ts';
import { requestJson } from '../../kit/http.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Node } from './federation.ts';
import type { RoundReport } from './report.ts';

const LOOK_EVERY_MS = 100;
/** A party that was killed is started again; this long it may take to answer. */
const ABSENCE_MS = 60_000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @throws ConcordatError TIMED_OUT when the party stays away */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + ABSENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const away = error instanceof ConcordatError && error.code === 'TIMED_OUT';
      if (!away || performance.now() > giveUpAt) throw error;
      await wait(LOOK_EVERY_MS);
    }
  }
}

export const coordinatorStatus = (node: Node) =>
  patiently(() => requestJson<CoordinatorStatus>(`${node.url}/v1/status`));
export const edgeStatus = (node: Node) => patiently(() => requestJson<EdgeStatus>(`${node.url}/v1/status`));
export const published = (status: CoordinatorStatus): RoundOutcome[] =>
  status.rounds.filter((round) => round.status === 'published' && round.taskHash === status.taskHash);

async function askForRounds(coordinator: Node, rounds: number): Promise<void> {
  await requestJson(`${coordinator.url}/v1/rounds`, {
    method: 'POST',
    headers: { authorization: `Bearer ${coordinator.token}` },
    body: JSON.stringify({ rounds }),
  });
}

/** A coordinator that was started again goes on by itself; one that gave up is asked again, so often. */
const MAX_ASKS = 4;

/** Runs until so many more rounds are published. @throws ConcordatError PROCESS_FAILED when the coordinator gives up */
export async function runRounds(
  coordinator: Node,
  rounds: number,
  onRound: (outcome: RoundOutcome) => void,
): Promise<void> {
  const before = published(await coordinatorStatus(coordinator)).length;
  let seen = before;
  let asks = 0;
  for (;;) {
    const status = await coordinatorStatus(coordinator);
    const done = published(status);
    for (const outcome of done.slice(seen)) onRound(outcome);
    seen = done.length;
    if (seen >= before + rounds) return;
    if (!status.running) {
      asks += 1;
      if (asks > MAX_ASKS) throw new ConcordatError('PROCESS_FAILED', 'the coordinator runs no rounds: see its log');
      await patiently(() => askForRounds(coordinator, before + rounds - seen));
    }
    await wait(LOOK_EVERY_MS);
  }
}

/** Waits until every edge node has anchored, proven and selected. */
export async function untilReady(dealers: readonly Node[], onProgress: (text: string) => void): Promise<EdgeStatus[]> {
  for (;;) {
    const statuses = await Promise.all(dealers.map(edgeStatus));
    const proofs = statuses.reduce((sum, s) => sum + s.costs.proofs, 0);
    const ready = statuses.filter((s) => s.ready).length;
    onProgress(`${proofs} proofs, ${ready} of ${dealers.length} dealers ready`);
    if (ready === dealers.length) return statuses;
    await wait(LOOK_EVERY_MS);
  }
}

/** One line per round: what the coordinator timed, and how much of it was somebody training. */
export function roundReport(outcome: RoundOutcome, edges: readonly EdgeStatus[]): RoundReport {
  const training = edges.flatMap(({ rounds }) =>
    rounds.flatMap((r) => (r.took === 'part' && r.round === outcome.round ? [r.timingsMs.training] : [])),
  );
  const trainingMs = Math.max(0, ...training);
  const totalMs = Object.values(outcome.timingsMs).reduce((a, b) => a + b, 0);
  const { round, dealers, records, accuracyBps, aucBps, evaluation, timingsMs } = outcome;
  const measured = { accuracyBps, aucBps, ...(evaluation && { evaluation }) };
  return { round, dealers, records, ...measured, timingsMs, trainingMs, overheadMs: totalMs - trainingMs };
}
