// Writes protocol buffers (https://protobuf.dev/programming-guides/encoding): the four kinds of field that an ONNX file has.
import { concatBytes, utf8ToBytes } from '../../bytes.ts';

function varint(value: number | bigint): Uint8Array {
  // a negative int64 is its two's complement, ten bytes long
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.from([...bytes, Number(rest)]);
}

const tag = (field: number, wire: 0 | 2 | 5): Uint8Array => varint((field << 3) | wire);

export const int = (field: number, value: number): Uint8Array => concatBytes(tag(field, 0), varint(value));

export function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concatBytes(tag(field, 5), bytes);
}

export const bytesField = (field: number, value: Uint8Array): Uint8Array =>
  concatBytes(tag(field, 2), varint(value.length), value);

export const text = (field: number, value: string): Uint8Array => bytesField(field, utf8ToBytes(value));

export const message = (field: number, ...parts: readonly Uint8Array[]): Uint8Array =>
  bytesField(field, concatBytes(...parts));
