// The model that is meant, looked up on chain: the round's Published event, and what the chain says around it.
import type { EventOf, History } from '../../auditor/history.ts';
import { carriedOn, replay } from '../../auditor/replay.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ModelRecord } from '../../protocol/learning/export/manifest.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { readTask } from './documents.ts';
import type { ModelSource } from './source.ts';
import { type Chosen, chooseRound, chooseTask, type Wanted } from './wanted.ts';

/** @throws ConcordatError NOT_FOUND, CONFLICT */
export async function publishedModel(source: ModelSource, history: History, wanted: Wanted): Promise<Chosen> {
  const { rounds } = replay(history.events, undefined, carriedOn(history));
  const published = [...rounds.values()].flatMap((round) =>
    round.published ? [{ ...round, published: round.published }] : [],
  );
  const tasks: Task[] = [];
  for (const hash of new Set(published.map((round) => round.published.taskHash)))
    tasks.push(await readTask(source, hash));
  const task = chooseTask(tasks, wanted);
  const own = published.filter((round) => round.published.taskHash === task.hash);
  const number = chooseRound(
    own.map((round) => round.published.round),
    wanted,
  );
  const chosen = own.find((round) => round.published.round === number);
  if (!chosen) throw new ConcordatError('NOT_FOUND', `round ${number} published nothing`);
  const { opened, commits, finalised, published: event } = chosen;
  const dealers = (finalised?.dealers ?? []).map((address) => ({
    address,
    records: commits.get(address)?.weight ?? 0,
  }));
  const later = own.find((round) => round.opened.baseModelHash === event.modelHash && round.published.round > number);
  const costly = [...rounds.values()]
    .filter(({ opened, failed, finalised }) => opened.round <= number && (!failed || finalised))
    .map((round) => round.opened.taskHash);
  const record: ModelRecord = {
    round: number,
    chain: {
      checked: true,
      chainId: history.deployment.chainId,
      federation: history.deployment.federation,
      ledger: event.at.contract,
      transaction: event.at.transaction,
      block: event.at.block,
      timestamp: event.at.timestamp,
    },
    training: {
      roundsOfTask: own.filter((round) => round.published.round <= number).length,
      dealers,
      records: dealers.reduce((sum, { records }) => sum + records, 0),
    },
    privacy: await privacyOf(source, task, opened, costly),
    metrics: {
      ...(later && { model: measured(later.published, event.modelHash) }),
      base: measured(event, opened.baseModelHash),
    },
  };
  return { taskHash: task.hash, modelHash: event.modelHash, record };
}

const measured = ({ round, accuracyBps, aucBps }: EventOf<'Published'>, model: Hex) => ({
  round,
  model,
  accuracyBps,
  aucBps,
});

/** Each round states the epsilon over all tasks; deltas add up over the tasks that had a round by then. */
async function privacyOf(
  source: ModelSource,
  { privacy }: Task,
  { epsilonAfterMilli }: EventOf<'RoundOpened'>,
  taskHashes: readonly Hex[],
): Promise<ModelRecord['privacy']> {
  if (privacy.mode === 'none') return { mode: 'none' };
  let delta = 0;
  for (const hash of new Set(taskHashes)) {
    const { privacy: terms } = await readTask(source, hash);
    if (terms.mode === 'dp') delta += terms.delta;
  }
  const budget = { epsilon: privacy.epsilon, delta: privacy.delta };
  if (epsilonAfterMilli >= NO_PRIVACY_CAP) return { mode: 'dp', budget };
  return { mode: 'dp', budget, spent: { epsilon: epsilonAfterMilli / 1_000, delta } };
}
