// A customer’s history: what was signed, and every time a condition froze a grant or time ended it, with the reason.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import { type ChainEvent, readEvents, topicOf } from '../../engines/chain/events.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import { type ConsentHistory, consentHistory, type TaskOnChain } from '../../protocol/consent/history.ts';
import type { Task } from '../../protocol/learning/task.ts';
import type { ConsentBook } from './book.ts';

export interface HistoryParts {
  readonly book: Pick<ConsentBook, 'dealer' | 'signedBy'>;
  readonly chain: Pick<ChainConnection, 'client' | 'registry' | 'ledger' | 'federation'>;
  /** All that this dealer accepts. */
  readonly tasks: () => readonly Pick<Task, 'hash' | 'scene'>[];
  readonly chainNowSeconds: () => Promise<number>;
}

/** Computed from log and chain each time it is asked for; nothing of it is stored. */
export type HistoryDesk = (subject: Hex) => Promise<ConsentHistory>;

export function createHistoryDesk({ book, chain, tasks, chainNowSeconds }: HistoryParts): HistoryDesk {
  const { client, registry, ledger, federation } = chain;
  const timestamps = new Map<number, Promise<number>>();

  /** Unix seconds; a block’s time never changes. */
  function timeOf({ blockNumber }: ChainEvent): Promise<number> {
    const known = timestamps.get(blockNumber) ?? readTimestamp(blockNumber);
    timestamps.set(blockNumber, known);
    known.catch(() => timestamps.delete(blockNumber));
    return known;
  }

  async function readTimestamp(block: number): Promise<number> {
    const found = await client.rpc.call('eth_getBlockByNumber', [`0x${block.toString(16)}`, false]);
    return Number((found as { readonly timestamp: string }).timestamp);
  }

  async function anchors() {
    const topics = [topicOf('Anchored'), toHex(abiWord(book.dealer))];
    const events = await readEvents(client, { address: await registry.line(), fromBlock: 0, topics });
    return Promise.all(
      events.flatMap((event) => {
        if (event.name !== 'Anchored') return [];
        const { epoch, operationCount } = event;
        return [timeOf(event).then((anchoredAtSeconds) => ({ epoch, operationCount, anchoredAtSeconds }))];
      }),
    );
  }

  async function tasksOnChain(): Promise<TaskOnChain[]> {
    const address = await ledger.line();
    const of = (name: 'RoundOpened' | 'Published') =>
      readEvents(client, { address, fromBlock: 0, topics: [topicOf(name)] });
    const [opened, published] = await Promise.all([of('RoundOpened'), of('Published')]);
    return Promise.all(tasks().map((task) => taskOnChain(task, opened, published)));
  }

  async function taskOnChain(
    task: Pick<Task, 'hash' | 'scene'>,
    opened: readonly ChainEvent[],
    published: readonly ChainEvent[],
  ): Promise<TaskOnChain> {
    const rounds = opened.flatMap((event) => {
      if (event.name !== 'RoundOpened' || event.taskHash !== task.hash) return [];
      const { epsilonAfterMilli } = event;
      return [timeOf(event).then((openedAtSeconds) => ({ openedAtSeconds, epsilonAfterMilli }))];
    });
    const attestations = published.flatMap((event) => {
      if (event.name !== 'Published' || event.taskHash !== task.hash) return [];
      const { accuracyBps } = event;
      return [timeOf(event).then((attestedAtSeconds) => ({ attestedAtSeconds, accuracyBps }))];
    });
    return { scene: task.scene, rounds: await Promise.all(rounds), attestations: await Promise.all(attestations) };
  }

  return async (subject) => {
    const [anchored, used, { metricMaxAgeSeconds }, nowSeconds] = await Promise.all([
      anchors(),
      tasksOnChain(),
      federation.parameters(),
      chainNowSeconds(),
    ]);
    const entries = book.signedBy(subject);
    return consentHistory({ entries, anchors: anchored, tasks: used, metricMaxAgeSeconds, nowSeconds });
  };
}
