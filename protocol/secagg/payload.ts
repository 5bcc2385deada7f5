// Payload bytes: "CCP1", block count, residues. Parsed here and only here; an engine gets words, never bytes.
import { type Hex, sha256, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from './block.ts';

const MAGIC = Uint8Array.of(0x43, 0x43, 0x50, 0x31);
const HEADER_BYTES = 8;

declare const checked: unique symbol;

/** A payload whose size and every residue have been checked. Only decodePayload makes one. */
export interface Payload {
  readonly [checked]: true;
  readonly blocks: number;
  /** [block][prime][coefficient], each below its prime. */
  readonly residues: Uint32Array;
  /** What was received: what is hashed. */
  readonly bytes: Uint8Array;
}

export interface WritablePayload {
  readonly bytes: Uint8Array;
  /** A view into `bytes`. */
  readonly residues: Uint32Array;
}

export const payloadBytes = (blocks: number): number => HEADER_BYTES + 4 * RESIDUES_PER_BLOCK * blocks;

/** An empty payload: header written, residues zero and ready to be written in place. */
export function allocatePayload(blocks: number): WritablePayload {
  refuseBigEndian();
  const bytes = new Uint8Array(payloadBytes(blocks));
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(4, blocks, true);
  return { bytes, residues: new Uint32Array(bytes.buffer, HEADER_BYTES) };
}

/**
 * Strict: exact size, magic, block count, and every residue below its prime. Copies only when the bytes are unaligned.
 * @param blocks how many blocks the task's layout makes
 * @throws ConcordatError PAYLOAD_MALFORMED with the place
 */
export function decodePayload(bytes: Uint8Array, blocks: number): Payload {
  refuseBigEndian();
  if (bytes.length !== payloadBytes(blocks)) {
    throw malformed(`${bytes.length} bytes, not ${payloadBytes(blocks)}`, { bytes: bytes.length, blocks });
  }
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed('the first four bytes are not "CCP1"');
  const stated = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  if (stated !== blocks) throw malformed(`it states ${stated} blocks, not ${blocks}`, { stated, blocks });
  const start = bytes.byteOffset + HEADER_BYTES;
  const residues =
    start % 4 === 0
      ? new Uint32Array(bytes.buffer, start, blocks * RESIDUES_PER_BLOCK)
      : new Uint32Array(new Uint8Array(bytes.subarray(HEADER_BYTES)).buffer);
  checkResidues(residues);
  return { blocks, residues, bytes } as Payload;
}

function checkResidues(residues: Uint32Array): void {
  for (let at = 0; at < residues.length; at += RING_DEGREE) {
    const prime = (at / RING_DEGREE) % PRIMES.length;
    const p = PRIMES[prime] ?? 0;
    for (let i = at; i < at + RING_DEGREE; i++) {
      if ((residues[i] ?? p) >= p) {
        const block = Math.floor(at / RESIDUES_PER_BLOCK);
        const place = { block, prime, coefficient: i - at };
        throw malformed(`residue ${i - at} of prime ${prime} in block ${block} is not below ${p}`, place);
      }
    }
  }
}

/** sha256 of the bytes as they are; `hash` lets a process pass node:crypto's faster one. */
export const payloadHash = (bytes: Uint8Array, hash = sha256): Hex => toHex(hash(bytes));

const malformed = (detail: string, fields: Record<string, number> = {}): ConcordatError =>
  new ConcordatError('PAYLOAD_MALFORMED', detail, fields);

/** The words are viewed in place, so the host must be little-endian; all that Node supports but s390x is. */
function refuseBigEndian(): void {
  if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) {
    throw new ConcordatError('PROCESS_FAILED', 'this host is big-endian; payloads are read in place');
  }
}
