// What an edge node does when the coordinator tells it something. Nothing is believed: each event only says where to look.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import type { EdgeTasks } from '../tasks/tasks.ts';

export interface EventParts {
  readonly chain: Pick<ChainConnection, 'ledger'>;
  readonly tasks: Pick<EdgeTasks, 'signFingerprint' | 'consider' | 'checkPublished' | 'checkLast'>;
  readonly follower: { wake(): void; greeted(): void };
  readonly readiness: { changed(): void };
  readonly personal: { changed(): void };
  readonly log: Log;
}

export function createEventDesk(parts: EventParts): (event: CoordinatorEvent) => void {
  const { chain, tasks, follower, readiness, personal, log } = parts;

  async function signFingerprint(round: number, aggregateHash: Hex): Promise<void> {
    try {
      const record = await chain.ledger.roundOf(round);
      if (record !== undefined) await tasks.signFingerprint(record.taskHash, round, aggregateHash);
    } catch (err) {
      log.warn({ err, round }, 'no fingerprint of this round’s payload');
    }
  }

  /** Ahead of its rounds, so that proofs are made by then; what cannot be decided now is decided when a round opens. */
  async function lookAt(taskHash: Hex): Promise<void> {
    try {
      await tasks.consider(taskHash);
      readiness.changed();
    } catch (err) {
      log.warn({ err, taskHash }, 'could not look at a new task');
    }
  }

  /** Ahead of the next round, which is then quicker to start; what cannot be had now is asked for again then. */
  async function checkAhead(check: () => Promise<void>): Promise<void> {
    try {
      await check();
    } catch (err) {
      log.warn({ err }, 'could not check a published model');
    }
  }

  return (event) => {
    if (event.type === 'round-opened') follower.wake();
    if (event.type === 'welcome') follower.greeted();
    if (event.type === 'aggregate-ready') void signFingerprint(event.round, event.aggregateHash);
    if (event.type === 'task-taken') void lookAt(event.task);
    if (event.type === 'welcome') void checkAhead(tasks.checkLast);
    if (event.type === 'round-published') void checkAhead(() => tasks.checkPublished(event.round));
    if (event.type === 'welcome' || event.type === 'round-published') personal.changed();
  };
}
