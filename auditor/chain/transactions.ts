// What a block's header says of the transactions in it: the root of the trie over them; and whose signature each carries.
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { z } from 'zod';
import { concatBytes, fromHex, type Hex, keccak256, toHex, uintToBytes } from '../../protocol/bytes.ts';
import { typeOf } from './receipts.ts';
import { encodeRlp, quantityBytes, type Rlp, uintBytes } from './rlp.ts';
import { rootOfList } from './trie.ts';

const data = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2})*$/)
  .transform((text) => text.toLowerCase() as Hex);
const number = z
  .string()
  .regex(/^0x[0-9a-fA-F]{1,64}$/)
  .transform((text) => text as Hex);
const accessList = z.array(z.object({ address: data, storageKeys: z.array(data) }));
const authorizations = z.array(
  z.object({ chainId: number, address: data, nonce: number, yParity: number, r: number, s: number }),
);

const transaction = z.looseObject({
  ...{ hash: data, from: data, to: data.nullable(), input: data, nonce: number, gas: number, value: number },
  ...{
    type: number.optional(),
    chainId: number.nullish(),
    gasPrice: number.nullish(),
    accessList: accessList.nullish(),
  },
  ...{ maxFeePerGas: number.nullish(), maxPriorityFeePerGas: number.nullish(), maxFeePerBlobGas: number.nullish() },
  ...{ blobVersionedHashes: z.array(data).nullish(), authorizationList: authorizations.nullish() },
  // a deposit from another chain carries none
  ...{ v: number.nullish(), r: number.nullish(), s: number.nullish(), yParity: number.nullish() },
});
export type Transaction = z.output<typeof transaction>;
export const transactionsSchema = z.array(transaction);

/** undefined when one of them is of a type that this program cannot write. */
export function transactionsRoot(transactions: readonly Transaction[]): Hex | undefined {
  const encoded = transactions.map(encodeTransaction);
  return encoded.every((one) => one !== undefined) ? toHex(rootOfList(encoded)) : undefined;
}

/** As it was sent, with its signature. */
export function encodeTransaction(tx: Transaction): Uint8Array | undefined {
  const fields = unsigned(tx);
  if (fields === undefined || !isSigned(tx)) return undefined;
  const parity = typeOf(tx.type) === 0 ? tx.v : (tx.yParity ?? tx.v);
  return inEnvelope(tx, [...fields, ...[parity, tx.r, tx.s].map(uint)]);
}

/** Recovered from the signature; undefined as for the root. @throws when the signature is none */
export function senderOf(tx: Transaction): Hex | undefined {
  const fields = unsigned(tx);
  if (fields === undefined || !isSigned(tx)) return undefined;
  const message = keccak256(inEnvelope(tx, [...fields, ...replayGuard(tx)]));
  const rs = concatBytes(uintToBytes(BigInt(tx.r ?? 0), 32), uintToBytes(BigInt(tx.s ?? 0), 32));
  const point = secp256k1.Signature.fromBytes(rs, 'compact').addRecoveryBit(recoveryOf(tx)).recoverPublicKey(message);
  return toHex(keccak256(point.toBytes(false).subarray(1)).subarray(12));
}

const isSigned = ({ v, yParity, r, s }: Transaction): boolean =>
  (v ?? yParity ?? undefined) !== undefined && (r ?? undefined) !== undefined && (s ?? undefined) !== undefined;

const uint = (quantity: Hex | null | undefined): Uint8Array => quantityBytes(quantity ?? '0x0');

/** EIP-155: what a legacy transaction signs beside its fields, when it names its chain. */
function replayGuard({ type, v }: Transaction): readonly Rlp[] {
  const parity = BigInt(v ?? 0);
  if (typeOf(type) !== 0 || parity < 35n) return [];
  return [uintBytes((parity - 35n) / 2n), new Uint8Array(), new Uint8Array()];
}

function recoveryOf({ type, v, yParity }: Transaction): number {
  const parity = BigInt(v ?? 0);
  if (typeOf(type) !== 0) return Number(yParity ?? parity);
  return Number(parity < 35n ? parity - 27n : (parity - 35n) % 2n);
}

function inEnvelope({ type }: Transaction, fields: readonly Rlp[]): Uint8Array {
  const encoded = encodeRlp(fields);
  return typeOf(type) === 0 ? encoded : concatBytes(Uint8Array.of(typeOf(type)), encoded);
}

/** EIP-155, EIP-2930, EIP-1559, EIP-4844 and EIP-7702, by their types. */
function unsigned(tx: Transaction): readonly Rlp[] | undefined {
  const to = tx.to === null ? new Uint8Array() : fromHex(tx.to);
  const [value, input] = [uint(tx.value), fromHex(tx.input)];
  const [chain, nonce, gas] = [uint(tx.chainId), uint(tx.nonce), uint(tx.gas)];
  const access = (tx.accessList ?? []).map(
    ({ address, storageKeys }): Rlp => [fromHex(address), storageKeys.map(fromHex)],
  );
  const fees = [uint(tx.maxPriorityFeePerGas), uint(tx.maxFeePerGas)];
  switch (typeOf(tx.type)) {
    case 0:
      return [nonce, uint(tx.gasPrice), gas, to, value, input];
    case 1:
      return [chain, nonce, uint(tx.gasPrice), gas, to, value, input, access];
    case 2:
      return [chain, nonce, ...fees, gas, to, value, input, access];
    case 3: {
      const blobs = (tx.blobVersionedHashes ?? []).map(fromHex);
      return [chain, nonce, ...fees, gas, to, value, input, access, uint(tx.maxFeePerBlobGas), blobs];
    }
    case 4:
      return [chain, nonce, ...fees, gas, to, value, input, access, authorizationsOf(tx)];
    default:
      return undefined;
  }
}

function authorizationsOf({ authorizationList }: Transaction): readonly Rlp[] {
  return (authorizationList ?? []).map(({ chainId, address, nonce, yParity, r, s }) => [
    ...[uint(chainId), fromHex(address), uint(nonce), uint(yParity), uint(r), uint(s)],
  ]);
}
