// What a block's header says of the logs in it: the root of the trie over its receipts.
import { z } from 'zod';
import { concatBytes, fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { encodeRlp, quantityBytes, type Rlp } from './rlp.ts';
import { rootOfList } from './trie.ts';

const data = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2})*$/)
  .transform((text) => text as Hex);
const number = z
  .string()
  .regex(/^0x[0-9a-fA-F]{1,64}$/)
  .transform((text) => text as Hex);

const receipt = z.looseObject({
  ...{ transactionHash: data, transactionIndex: number, cumulativeGasUsed: number, logsBloom: data },
  ...{ type: number.optional(), status: number.optional(), root: data.optional() },
  // of a deposit from another chain, as Optimism's chains have one in every block
  ...{ depositNonce: number.optional(), depositReceiptVersion: number.optional() },
  logs: z.array(z.looseObject({ address: data, topics: z.array(data), data })),
});
export type Receipt = z.output<typeof receipt>;
export const receiptsSchema = z.array(receipt);

const DEPOSIT = 0x7e;
/** Those of Ethereum itself. Others are tried in the same way: what comes out tells. */
const LAST_KNOWN_TYPE = 4;

export const receiptsRoot = (receipts: readonly Receipt[]): Hex => toHex(rootOfList(receipts.map(encodeReceipt)));

export const typeOf = (type: Hex | undefined): number => Number(type ?? '0x0');
export const isKnownType = (type: Hex | undefined): boolean => typeOf(type) <= LAST_KNOWN_TYPE;

export function encodeReceipt({ logs, type, ...of }: Receipt): Uint8Array {
  const written = logs.map(
    ({ address, topics, data: words }): Rlp => [fromHex(address), topics.map(fromHex), fromHex(words)],
  );
  // before Byzantium the state after each transaction, instead of how it went
  const outcome = of.status === undefined ? fromHex(of.root ?? '0x') : quantityBytes(of.status);
  const fields: Rlp[] = [outcome, quantityBytes(of.cumulativeGasUsed), fromHex(of.logsBloom), written];
  const kind = typeOf(type);
  if (kind === DEPOSIT && of.depositReceiptVersion !== undefined) {
    fields.push(quantityBytes(of.depositNonce ?? '0x0'), quantityBytes(of.depositReceiptVersion));
  }
  const encoded = encodeRlp(fields);
  return kind === 0 ? encoded : concatBytes(Uint8Array.of(kind), encoded);
}
