// The keys that a round's shares are sealed to: those in force when it opened, from events, checked against its keysHash.
import { concatBytes, fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ChainConnection } from './connect.ts';
import { type ChainEvent, readEvents, topicOf } from './events.ts';
import { uint64Topic } from './round-ledger.ts';

export interface RoundKey {
  readonly keyHolder: Hex;
  /** From 1: the x coordinate of its shares. */
  readonly index: number;
  readonly epoch: number;
  /** X-Wing, 1,216 bytes. */
  readonly publicKey: Uint8Array;
}

type Rotation = Extract<ChainEvent, { name: 'KeyRotated' }>;
type Chain = Pick<ChainConnection, 'client' | 'federation' | 'ledger'>;

/** Keys are rotated after every round, so the ones in force are rarely far back. */
const BLOCKS_PER_LOOK = 5_000;

/**
 * In order of index. A rotation counts when it stands before the round's opening in the chain, also in the same block.
 * Looks backwards until the keys found are the ones that keysHash names: nothing else can be.
 * @throws ConcordatError NOT_FOUND there is no such round
 * @throws ConcordatError CHAIN_WRONG the events do not give the keys that the round's keysHash names
 */
export async function sealingKeysOf(chain: Chain, round: number): Promise<readonly RoundKey[]> {
  const { client, federation } = chain;
  const { opened, keysHash } = await openingOf(chain, round);
  const last = new Map<number, Rotation>();
  for (let to = opened.blockNumber; to >= 0; to -= BLOCKS_PER_LOOK) {
    const fromBlock = Math.max(0, to - BLOCKS_PER_LOOK + 1);
    const topics = [topicOf('KeyRotated')];
    const events = await readEvents(client, { address: federation.address, fromBlock, toBlock: to, topics });
    for (const event of events.toReversed()) {
      if (event.name !== 'KeyRotated' || !isBefore(event, opened)) continue;
      if (!last.has(event.index)) last.set(event.index, event);
    }
    const keys = keysNamedBy(keysHash, last);
    if (keys !== undefined) return keys;
  }
  throw new ConcordatError('CHAIN_WRONG', `no rotations give the keys that round ${round} was opened under`, { round });
}

async function openingOf({ client, ledger }: Chain, round: number): Promise<{ opened: ChainEvent; keysHash: Hex }> {
  const record = await ledger.roundOf(round);
  if (record === undefined) throw new ConcordatError('NOT_FOUND', `round ${round} is not on chain`, { round });
  const block = record.openedAtBlock;
  const topics = [topicOf('RoundOpened'), uint64Topic(round)];
  const [opened] = await readEvents(client, { address: ledger.address, fromBlock: block, toBlock: block, topics });
  if (opened === undefined) {
    throw new ConcordatError('CHAIN_WRONG', `round ${round} has no opening in block ${block}`, { round, block });
  }
  return { opened, keysHash: record.keysHash };
}

const isBefore = (a: ChainEvent, b: ChainEvent): boolean =>
  a.blockNumber < b.blockNumber || (a.blockNumber === b.blockNumber && a.logIndex < b.logIndex);

/** The keys of holders 1..n, for the n whose hashes together make keysHash: those registered when the round opened. */
function keysNamedBy(keysHash: Hex, last: ReadonlyMap<number, Rotation>): RoundKey[] | undefined {
  const keys: RoundKey[] = [];
  const hashes: Uint8Array[] = [];
  for (let rotation = last.get(1); rotation !== undefined; rotation = last.get(keys.length + 1)) {
    const { keyHolder, index, epoch } = rotation;
    const publicKey = fromHex(rotation.publicKey);
    keys.push({ keyHolder, index, epoch, publicKey });
    hashes.push(keccak256(publicKey));
    if (toHex(keccak256(concatBytes(...hashes))) === keysHash) return keys;
  }
  return undefined;
}
