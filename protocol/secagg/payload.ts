// Payload bytes: "CCP2", block count, residues of 30 bits. Parsed here and only here; an engine gets words, never bytes.
import { type Hex, sha256, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from './block.ts';
import { PACKED_BYTES_PER_BLOCK, PACKED_WORDS_PER_BLOCK, unpackResidues } from './residue-bits.ts';

const MAGIC = Uint8Array.of(0x43, 0x43, 0x50, 0x32);
export const HEADER_BYTES = 8;

declare const checked: unique symbol;

/** A payload whose size and every residue have been checked. Only decodePayload makes one. */
export interface Payload {
  readonly [checked]: true;
  readonly blocks: number;
  /** Packed residues, PACKED_WORDS_PER_BLOCK a block. */
  readonly words: Uint32Array;
  /** What was received: what is hashed. */
  readonly bytes: Uint8Array;
}

export const payloadBytes = (blocks: number): number => HEADER_BYTES + PACKED_BYTES_PER_BLOCK * blocks;

/** The first eight bytes. The block count is the caller's, or the task's layout. */
export function payloadHeader(blocks: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(MAGIC);
  new DataView(header.buffer).setUint32(4, blocks, true);
  return header;
}

/** Takes a payload's bytes as they come and hands out whole blocks, every residue checked. Once it refused, it stays so. */
export interface PayloadParser {
  /** @throws ConcordatError PAYLOAD_MALFORMED with the place */
  push(chunk: Uint8Array): void;
  /** @throws ConcordatError PAYLOAD_MALFORMED when bytes are missing */
  end(): void;
}

/**
 * Holds one block, whatever the size of the payload.
 * @param blocks how many blocks the task's layout makes
 * @param onBlock packed words and residues of block `index`; both arrays are used again for the next block
 */
export function createPayloadParser(
  blocks: number,
  onBlock: (index: number, words: Uint32Array, residues: Uint32Array) => void,
): PayloadParser {
  refuseBigEndian();
  const header = new Uint8Array(HEADER_BYTES);
  const words = new Uint32Array(PACKED_WORDS_PER_BLOCK);
  const block = new Uint8Array(words.buffer);
  const residues = new Uint32Array(RESIDUES_PER_BLOCK);
  let received = 0;
  let refused: ConcordatError | undefined;
  const refuse = (error: ConcordatError): never => {
    refused = error;
    throw error;
  };

  function take(chunk: Uint8Array): number {
    const inHeader = received < HEADER_BYTES;
    const into = inHeader ? header : block;
    const at = inHeader ? received : (received - HEADER_BYTES) % block.length;
    const part = chunk.subarray(0, into.length - at);
    into.set(part, at);
    received += part.length;
    if (at + part.length === into.length) {
      if (inHeader) checkHeader(header, blocks);
      else {
        const index = (received - HEADER_BYTES) / block.length - 1;
        unpackResidues(words, residues);
        checkResidues(residues, index);
        onBlock(index, words, residues);
      }
    }
    return part.length;
  }

  return {
    push(chunk) {
      if (refused !== undefined) throw refused;
      if (received + chunk.length > payloadBytes(blocks)) refuse(wrongSize(received + chunk.length, blocks));
      try {
        for (let at = 0; at < chunk.length; ) at += take(chunk.subarray(at));
      } catch (error) {
        if (error instanceof ConcordatError) refuse(error);
        throw error;
      }
    },
    end() {
      if (refused !== undefined) throw refused;
      if (received !== payloadBytes(blocks)) refuse(wrongSize(received, blocks));
    },
  };
}

/**
 * A whole payload at once: exact size, magic, block count, and every residue below its prime. Copies only when unaligned.
 * @throws ConcordatError PAYLOAD_MALFORMED with the place
 */
export function decodePayload(bytes: Uint8Array, blocks: number): Payload {
  if (bytes.length !== payloadBytes(blocks)) throw wrongSize(bytes.length, blocks);
  const parser = createPayloadParser(blocks, () => undefined);
  parser.push(bytes);
  parser.end();
  const start = bytes.byteOffset + HEADER_BYTES;
  const words =
    start % 4 === 0
      ? new Uint32Array(bytes.buffer, start, blocks * PACKED_WORDS_PER_BLOCK)
      : new Uint32Array(new Uint8Array(bytes.subarray(HEADER_BYTES)).buffer);
  return { blocks, words, bytes } as Payload;
}

/** The packed words of one block of a checked payload. */
export const blockOf = ({ words }: Payload, index: number): Uint32Array =>
  words.subarray(index * PACKED_WORDS_PER_BLOCK, (index + 1) * PACKED_WORDS_PER_BLOCK);

function checkHeader(header: Uint8Array, blocks: number): void {
  if (MAGIC.some((byte, i) => header[i] !== byte)) throw malformed('the first four bytes are not "CCP2"');
  const stated = new DataView(header.buffer).getUint32(4, true);
  if (stated !== blocks) throw malformed(`it states ${stated} blocks, not ${blocks}`, { stated, blocks });
}

function checkResidues(residues: Uint32Array, block: number): void {
  for (let prime = 0; prime < PRIMES.length; prime++) {
    const p = PRIMES[prime] ?? 0;
    for (let coefficient = 0, at = prime * RING_DEGREE; coefficient < RING_DEGREE; coefficient++, at++) {
      if ((residues[at] ?? p) >= p) {
        const place = { block, prime, coefficient };
        throw malformed(`residue ${coefficient} of prime ${prime} in block ${block} is not below ${p}`, place);
      }
    }
  }
}

/** sha256 of the bytes as they are; `hash` lets a process pass node:crypto's faster one. */
export const payloadHash = (bytes: Uint8Array, hash = sha256): Hex => toHex(hash(bytes));

const malformed = (detail: string, fields: Record<string, number> = {}): ConcordatError =>
  new ConcordatError('PAYLOAD_MALFORMED', detail, fields);

const wrongSize = (bytes: number, blocks: number): ConcordatError =>
  malformed(`${bytes} bytes, not ${payloadBytes(blocks)}`, { bytes, blocks });

/** The words are viewed in place, so the host must be little-endian; all that Node supports but s390x is. */
function refuseBigEndian(): void {
  if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) {
    throw new ConcordatError('PROCESS_FAILED', 'this host is big-endian; payloads are read in place');
  }
}
