// The code of a contract, held against the state that a block's header names.
import { z } from 'zod';
import { fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import type { Finding } from '../history.ts';
import type { Findings } from './proven-block.ts';
import { decodeRlp } from './rlp.ts';
import { type ChainReader, EndpointRefused, type Question } from './rpc.ts';
import { valueAt } from './trie.ts';

const proofSchema = z.object({ accountProof: z.array(z.string().regex(/^0x([0-9a-fA-F]{2})*$/)) });

export interface Contract {
  readonly address: Hex;
  readonly code: Hex;
}

/** As the endpoint tells them, in the order of the contracts; undefined from one that tells none. */
export async function readAccountProofs(
  reader: ChainReader,
  addresses: readonly Hex[],
  block: Hex,
): Promise<unknown[] | undefined> {
  const questions: Question[] = addresses.map((address) => ({ method: 'eth_getProof', params: [address, [], block] }));
  try {
    return await reader.askAll(questions);
  } catch (cause) {
    if (cause instanceof EndpointRefused) return undefined;
    throw cause;
  }
}

/** @param proof as the endpoint tells it */
export function proveCode({ address, code }: Contract, proof: unknown, stateRoot: Hex, findings: Findings): void {
  const what = `code at ${address}, against the state of the last block`;
  const expected = toHex(keccak256(fromHex(code)));
  const got = codeHashIn(proof, address, stateRoot);
  if (got === expected) return;
  const finding: Finding = { what, expected, got: got ?? 'no proof of an account' };
  findings.faults.push(finding);
}

function codeHashIn(proof: unknown, address: Hex, stateRoot: Hex): Hex | undefined {
  const { data } = proofSchema.safeParse(proof);
  if (data === undefined) return undefined;
  try {
    const nodes = data.accountProof.map((node) => fromHex(node as Hex));
    const account = valueAt(fromHex(stateRoot), keccak256(fromHex(address)), nodes);
    // nonce, balance, root of its storage, hash of its code
    const fields = account && decodeRlp(account);
    const hash = fields instanceof Uint8Array ? undefined : fields?.[3];
    return hash instanceof Uint8Array ? toHex(hash) : undefined;
  } catch {
    // no RLP: a proof of nothing
    return undefined;
  }
}
