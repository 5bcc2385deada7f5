// Asking the coordinator for rounds and watching them go by.
import type { CoordinatorStatus } from '../../coordinator/api/public.ts';
import type { RoundOutcome } from '../../coordinator/rounds/driver.ts';
import type { EdgeStatus } from '../../edge-node/api/status.ts';
import { requestJson } from '../../kit/http.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Node } from './federation.ts';
import type { RoundReport } from './report.ts';

const LOOK_EVERY_MS = 100;

export const coordinatorStatus = (node: Node) => requestJson<CoordinatorStatus>(`${node.url}/v1/status`);
export const edgeStatus = (node: Node) => requestJson<EdgeStatus>(`${node.url}/v1/status`);
export const published = (status: CoordinatorStatus): RoundOutcome[] =>
  status.rounds.filter((round) => round.status === 'published');

/** Runs until so many more rounds are published. @throws ConcordatError PROCESS_FAILED when the coordinator gives up */
export async function runRounds(
  coordinator: Node,
  rounds: number,
  onRound: (outcome: RoundOutcome) => void,
): Promise<void> {
  const before = published(await coordinatorStatus(coordinator)).length;
  await requestJson(`${coordinator.url}/v1/rounds`, {
    method: 'POST',
    headers: { authorization: `Bearer ${coordinator.token}` },
    body: JSON.stringify({ rounds }),
  });
  let seen = before;
  for (;;) {
    const status = await coordinatorStatus(coordinator);
    const done = published(status);
    for (const outcome of done.slice(seen)) onRound(outcome);
    seen = done.length;
    if (seen >= before + rounds) return;
    if (!status.running)
      throw new ConcordatError('PROCESS_FAILED', 'the coordinator stopped running rounds: see its log');
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
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
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** One line per round: what the coordinator timed, and how much of it was somebody training. */
export function roundReport(outcome: RoundOutcome, edges: readonly EdgeStatus[]): RoundReport {
  const training = edges.flatMap(({ rounds }) =>
    rounds.flatMap((r) => (r.took === 'part' && r.round === outcome.round ? [r.timingsMs.training] : [])),
  );
  const trainingMs = Math.max(0, ...training);
  const totalMs = Object.values(outcome.timingsMs).reduce((a, b) => a + b, 0);
  const { round, dealers, records, accuracyBps, aucBps, timingsMs } = outcome;
  return { round, dealers, records, accuracyBps, aucBps, timingsMs, trainingMs, overheadMs: totalMs - trainingMs };
}
