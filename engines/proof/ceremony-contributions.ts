// Who contributed to a proving key, read from section 10 of its zkey file.
import { createHash } from 'node:crypto';
import { BASE_FIELD_ORDER } from './base-field.ts';
import { fault } from './ceremony-log.ts';
import { modInverse } from './modular.ts';
import { readScalar, SCALAR_BYTES } from './scalar-bytes.ts';
import { readSections } from './sections.ts';

interface Contribution {
  readonly kind: 'contribution' | 'beacon';
  /** Of the public key: the same number that snarkjs prints. */
  readonly hash: string;
  readonly name: string;
  readonly beacon?: string;
  readonly iterationsExp?: number;
}

/** delta in G1, s and s·x in G1, s'·x in G2; then 64 bytes of transcript. */
const POINTS_BYTES = 64 + 64 + 64 + 128;
const TRANSCRIPT_BYTES = 64;
const RADIX_INVERSE = modInverse(1n << 256n, BASE_FIELD_ORDER) ?? 0n;

/**
 * Whether the keys follow from each other is snarkjs' to verify, not looked at here.
 * @param step names the file in a fault
 * @throws ConcordatError CEREMONY_INVALID, FILE_UNREADABLE
 */
export function readContributions(zkey: Uint8Array, step: string): Contribution[] {
  const section = readSections(zkey, 'zkey').get(10);
  if (section === undefined) return fault(step, 'its key has no list of contributions');
  const bytes = zkey.subarray(section.offset, section.offset + section.bytes);
  let at = 0;
  const take = (count: number): Uint8Array => {
    at += count;
    return at <= bytes.length ? bytes.subarray(at - count, at) : fault(step, 'its list of contributions is cut off');
  };
  const number = (): number => {
    const four = take(4);
    return new DataView(four.buffer, four.byteOffset, 4).getUint32(0, true);
  };
  take(64); // hash of the circuit
  const found: Contribution[] = [];
  for (let left = number(); left > 0; left--) {
    const hash = publicKeyHash(take(POINTS_BYTES), take(TRANSCRIPT_BYTES));
    const kind = number() === 1 ? 'beacon' : 'contribution';
    found.push({ kind, hash, ...readParameters(take(number()), step) });
  }
  if (at !== bytes.length) fault(step, 'its list of contributions is longer than it says');
  return found;
}

/** Tagged values in ascending order: 1 a name, 2 log2 of the beacon's iterations, 3 the beacon. */
function readParameters(bytes: Uint8Array, step: string): Omit<Contribution, 'kind' | 'hash'> {
  const values = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    const length = tag === 2 ? 1 : (bytes[at + 1] ?? 0);
    const from = at + (tag === 2 ? 1 : 2);
    if (tag < 1 || tag > 3 || values.has(tag) || from + length > bytes.length) fault(step, 'an unknown parameter');
    values.set(tag, bytes.subarray(from, from + length));
    at = from + length;
  }
  const [iterationsExp] = values.get(2) ?? [];
  const beacon = values.get(3);
  return {
    name: new TextDecoder().decode(values.get(1)),
    ...(iterationsExp !== undefined && { iterationsExp }),
    ...(beacon !== undefined && { beacon: Buffer.from(beacon).toString('hex') }),
  };
}

/** The points leave Montgomery form and become big-endian, the G2 coordinates (imaginary, real): snarkjs' "uncompressed". */
function publicKeyHash(points: Uint8Array, transcript: Uint8Array): string {
  const view = new DataView(points.buffer, points.byteOffset, points.byteLength);
  const g1 = [0, 1, 2, 3, 4, 5];
  const g2 = [7, 6, 9, 8];
  const hash = createHash('blake2b512');
  for (const coordinate of [...g1, ...g2]) {
    const value = (readScalar(view, coordinate * SCALAR_BYTES) * RADIX_INVERSE) % BASE_FIELD_ORDER;
    hash.update(Buffer.from(value.toString(16).padStart(2 * SCALAR_BYTES, '0'), 'hex'));
  }
  return hash.update(transcript).digest('hex');
}
