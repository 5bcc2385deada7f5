// One block, as far as an audit needs it.
import { z } from 'zod';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type ChainReader, quantity } from './rpc.ts';

const schema = z.object({
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
  const found = await reader.ask('eth_getBlockByNumber', [quantity(number), false]);
  if (found === null) return undefined;
  const { data } = schema.safeParse(found);
  if (data === undefined) throw new ConcordatError('CHAIN_WRONG', `block ${number} is none`, { number });
  return { hash: data.hash.toLowerCase() as Hex, seconds: Number(data.timestamp) };
}
