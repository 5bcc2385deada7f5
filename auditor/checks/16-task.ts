// 16: every round is of a task that the transcript names: its hash, what it asks of customers, its first model, and a seed
// nobody chose.
import { concatBytes, fromHex, keccak256, toHex, uintToBytes } from '../../protocol/bytes.ts';
import { requirementKey, splitGrants } from '../../protocol/consent/policy.ts';
import { encodeModel, initialModel, modelHash } from '../../protocol/learning/model.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import type { Evidence } from '../evidence.ts';
import { type ChainEvent, type EventOf, eventsOf } from '../history.ts';
import { type ChainState, carriedOn, replay } from '../replay.ts';
import { type NamedTask, readTasks, type TaskFacts, type Tasks } from '../tasks.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const taskCheck: Check = {
  id: '16',
  title: 'Every round is of a published task, asks what that task needs, and starts from the right model',
  promises: ['P3', 'P6'],
  meaning:
    'Every round did what a published task says: with its model, its recipe and the permissions it needs, from the right starting point, with randomness that nobody chose.',
  cannot: 'What became of a model outside the federation, and whether it is used for the purpose that the task names.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    if (tasks === undefined) return tally.result();
    checkNamedOnce(tasks, tally);
    for (const named of tasks.named) checkTask(named, tally);
    checkOrder(evidence, tasks, tally);
    const visit = (event: ChainEvent, before: ChainState): void => {
      if (event.name === 'RoundOpened') checkRound(evidence, tasks.of(event), event, before, tally);
      // what it attests would else stand for another task's model
      if (event.name === 'Published')
        tally.same(
          `round ${event.round}: task published for, against the one opened for`,
          event.taskHash,
          before.rounds.get(event.round)?.opened.taskHash,
        );
    };
    replay(evidence.history.events, visit, carriedOn(evidence.history));
    return tally.result(noteOf(evidence, tasks));
  },
};

function checkNamedOnce({ named }: Tasks, tally: Tally): void {
  const seen = new Set(named.map(({ body }) => body.task));
  tally.same('[TRA-5] tasks named, each once', named.length, seen.size);
}

function checkTask({ seq, body, facts, fault }: NamedTask, tally: Tally): void {
  const what = seq === 0 ? '' : `task ${body.task}: `;
  if (facts === undefined) {
    tally.fails(`${what}documents`, fault);
    return;
  }
  const { task, contract } = facts;
  // equal hashes: the files are the canonical texts, so no second text of the same task can pass
  tally.same(`${what}task: hash of its canonical text, against the file`, task.hash, body.task);
  tally.same(`${what}data contract: hash of its canonical text, against the file`, contract.hash, body.dataContract);
  const first = modelHash(encodeModel(initialModel(task, contract)));
  tally.same(`${what}initial model, against the one that the task defines`, body.initialModel, first);
}

/** Whoever reads of a round knows its task by then: it was not made up afterwards. */
function checkOrder({ bundle, history }: Evidence, { named }: Tasks, tally: Tally): void {
  for (const { round, taskHash } of eventsOf(history.events, 'RoundOpened')) {
    const task = named.find(({ body }) => body.task === taskHash);
    const first = bundle.entries.findIndex(({ entry }) => entry && 'round' in entry.body && entry.body.round === round);
    if (task === undefined || first === -1) continue;
    tally.holds(`[TRA-5] round ${round}: its task is named before anything of it`, task.seq < first);
  }
}

function checkRound(
  evidence: Evidence,
  facts: TaskFacts | undefined,
  event: EventOf<'RoundOpened'>,
  before: ChainState,
  tally: Tally,
): void {
  const what = `round ${event.round}`;
  if (facts === undefined) {
    tally.fails(`${what}: task`, `${event.taskHash}, which no readable entry names`);
    return;
  }
  const { body, task, contract } = facts;
  tally.same(`${what}: task`, event.taskHash, task.hash);
  const requirement = requirementOfTask(task, contract);
  tally.same(`${what}: requirement`, event.requirementKey, requirementKey(requirement));
  const base = before.models.get(event.taskHash) ?? body.initialModel;
  tally.same(`${what}: base model`, event.baseModelHash, base);
  const { call } = event;
  if (call === undefined) {
    tally.unsure(`${what}: seed`, 'the transaction does not call the ledger directly');
    return;
  }
  const [required0, required1] = splitGrants(requirement.required);
  tally.same(`${what}: required grants, first word`, call.required0, required0);
  tally.same(`${what}: required grants, second word`, call.required1, required1);
  tally.same(`${what}: least evidence`, call.minEvidence, requirement.minEvidence);
  // keccak256(abi.encode(blockhash(block.number-1), ledger, round))
  const ledger = uintToBytes(BigInt(evidence.history.deployment.ledger), 32);
  const seed = toHex(keccak256(concatBytes(fromHex(call.parentHash), ledger, uintToBytes(event.round, 32))));
  tally.same(`${what}: seed, against the block before`, event.seed, seed);
}

function noteOf({ history }: Evidence, tasks: Tasks): string {
  const opened = eventsOf(history.events, 'RoundOpened');
  const parts = tasks.named.map(({ body, facts }) => {
    const rounds = opened.filter(({ taskHash }) => taskHash === body.task).length;
    return `${rounds} rounds of ${facts?.task.id ?? 'an unknown task'}`;
  });
  return parts.join('; ');
}
