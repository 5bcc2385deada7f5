// SEAL 4.1's serialised layout, uncompressed: the one way in and out of node-seal for ring elements as words.
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';

// SEALHeader (16 bytes): magic, header size, version 4.1, no compression, reserved, u64 total size
const MAGIC = Uint8Array.of(0x5e, 0xa1, 16, 4, 1, 0, 0, 0);
const CIPHERTEXT_DATA = 113;
const PLAINTEXT_DATA = 88;
const POLYNOMIAL_BYTES = 8 * RESIDUES_PER_BLOCK;
const CIPHERTEXT_POLYNOMIALS = 2;

function header(bytes: Uint8Array, at: number, size: number): void {
  bytes.set(MAGIC, at);
  new DataView(bytes.buffer).setBigUint64(at + 8, BigInt(size), true);
}

/**
 * A ciphertext of two polynomials, zeros. Offsets: 16 parms id, 48 is-NTT, 49 polynomials, 57 N, 65 primes,
 * 73 scale, 81 correction factor, 89 inner header, 105 word count, 113 words [polynomial][prime][coefficient].
 * @param parmsId 32 bytes: SEAL's name of the level with our three primes
 */
export function ciphertextTemplate(parmsId: Uint8Array, nttForm: boolean): Uint8Array {
  const size = CIPHERTEXT_DATA + CIPHERTEXT_POLYNOMIALS * POLYNOMIAL_BYTES;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  header(bytes, 0, size);
  bytes.set(parmsId, 16);
  bytes[48] = nttForm ? 1 : 0;
  view.setBigUint64(49, BigInt(CIPHERTEXT_POLYNOMIALS), true);
  view.setBigUint64(57, BigInt(RING_DEGREE), true);
  view.setBigUint64(65, BigInt(PRIMES.length), true);
  view.setFloat64(73, 1, true);
  view.setBigUint64(81, 1n, true);
  header(bytes, 89, size - 89);
  view.setBigUint64(105, BigInt(CIPHERTEXT_POLYNOMIALS * RESIDUES_PER_BLOCK), true);
  return bytes;
}

/** A plaintext in NTT form, zeros. Offsets: 16 parms id, 48 words, 56 scale, 64 inner header, 80 word count, 88 words. */
export function plaintextTemplate(parmsId: Uint8Array): Uint8Array {
  const size = PLAINTEXT_DATA + POLYNOMIAL_BYTES;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  header(bytes, 0, size);
  bytes.set(parmsId, 16);
  view.setBigUint64(48, BigInt(RESIDUES_PER_BLOCK), true);
  view.setFloat64(56, 1, true);
  header(bytes, 64, size - 64);
  view.setBigUint64(80, BigInt(RESIDUES_PER_BLOCK), true);
  return bytes;
}

/** SEAL keeps a residue as a little-endian u64; ours fill the low half, the high half stays zero. */
const scratch = new Uint32Array(2 * RESIDUES_PER_BLOCK);
const scratchBytes = new Uint8Array(scratch.buffer);

function writePolynomial(bytes: Uint8Array, at: number, words: Uint32Array): void {
  for (let i = 0; i < RESIDUES_PER_BLOCK; i++) scratch[2 * i] = words[i] ?? 0;
  bytes.set(scratchBytes, at);
}

export function writeCiphertext(bytes: Uint8Array, polynomial: 0 | 1, words: Uint32Array): void {
  writePolynomial(bytes, CIPHERTEXT_DATA + polynomial * POLYNOMIAL_BYTES, words);
}

export function writePlaintext(bytes: Uint8Array, words: Uint32Array): void {
  writePolynomial(bytes, PLAINTEXT_DATA, words);
}

/** `bytes` are SEAL's own output. The words start unaligned, so they pass through the scratch. */
export function readCiphertext(bytes: Uint8Array, polynomial: 0 | 1, out: Uint32Array): void {
  const start = CIPHERTEXT_DATA + polynomial * POLYNOMIAL_BYTES;
  scratchBytes.set(bytes.subarray(start, start + POLYNOMIAL_BYTES));
  for (let i = 0; i < RESIDUES_PER_BLOCK; i++) out[i] = scratch[2 * i] ?? 0;
}

/** Secrets pass through the scratch too. */
export function wipeScratch(): void {
  scratch.fill(0);
}
