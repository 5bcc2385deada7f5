// The line of deployments that a contract stands in: itself, the one it carries on, and so on to the first.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ChainClient, ContractRef } from './client.ts';
import { asHex, unlessZeroAddress } from './values.ts';

/** A contract is deployed after the one it carries on, so no line of honest contracts is endless; a forged one may be. */
const LONGEST_LINE = 1_000;

/** Addresses, newest first. Predecessors never change: they are asked for once. */
export function lineOf(client: ChainClient, contract: ContractRef): () => Promise<readonly Hex[]> {
  let known: Promise<readonly Hex[]> | undefined;

  async function walk(): Promise<readonly Hex[]> {
    const line: Hex[] = [];
    let next: Hex | undefined = contract.address;
    while (next !== undefined) {
      line.push(next);
      if (line.length > LONGEST_LINE)
        throw new ConcordatError('CHAIN_WRONG', `the line of ${contract.address} does not end`);
      const [predecessor] = await client.call({ ...contract, address: next }, 'predecessor', []);
      next = unlessZeroAddress(asHex(predecessor));
    }
    return line;
  }

  return () => {
    known ??= walk().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}
