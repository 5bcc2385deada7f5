// Is this sum the sum of those payloads? 48 linear bytes of each tell, without looking at any payload again.
import { concatBytes, type Hex, sha256, uintToBytes, utf8ToBytes } from '../bytes.ts';
import { encodeCbor } from '../codec.ts';
import { ConcordatError } from '../errors.ts';
import { PROTOCOL_VERSION, SECAGG } from '../params.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from './block.ts';
import { mulMod } from './coefficients.ts';
import { nobleShake128, type Xof } from './public-a.ts';

/** [repetition][prime], uint32le. */
export const FINGERPRINT_BYTES = 4 * SECAGG.fingerprintRepetitions * PRIMES.length;

/** What fixes the challenge: all of it stands on chain or is hashed before anybody can know the challenge. */
export interface FingerprintContext {
  readonly chainId: number;
  /** The RoundLedger. */
  readonly ledger: Hex;
  readonly round: number;
  readonly setHash: Hex;
  /** Of the set's payloads, in the order of SetFinalised. */
  readonly payloadHashes: readonly Hex[];
  readonly aggregateHash: Hex;
  /** Of the sum and of every payload: a zero block more would change no inner product. */
  readonly blocks: number;
}

const TAG = `${PROTOCOL_VERSION}/fingerprint`;
const MASK = 2 ** 30 - 1;

/** 32 bytes; another sum, set or payload makes another challenge (Fiat-Shamir). */
export function fingerprintChallenge(context: FingerprintContext): Uint8Array {
  const { chainId, ledger, round, setHash, payloadHashes, aggregateHash, blocks } = context;
  const hex = [ledger, setHash, aggregateHash, ...payloadHashes].map((value) => value.toLowerCase());
  return sha256(encodeCbor([TAG, chainId, round, blocks, ...hex]));
}

/** A residue below each of `primes` in turn, from one stream: 32-bit little-endian words, masked to 30 bits, refused from p on. */
function uniform(input: Uint8Array, primes: readonly number[], xof: Xof): Float64Array {
  const out = new Float64Array(primes.length);
  for (let words = primes.length + 32; ; words *= 2) {
    const stream = xof(input, 4 * words);
    const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
    let taken = 0;
    for (let w = 0; w < words && taken < primes.length; w++) {
      const word = view.getUint32(4 * w, true) & MASK;
      if (word < (primes[taken] ?? 0)) out[taken++] = word;
    }
    if (taken === primes.length) return out;
  }
}

export interface Fingerprinter {
  /** Residues of block `index`, each below its prime. Every block once, in any order. */
  addBlock(index: number, residues: Uint32Array): void;
  /** FINGERPRINT_BYTES. */
  finish(): Uint8Array;
}

/** w split at 15 bits, so that a product with a residue is below 2^45 and CHUNK of them are summed exactly. */
interface Weights {
  readonly low: Float64Array;
  readonly high: Float64Array;
}
const CHUNK = 256;

/**
 * f = Σ_k u_k · Σ_i w_i · c_{k,i} mod p, for each repetition and prime, with u and w uniform from the challenge. Two different
 * sums have the same fingerprint with a chance of (2/p)^4 < 2^-115 (a non-zero form of degree one in u and one in w:
 * Schwartz-Zippel), whatever the number of blocks.
 */
export function createFingerprinter(challenge: Uint8Array, xof: Xof = nobleShake128): Fingerprinter {
  const input = (kind: string, ...numbers: Uint8Array[]) =>
    concatBytes(utf8ToBytes(`${TAG}/${kind}`), challenge, ...numbers);
  const cells = Array.from({ length: SECAGG.fingerprintRepetitions }, (_, repetition) =>
    PRIMES.map((p, prime) => {
      const all = new Array<number>(RING_DEGREE).fill(p);
      return { p, prime, weights: split(uniform(input('w', Uint8Array.of(repetition, prime)), all, xof)), sum: 0 };
    }),
  ).flat();
  const primes = cells.map(({ p }) => p);
  return {
    addBlock(index, residues) {
      if (residues.length !== RESIDUES_PER_BLOCK) throw new RangeError(`${residues.length} residues are no block`);
      const u = uniform(input('u', uintToBytes(index, 4)), primes, xof);
      cells.forEach((cell, i) => {
        const { p, prime, weights } = cell;
        const inner = innerProduct(residues.subarray(prime * RING_DEGREE, (prime + 1) * RING_DEGREE), weights, p);
        cell.sum = (cell.sum + mulMod(u[i] ?? 0, inner, p)) % p;
      });
    },
    finish() {
      const out = new Uint8Array(FINGERPRINT_BYTES);
      const view = new DataView(out.buffer);
      cells.forEach(({ sum }, i) => {
        view.setUint32(4 * i, sum, true);
      });
      return out;
    },
  };
}

function split(w: Float64Array): Weights {
  return { low: w.map((x) => x % 32_768), high: w.map((x) => Math.floor(x / 32_768)) };
}

function innerProduct(residues: Uint32Array, { low, high }: Weights, p: number): number {
  let [sumLow, sumHigh] = [0, 0];
  for (let from = 0; from < RING_DEGREE; from += CHUNK) {
    let [partLow, partHigh] = [0, 0];
    for (let i = from; i < from + CHUNK; i++) {
      const residue = residues[i] ?? 0;
      partLow += residue * (low[i] ?? 0);
      partHigh += residue * (high[i] ?? 0);
    }
    sumLow += partLow % p;
    sumHigh += partHigh % p;
  }
  return ((sumLow % p) + mulMod(sumHigh % p, 32_768, p)) % p;
}

/** @throws ConcordatError MESSAGE_MALFORMED unless it is FINGERPRINT_BYTES of residues */
function decodeFingerprint(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => view.getUint32(4 * i, true));
  if (bytes.length !== FINGERPRINT_BYTES || words.some((word, i) => word >= (PRIMES[i % PRIMES.length] ?? 0))) {
    throw new ConcordatError('MESSAGE_MALFORMED', `a fingerprint is ${FINGERPRINT_BYTES} bytes of residues`);
  }
  return words;
}

/**
 * Whether the payloads' fingerprints add up to that of their sum, all under one challenge.
 * @throws ConcordatError MESSAGE_MALFORMED
 */
export function fingerprintsAddUp(parts: readonly Uint8Array[], whole: Uint8Array): boolean {
  const sums = decodeFingerprint(whole).map(() => 0);
  for (const part of parts) {
    decodeFingerprint(part).forEach((word, i) => {
      sums[i] = ((sums[i] ?? 0) + word) % (PRIMES[i % PRIMES.length] ?? 1);
    });
  }
  return decodeFingerprint(whole).every((word, i) => word === sums[i]);
}
