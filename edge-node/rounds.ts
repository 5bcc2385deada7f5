// When to take part: an event says a round is open, or the chain does when events are lost. Each round once.
import type { ChainConnection } from '../engines/chain/connect.ts';
import type { RoundRecord } from '../engines/chain/round-ledger.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type RoundParts, type RoundResult, resume, takePart } from './round.ts';

export interface RoundFollowerParts {
  readonly chain: ChainConnection;
  /** For what a round needs of any task: to send again what was sealed. */
  readonly roundParts: RoundParts;
  /** What this dealer takes part with in a round of its task, or why it does not. */
  readonly judge: (round: number, record: RoundRecord) => Promise<Judgement>;
  readonly decline: (round: number, reason: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export type Judgement = { readonly parts: Partial<RoundParts> } | { readonly refused: string };

const LOOK_EVERY_MS = 1_000;
/** A dealer that fails in a round tries again while the round is open, this often at most. */
const MAX_FAILURES = 3;
/** As the link takes it. */
const MAX_REASON = 200;
/** Trying again changes nothing, and what is wrong is worth more than its code. */
const FINAL: ReadonlySet<string> = new Set(['MODEL_UNPROVEN']);
/** Somebody else is away: that is waited out, and no failure of this dealer. */
const AWAY: ReadonlySet<string> = new Set(['TIMED_OUT', 'CHAIN_UNREACHABLE']);

export function createRoundFollower(parts: RoundFollowerParts) {
  const { chain, log, clock } = parts;
  const results: RoundResult[] = [];
  const failures = new Map<number, number>();
  const stopping = new AbortController();
  let done = 0;
  let declined: { readonly round: number; readonly reason: string } | undefined;
  let queue: Promise<void> = Promise.resolve();

  async function follow(round: number): Promise<void> {
    if (round === 0 || round <= done) return;
    const record = await chain.ledger.roundOf(round);
    if (record?.status !== 'open') return;
    if (await resume(round, record, parts.roundParts)) {
      done = round;
      return;
    }
    const result = await judgeAndTakePart(round, record);
    done = round;
    results.push(result);
    if (result.took === 'no-part') decline(round, result.reason);
    log.info(result, 'round done');
  }

  function decline(round: number, reason: string): void {
    declined = { round, reason: reason.slice(0, MAX_REASON) };
    parts.decline(round, declined.reason);
  }

  async function judgeAndTakePart(round: number, record: RoundRecord): Promise<RoundResult> {
    const judgement = await parts.judge(round, record);
    if ('refused' in judgement) return { took: 'no-part', round, reason: `TASK_REFUSED: ${judgement.refused}` };
    return takePart(round, record, { ...parts.roundParts, ...judgement.parts });
  }

  async function followSafely(): Promise<void> {
    let round = 0; // what goes wrong is of this one, whatever has opened since
    try {
      round = await chain.ledger.roundCount();
      await follow(round);
    } catch (error) {
      const code = error instanceof ConcordatError ? error.code : 'PROCESS_FAILED';
      const failed = (failures.get(round) ?? 0) + (AWAY.has(code) ? 0 : 1);
      failures.set(round, failed);
      log.error({ err: error, round, code, failed }, 'could not take part');
      const isFinal = FINAL.has(code);
      if ((failed >= MAX_FAILURES || isFinal) && round > done) {
        done = round;
        const reason = isFinal && error instanceof ConcordatError ? `${code}: ${error.detail}` : code;
        results.push({ took: 'no-part', round, reason });
        decline(round, reason);
      }
    }
  }

  const wake = (): void => {
    queue = queue.then(followSafely);
  };

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      wake();
      await queue;
      await clock.sleep(LOOK_EVERY_MS, stopping.signal);
    }
  }

  return {
    start: () => {
      poll().catch((err) => log.error({ err }, 'stopped following rounds'));
    },
    wake,
    /** The coordinator is there again, and may have forgotten who takes no part. */
    greeted: () => {
      if (declined !== undefined) parts.decline(declined.round, declined.reason);
      wake();
    },
    results: () => results,
    stop: async () => {
      stopping.abort();
      await queue;
    },
  };
}
