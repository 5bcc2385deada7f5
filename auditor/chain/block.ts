// One block, as far as an audit needs it.
import { z } from 'zod';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type ChainReader, quantity } from './rpc.ts';

const schema = z.object({
  number: z.string().regex(/^0x[0-9a-fA-F]{1,13}$/),
  hash: z.string().regex(/^0x[0-9a-fA-F]{64}$/),
  timestamp: z.string().regex(/^0x[0-9a-fA-F]{1,16}$/),
});

export interface BlockFacts {
  readonly hash: Hex;
  /** Unix. */
  readonly seconds: number;
}

/** undefined: not there yet. */
export async function findBlock(reader: ChainReader, number: number): Promise<BlockFacts | undefined> {
  return factsOf(await reader.ask('eth_getBlockByNumber', [quantity(number), false]), `block ${number}`);
}

/** undefined: no such block. */
export async function findBlockOfHash(
  reader: ChainReader,
  hash: Hex,
): Promise<(BlockFacts & { readonly number: number }) | undefined> {
  return factsOf(await reader.ask('eth_getBlockByHash', [hash, false]), `block ${hash}`);
}

function factsOf(found: unknown, what: string) {
  if (found === null) return undefined;
  const { data } = schema.safeParse(found);
  if (data === undefined) throw new ConcordatError('CHAIN_WRONG', `${what} is none`);
  const { number, hash, timestamp } = data;
  return { number: Number(number), hash: hash.toLowerCase() as Hex, seconds: Number(timestamp) };
}
