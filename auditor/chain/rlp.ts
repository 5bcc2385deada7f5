// RLP, the encoding that block headers, transactions and receipts are hashed in: bytes, and lists of them.
import { bytesToUint, concatBytes, fromHex, type Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export type Rlp = Uint8Array | readonly Rlp[];

const SHORT = 55;
const OF_BYTES = 0x80;
const OF_LIST = 0xc0;

export function encodeRlp(value: Rlp): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    const body = concatBytes(...value.map(encodeRlp));
    return concatBytes(lengthOf(body.length, OF_LIST), body);
  }
  const [first = OF_BYTES] = value;
  // a byte below 0x80 is its own encoding
  if (value.length === 1 && first < OF_BYTES) return value;
  return concatBytes(lengthOf(value.length, OF_BYTES), value);
}

function lengthOf(length: number, offset: number): Uint8Array {
  if (length <= SHORT) return Uint8Array.of(offset + length);
  const bytes = uintBytes(length);
  return concatBytes(Uint8Array.of(offset + SHORT + bytes.length), bytes);
}

/** Big-endian, without leading zeros: nothing for 0. */
export function uintBytes(value: number | bigint): Uint8Array {
  const digits = value.toString(16);
  return digits === '0' ? new Uint8Array() : fromHex(`0x${digits.length % 2 === 1 ? '0' : ''}${digits}`);
}

/** A quantity as JSON-RPC writes it. */
export const quantityBytes = (quantity: Hex): Uint8Array => uintBytes(BigInt(quantity));

/** Exactly one value, and nothing behind it. @throws ConcordatError MESSAGE_MALFORMED */
export function decodeRlp(bytes: Uint8Array): Rlp {
  const { value, end } = decodeAt(bytes, 0);
  return end === bytes.length ? value : malformed('bytes behind the value');
}

function decodeAt(bytes: Uint8Array, at: number): { readonly value: Rlp; readonly end: number } {
  const first = bytes[at] ?? malformed('nothing');
  if (first < OF_BYTES) return { value: bytes.subarray(at, at + 1), end: at + 1 };
  const isList = first >= OF_LIST;
  const stated = first - (isList ? OF_LIST : OF_BYTES);
  const sizeBytes = Math.max(0, stated - SHORT);
  const start = at + 1 + sizeBytes;
  const end = start + (sizeBytes === 0 ? stated : Number(bytesToUint(bytes.subarray(at + 1, start))));
  if (end > bytes.length) return malformed('cut short');
  if (!isList) return { value: bytes.subarray(start, end), end };
  const items: Rlp[] = [];
  for (let next = start; next < end; ) {
    const item = decodeAt(bytes.subarray(0, end), next);
    items.push(item.value);
    next = item.end;
  }
  return { value: items, end };
}

function malformed(what: string): never {
  throw new ConcordatError('MESSAGE_MALFORMED', `RLP: ${what}`);
}
