// 256-bit numbers as 32 little-endian bytes, as iden3's files and kernels have them.

export const SCALAR_BYTES = 32;

export function readScalar(bytes: DataView, offset: number): bigint {
  let value = 0n;
  for (let word = 3; word >= 0; word--) value = (value << 64n) | bytes.getBigUint64(offset + 8 * word, true);
  return value;
}

export function writeScalar(bytes: DataView, offset: number, value: bigint): void {
  for (let word = 0; word < 4; word++) {
    bytes.setBigUint64(offset + 8 * word, BigInt.asUintN(64, value >> BigInt(64 * word)), true);
  }
}

export function scalarBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(SCALAR_BYTES);
  writeScalar(new DataView(bytes.buffer), 0, value);
  return bytes;
}
