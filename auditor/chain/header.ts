// A block's header: its hash is that of its fields, and it names its parent, its transactions and what they logged.
import { z } from 'zod';
import { fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import { encodeRlp, quantityBytes } from './rlp.ts';

const data = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2})*$/)
  .transform((text) => text.toLowerCase() as Hex);
const hash = data.refine((text) => text.length === 66);
const number = z
  .string()
  .regex(/^0x[0-9a-fA-F]{1,64}$/)
  .transform((text) => text as Hex);

export const headerSchema = z.looseObject({
  ...{ hash, parentHash: hash, sha3Uncles: hash, miner: data, stateRoot: hash, transactionsRoot: hash },
  ...{ receiptsRoot: hash, logsBloom: data, difficulty: number, number, gasLimit: number, gasUsed: number },
  ...{ timestamp: number, extraData: data, mixHash: hash.optional(), nonce: data.optional() },
  ...{ baseFeePerGas: number.optional(), withdrawalsRoot: hash.optional(), blobGasUsed: number.optional() },
  ...{ excessBlobGas: number.optional(), parentBeaconBlockRoot: hash.optional(), requestsHash: hash.optional() },
});
export type Header = z.output<typeof headerSchema>;

/** In the order that they are hashed in. Forks only ever added some at the end. */
const FIELDS = [
  ...(['parentHash', 'sha3Uncles', 'miner', 'stateRoot', 'transactionsRoot', 'receiptsRoot', 'logsBloom'] as const),
  ...(['difficulty', 'number', 'gasLimit', 'gasUsed', 'timestamp', 'extraData', 'mixHash', 'nonce'] as const),
  ...(['baseFeePerGas', 'withdrawalsRoot', 'blobGasUsed', 'excessBlobGas', 'parentBeaconBlockRoot'] as const),
  'requestsHash' as const,
];
const QUANTITIES: ReadonlySet<string> = new Set([
  ...['difficulty', 'number', 'gasLimit', 'gasUsed', 'timestamp', 'baseFeePerGas', 'blobGasUsed', 'excessBlobGas'],
]);

/** What endpoints tell beside the header, and what does not go into its hash. */
const BESIDE: ReadonlySet<string> = new Set([
  ...['hash', 'size', 'totalDifficulty', 'transactions', 'uncles', 'withdrawals', 'author', 'sealFields'],
]);

/** keccak256 of the RLP of the fields that are there. */
export function headerHash(header: Header): Hex {
  const fields = FIELDS.flatMap((name) => {
    const value = header[name];
    if (value === undefined) return [];
    return [QUANTITIES.has(name) ? quantityBytes(value) : fromHex(value)];
  });
  return toHex(keccak256(encodeRlp(fields)));
}

/** A field that this program does not know: then a hash that does not come out may be another chain's way, and no lie. */
export function unknownField(header: Header): string | undefined {
  return Object.keys(header).find((name) => !BESIDE.has(name) && !(FIELDS as readonly string[]).includes(name));
}

const BLOOM_BITS = 2_048;

/** Whether a block may hold logs of this address; a bloom tells of all that it holds, and at times of more. */
export function mayHoldLogsOf(logsBloom: Hex, address: Hex): boolean {
  const bloom = fromHex(logsBloom);
  const found = keccak256(fromHex(address));
  return [0, 2, 4].every((at) => {
    const bit = (((found[at] ?? 0) << 8) | (found[at + 1] ?? 0)) % BLOOM_BITS;
    return (((bloom[bloom.length - 1 - (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1;
  });
}
