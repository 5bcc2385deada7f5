// The model that is meant, by the transcript alone: whoever has no chain at hand exports on the coordinator's word, and is told so.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ModelRecord } from '../../protocol/learning/export/manifest.ts';
import type { Task } from '../../protocol/learning/task.ts';
import type { Bundle } from '../../protocol/transcript/bundle.ts';
import type { EntryBody } from '../../protocol/transcript/entry.ts';
import { readTask } from './documents.ts';
import type { ModelSource } from './source.ts';
import { type Chosen, chooseRound, chooseTask, type Wanted } from './wanted.ts';

type Body<T extends EntryBody['type']> = Extract<EntryBody, { type: T }>;
type ModelEntry = Body<'model'>;

const NOT_ASKED = 'the model was taken from a transcript, and no chain was asked whether it was published';

/** @throws ConcordatError NOT_FOUND; CONFLICT when the transcript cannot tell whose model it is */
export async function transcribedModel(source: ModelSource, wanted: Wanted): Promise<Chosen> {
  const bundle = await source.bundle();
  const entries = bodies(bundle, 'model');
  const named = [...bodies(bundle, 'genesis'), ...bodies(bundle, 'task')];
  const owners = ownersOf(entries, named);
  const tasks: Task[] = [];
  for (const hash of new Set([...owners.values()].flat())) tasks.push(await readTask(source, hash));
  const task = chooseTask(tasks, wanted);
  const own = entries.filter(({ round }) => owners.get(round)?.includes(task.hash));
  const number = chooseRound(
    own.map(({ round }) => round),
    wanted,
  );
  const entry = own.find(({ round }) => round === number);
  if (!entry) throw new ConcordatError('NOT_FOUND', `the transcript has no model of round ${number}`);
  if (owners.get(number)?.length !== 1) throw doubtful(number);
  return { taskHash: task.hash, modelHash: entry.model, record: recordOf(task, entry, own) };
}

const bodies = <T extends EntryBody['type']>({ entries }: Bundle, type: T): Body<T>[] =>
  entries.flatMap(({ entry }) => (entry?.body.type === type ? [entry.body as Body<T>] : []));

/** An entry does not name its task; its line of base models begins with a task's first model, which tasks may share. */
function ownersOf(
  entries: readonly ModelEntry[],
  named: readonly { readonly task: Hex; readonly initialModel: Hex }[],
): ReadonlyMap<number, readonly Hex[]> {
  const byModel = new Map<Hex, readonly Hex[]>();
  for (const { task, initialModel } of named) byModel.set(initialModel, [...(byModel.get(initialModel) ?? []), task]);
  return new Map(
    entries.map(({ round, baseModel, model }) => {
      const owners = byModel.get(baseModel) ?? [];
      byModel.set(model, owners);
      return [round, owners];
    }),
  );
}

const doubtful = (round: number) =>
  new ConcordatError(
    'CONFLICT',
    `several tasks start from the same model, and the transcript does not say whose round ${round} is: give --rpc and --federation`,
    { round },
  );

function recordOf({ privacy }: Task, entry: ModelEntry, own: readonly ModelEntry[]): ModelRecord {
  const measured = ({ round, accuracyBps, aucBps }: ModelEntry, model: Hex) => ({ round, model, accuracyBps, aucBps });
  const later = own.find(({ round, baseModel }) => baseModel === entry.model && round > entry.round);
  return {
    round: entry.round,
    chain: { checked: false, why: NOT_ASKED },
    privacy:
      privacy.mode === 'dp'
        ? { mode: 'dp', budget: { epsilon: privacy.epsilon, delta: privacy.delta } }
        : { mode: 'none' },
    metrics: { ...(later && { model: measured(later, entry.model) }), base: measured(entry, entry.baseModel) },
  };
}
