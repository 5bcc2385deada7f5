// Runs the rounds of all tasks, one at a time and in turn. What is left to do is in the journal, and what is under way is on chain:
// a coordinator that is started again goes on by itself.
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError, type ErrorCode } from '../../protocol/errors.ts';
import { isUnderWay } from '../rounds/begin.ts';
import type { RoundControl, RoundOutcome } from '../rounds/driver.ts';
import type { Change, TaskJournal } from './journal.ts';
import { afterFailure, afterRound, afterStop, nextInTurn, type TaskRecord } from './record.ts';

export interface TaskDriver {
  runRound(control: RoundControl): Promise<RoundOutcome>;
  lastPublished(): Promise<RoundOutcome | undefined>;
}

export interface RunnerParts {
  readonly journal: TaskJournal;
  readonly ledger: Pick<RoundLedger, 'roundCount' | 'roundOf'>;
  /** Made ready for a round of this task. @throws ConcordatError STATE_CORRUPT for a task that nobody knows */
  readonly driverOf: (taskHash: Hex) => TaskDriver;
  /** Ends the round under way, which cannot be finished. */
  readonly failRound: (round: number, reason: string) => Promise<void>;
  readonly clock: Clock;
  /** The coordinator stops. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface RunningRound {
  readonly taskHash: Hex;
  /** undefined while it is being opened. */
  readonly round: number | undefined;
}

export interface TaskRunner {
  /** What is asked for runs in the background, once it is on disk. @throws ConcordatError NOT_FOUND, and what the change throws */
  ask(taskHash: Hex, change: Change): Promise<TaskRecord>;
  /** No new round, and the one in which dealers still train ends: once that is on disk. Any number of times. */
  stopTask(taskHash: Hex): Promise<TaskRecord>;
  running(): RunningRound | undefined;
  /** Rounds are running, or about to. */
  isBusy(): boolean;
  /** Goes on with what is left. */
  start(): void;
  /** When the run under way is over. */
  ended(): Promise<void>;
}

const AFTER_FAILURE_MS = 1_000;
/** Somebody is away: that is waited out for a while, and no fault of the task. */
const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['TIMED_OUT', 'CHAIN_UNREACHABLE']);
const MAX_AWAY = 5;
const MAX_REASON = 200;

export function createTaskRunner(parts: RunnerParts): TaskRunner {
  const { journal, ledger, clock, signal, log } = parts;
  let current: (RunningRound & { readonly cancel: AbortController }) | undefined;
  let run: Promise<void> | undefined;
  let lastTurn: Hex | undefined;
  let askedMeanwhile = false;

  /** A round whose end was on chain and not in the journal when the coordinator died. */
  async function countLastRound(): Promise<void> {
    const round = await ledger.roundCount();
    const record = round === 0 ? undefined : await ledger.roundOf(round);
    if (record?.status !== 'published' || journal.record(record.taskHash) === undefined) return;
    if (journal.outcomes().some((outcome) => outcome.round === round)) return;
    const last = await parts.driverOf(record.taskHash).lastPublished();
    if (last !== undefined) await journal.endRound(last, (task) => afterRound(task, last));
  }

  /** A round that is not over comes before everything else, whatever became of its task. */
  async function taskUnderWay(): Promise<Hex | undefined> {
    const round = await ledger.roundCount();
    const record = round === 0 ? undefined : await ledger.roundOf(round);
    return record !== undefined && isUnderWay(record) ? record.taskHash : undefined;
  }

  async function runRound(taskHash: Hex): Promise<void> {
    const cancel = new AbortController();
    current = { taskHash, round: undefined, cancel };
    try {
      const record = journal.record(taskHash);
      if (record?.stopped || record?.failure !== undefined) cancel.abort();
      const onRound = (round: number): void => {
        current = { taskHash, round, cancel };
      };
      const outcome = await parts.driverOf(taskHash).runRound({ cancel: cancel.signal, onRound });
      const task = await journal.endRound(outcome, (before) => afterRound(before, outcome));
      if (task.failure !== undefined) log.error({ taskHash, failure: task.failure }, 'task given up');
      if (outcome.status === 'failed') await clock.sleep(AFTER_FAILURE_MS, signal);
    } finally {
      current = undefined;
    }
  }

  /** What is wrong is the task's alone, as far as that can be told; anything else ends the run, with everything kept. */
  async function giveUp(taskHash: Hex, error: unknown): Promise<void> {
    if (!(error instanceof ConcordatError) || journal.record(taskHash) === undefined) throw error;
    if (error.code === 'TASK_STOPPED') return;
    const reason = `${error.code}: ${error.detail}`.slice(0, MAX_REASON);
    log.error({ err: error, taskHash }, 'task given up');
    await journal.change(taskHash, (task) => afterFailure(task, reason));
    if ((await taskUnderWay()) === taskHash) await parts.failRound(await ledger.roundCount(), reason);
  }

  async function turn(): Promise<boolean> {
    const taskHash = (await taskUnderWay()) ?? nextInTurn(journal.records(), lastTurn)?.hash;
    if (taskHash === undefined) return false;
    lastTurn = taskHash;
    try {
      await runRound(taskHash);
    } catch (error) {
      if (signal.aborted || isAway(error)) throw error;
      await giveUp(taskHash, error);
    }
    return true;
  }

  async function runAll(): Promise<void> {
    let away = 0;
    let counted = false;
    while (!signal.aborted) {
      try {
        if (!counted) await countLastRound();
        counted = true;
        if (!(await turn())) return;
        away = 0;
      } catch (error) {
        away += 1;
        if (signal.aborted || !isAway(error) || away > MAX_AWAY) throw error;
        log.warn({ err: error, away }, 'somebody does not answer: trying again');
        await clock.sleep(AFTER_FAILURE_MS * 2 ** away, signal);
      }
    }
  }

  function start(): void {
    run ??= runAll()
      .catch((err) => {
        if (!signal.aborted)
          log.error({ err }, 'the run of rounds ended early; what is left goes on with the next ask or start');
      })
      .finally(() => {
        run = undefined;
        // after its last look, perhaps
        if (askedMeanwhile && !signal.aborted) start();
      });
    askedMeanwhile = false;
  }

  return {
    start,
    running: () => current && { taskHash: current.taskHash, round: current.round },
    isBusy: () => run !== undefined,
    ended: async () => run,
    async ask(taskHash, change) {
      const record = await journal.change(taskHash, change);
      askedMeanwhile = run !== undefined;
      start();
      return record;
    },
    async stopTask(taskHash) {
      const record = await journal.change(taskHash, afterStop);
      if (record.stopped && current?.taskHash === taskHash) current.cancel.abort();
      return record;
    },
  };
}

const isAway = (error: unknown): boolean => error instanceof ConcordatError && AWAY.has(error.code);
