// The desk for tasks: takes new ones, tells how far each is, and stops them. Every answer is on disk before it is given.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import type { RoundOutcome } from '../rounds/driver.ts';
import { type TaskCatalogue, taskJson } from './catalogue.ts';
import { type Federation, requireRunnable } from './facts.ts';
import type { TaskJournal } from './journal.ts';
import { isWaiting, withExactly, withRounds } from './record.ts';
import type { TaskRunner } from './runner.ts';
import { type TaskView, viewOf } from './view.ts';

export interface Submission {
  /** YAML or JSON, as is `contract`. */
  readonly task: string;
  readonly contract: string;
  /** As many as the task says when left out. */
  readonly rounds?: number | undefined;
}

export interface TaskDocuments {
  /** Canonical JSON: the task's hash is over it. */
  readonly task: string;
  readonly contract: string;
}

export interface TaskDetails extends TaskView {
  readonly documents: TaskDocuments;
}

export interface TaskDesk {
  list(): readonly TaskView[];
  /** @throws ConcordatError NOT_FOUND */
  details(hash: Hex): TaskDetails;
  /** How its rounds ended, ascending: a page of those after a round. @throws ConcordatError NOT_FOUND */
  outcomes(hash: Hex, after: number): readonly RoundOutcome[];
  /**
   * A task that is known goes on for so many rounds more.
   * @throws ConcordatError TASK_INVALID, CONTRACT_INVALID, PRIVACY_BUDGET_SPENT, and CONFLICT for too many tasks or rounds
   */
  submit(submission: Submission): Promise<TaskView>;
  /** @throws ConcordatError NOT_FOUND */
  stop(hash: Hex): Promise<TaskView>;
  /** Rounds of the first task. @throws ConcordatError CONFLICT while it has some left to run */
  runFirst(rounds: number): Promise<void>;
}

export interface TaskDeskParts {
  readonly catalogue: TaskCatalogue;
  readonly journal: TaskJournal;
  readonly runner: TaskRunner;
  /** As the chain has it now. */
  readonly federation: () => Promise<Federation>;
  /** Dealers whose updates are in. */
  readonly uploads: (round: number) => number;
  readonly onTaken: (hash: Hex) => void;
}

/** All are kept in memory, and an auditor reads each. */
const MAX_TASKS = 256;
const OUTCOMES_PER_PAGE = 100;

export function createTaskDesk(parts: TaskDeskParts): TaskDesk {
  const { catalogue, journal, runner } = parts;

  function known(hash: Hex) {
    const [facts, record] = [catalogue.get(hash), journal.record(hash)];
    if (facts === undefined || record === undefined) throw new ConcordatError('NOT_FOUND', `no task ${hash}`, { hash });
    return { facts, record };
  }

  function view(hash: Hex): TaskView {
    const { uploads } = parts;
    return viewOf({ ...known(hash), outcomes: journal.outcomes(), running: runner.running(), uploads });
  }

  return {
    list: () => journal.records().map(({ hash }) => view(hash)),
    details(hash) {
      const { task, contract } = known(hash).facts;
      return { ...view(hash), documents: { task: taskJson(task), contract: canonicalJson(contract.document) } };
    },
    outcomes(hash, after) {
      known(hash);
      const later = journal.outcomes().filter(({ taskHash, round }) => taskHash === hash && round > after);
      return later.slice(0, OUTCOMES_PER_PAGE);
    },
    async submit({ task: source, contract: contractSource, rounds }) {
      const [task, contract] = [parseTask(source), parseDataContract(contractSource)];
      requireRunnable(task, contract, await parts.federation());
      if (catalogue.get(task.hash) === undefined && catalogue.hashes().length >= MAX_TASKS) {
        throw new ConcordatError('CONFLICT', `this coordinator has its ${MAX_TASKS} tasks`);
      }
      // the transcript names it first: a task that is named and never asked for harms nobody
      await catalogue.add(task, contract);
      await journal.add(task.hash);
      await runner.ask(task.hash, (record) => withRounds(record, rounds ?? task.rounds));
      parts.onTaken(task.hash);
      return view(task.hash);
    },
    async stop(hash) {
      known(hash);
      await runner.stopTask(hash);
      return view(hash);
    },
    async runFirst(rounds) {
      const [first] = catalogue.hashes();
      const record = first === undefined ? undefined : journal.record(first);
      if (record === undefined) throw new ConcordatError('STATE_CORRUPT', 'the coordinator has no first task');
      if (runner.isBusy() && isWaiting(record)) {
        throw new ConcordatError('CONFLICT', 'rounds are running already');
      }
      await runner.ask(record.hash, (task) => withExactly(task, rounds));
    },
  };
}
