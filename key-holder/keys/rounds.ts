// Which rounds go on and which are over, and under which of our keys each was opened: what rotation is decided from.
import { keyOf, type Store } from '../../engines/store/store.ts';
import type { KeyedRound } from './plan.ts';

/** The own key that a round was opened under, as registered on chain. */
export interface OwnKey {
  readonly epoch: number;
  readonly publicKey: Uint8Array;
}

export interface RoundsOnChain {
  roundCount(): Promise<number>;
  /** Nobody will need its shares any more; once true, always true. */
  isOver(round: number): Promise<boolean>;
  /** undefined when this key-holder was registered after the round opened. */
  keyAtOpening(round: number): Promise<OwnKey | undefined>;
}

export interface RoundBook {
  /** Every round after the last that is settled. */
  read(): Promise<readonly KeyedRound[]>;
  keyAtOpening(round: number): Promise<OwnKey | undefined>;
  /** All of these were acted upon: those over, with none going on before them, are not looked at again. */
  settle(rounds: readonly KeyedRound[]): Promise<void>;
}

const SETTLED = keyOf('settled-rounds');
/** Of a round in which this key-holder has no share. */
const NO_EPOCH = 0;

export function createRoundBook(chain: RoundsOnChain, store: Pick<Store, 'get' | 'write'>): RoundBook {
  // a round's key and its being over never change: asked once
  const keys = new Map<number, OwnKey | undefined>();
  const over = new Set<number>();

  async function settledUpTo(): Promise<number> {
    const stored = await store.get(SETTLED);
    return stored === undefined ? 0 : Number(new TextDecoder().decode(stored));
  }

  async function keyAtOpening(round: number): Promise<OwnKey | undefined> {
    if (!keys.has(round)) keys.set(round, await chain.keyAtOpening(round));
    return keys.get(round);
  }

  async function read(): Promise<readonly KeyedRound[]> {
    const [first, count] = [(await settledUpTo()) + 1, await chain.roundCount()];
    const rounds: KeyedRound[] = [];
    for (let round = first; round <= count; round++) {
      const epoch = (await keyAtOpening(round))?.epoch ?? NO_EPOCH;
      if (!over.has(round) && (await chain.isOver(round))) over.add(round);
      rounds.push({ round, epoch, over: over.has(round) });
    }
    return rounds;
  }

  return {
    read,
    keyAtOpening,
    async settle(rounds) {
      const firstGoingOn = rounds.findIndex((round) => !round.over);
      const settled = firstGoingOn === -1 ? rounds : rounds.slice(0, firstGoingOn);
      const last = settled.at(-1)?.round;
      if (last === undefined) return;
      await store.write([{ put: SETTLED, value: new TextEncoder().encode(String(last)) }]);
      for (const { round } of settled) {
        keys.delete(round);
        over.delete(round);
      }
    },
  };
}
