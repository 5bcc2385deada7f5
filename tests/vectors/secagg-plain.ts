// Secure aggregation around the ring, written down a second time: BigInt, one number at a time, tags and encodings spelt out.
// Shares no code with protocol/secagg but the shapes of its arguments; only tests and the vectors' builder use it.
import { createHash } from 'node:crypto';
import { shake128 } from '@noble/hashes/sha3.js';
import type { Hex } from '../../protocol/bytes.ts';

const N = 4096;
export const FIELD = 65521n;
const PRIMES = [1073651713n, 1073668097n, 1073692673n] as const;
const REPETITIONS = [0, 1, 2, 3] as const;

export const hashOf = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};
export const hex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString('hex')}`;
export const bytesOf = (value: string): Uint8Array => new Uint8Array(Buffer.from(value.slice(2), 'hex'));
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const concat = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const mod = (x: bigint, m: bigint): bigint => ((x % m) + m) % m;

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let b = mod(base, modulus), e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus) {
    if (e & 1n) result = (result * b) % modulus;
  }
  return result;
}

/** Canonical CBOR (RFC 8949, 4.2) of what is hashed here: a list of whole numbers and texts. */
export function cborList(items: readonly (number | string)[]): Uint8Array {
  const head = (major: number, n: number): Uint8Array => {
    const size = n < 24 ? 0 : n < 2 ** 8 ? 1 : n < 2 ** 16 ? 2 : n < 2 ** 32 ? 4 : 8;
    const first = size === 0 ? n : 24 + Math.log2(size);
    const rest = Array.from({ length: size }, (_, i) => Number((BigInt(n) >> BigInt(8 * (size - 1 - i))) & 255n));
    return Uint8Array.of((major << 5) | first, ...rest);
  };
  const one = (item: number | string): Uint8Array =>
    typeof item === 'number' ? head(0, item) : concat(head(3, text(item).length), text(item));
  return concat(head(4, items.length), ...items.map(one));
}

/** Little-endian words of `bytes` bytes from SHAKE128(input), masked, those not below the bound of the next place refused. */
function fromStream(input: Uint8Array, bytes: 2 | 4, mask: number, bounds: readonly bigint[]): number[] {
  const stream = shake128.create().update(input);
  const out: number[] = [];
  for (const bound of bounds) {
    for (;;) {
      const word = stream.xof(bytes).reduceRight((value, byte) => value * 256 + byte, 0);
      const masked = mask === 0 ? word : word & mask;
      if (BigInt(masked) < bound) {
        out.push(masked);
        break;
      }
    }
  }
  return out;
}

const THIRTY_BITS = 2 ** 30 - 1;
const polynomialOf = (bound: bigint): bigint[] => new Array<bigint>(N).fill(bound);

/** a_k as three polynomials in NTT order: tag ‖ seed ‖ block (4 bytes, big-endian) ‖ prime. */
export function plainA(seed: Uint8Array, block: number): Uint32Array {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, block);
  return Uint32Array.from(
    PRIMES.flatMap((p, j) =>
      fromStream(concat(text('concordat/1/a'), seed, number, Uint8Array.of(j)), 4, THIRTY_BITS, polynomialOf(p)),
    ),
  );
}

const ones = (bytes: Uint8Array): number =>
  bytes.reduce((count, byte) => count + byte.toString(2).replaceAll('0', '').length, 0);

/** Ones of five bytes minus ones of the next five, 4,096 times. */
export const plainCbd = (bytes: Uint8Array): Int32Array =>
  Int32Array.from(
    { length: N },
    (_, i) => ones(bytes.subarray(10 * i, 10 * i + 5)) - ones(bytes.subarray(10 * i + 5, 10 * i + 10)),
  );

/** Uniform residues mod 65521 from a random stream: 16 bits, little-endian, refused from 65521 on. */
export function plainUniform(length: number, random: (bytes: Uint8Array) => void): bigint[] {
  const out: bigint[] = [];
  const word = new Uint8Array(2);
  while (out.length < length) {
    random(word);
    const value = BigInt((word[0] ?? 0) + 256 * (word[1] ?? 0));
    if (value < FIELD) out.push(value);
  }
  return out;
}

/** f(x) = constant + c_1·x + c_2·x² + … at x = 1 … holders, for each coefficient of the secret and each mask. */
export function plainShares(
  constants: readonly bigint[],
  coefficients: readonly (readonly bigint[])[],
  holders: number,
): Uint16Array[] {
  return Array.from({ length: holders }, (_, h) =>
    Uint16Array.from(constants, (constant, c) => {
      const x = BigInt(h + 1);
      const y = coefficients.reduce((sum, polynomial, k) => sum + (polynomial[c] ?? 0n) * x ** BigInt(k + 1), constant);
      return Number(mod(y, FIELD));
    }),
  );
}

/** The polynomial through the points, at x. */
export function plainInterpolation(points: readonly (readonly [number, number])[], x: number): bigint {
  const at = BigInt(x);
  return points.reduce((sum, [xi, yi]) => {
    const others = points.map(([other]) => BigInt(other)).filter((other) => other !== BigInt(xi));
    const top = others.reduce((product, other) => product * (at - other), 1n);
    const bottom = others.reduce((product, other) => product * (BigInt(xi) - other), 1n);
    return mod(sum + BigInt(yi) * top * power(bottom, FIELD - 2n, FIELD), FIELD);
  }, 0n);
}

/** Whether the points lie on one polynomial of degree threshold − 1. */
export const plainOnOnePolynomial = (points: readonly (readonly [number, number])[], threshold: number): boolean =>
  points.slice(threshold).every(([x, y]) => plainInterpolation(points.slice(0, threshold), x) === BigInt(y));

/** S: every coefficient at 0, centred. */
export function plainSecret(shares: readonly (readonly [number, Uint16Array])[]): Int32Array {
  return Int32Array.from({ length: N }, (_, c) => {
    const y = plainInterpolation(
      shares.map(([index, share]) => [index, share[c] ?? 0]),
      0,
    );
    return Number(y > FIELD / 2n ? y - FIELD : y);
  });
}

export interface PlainContext {
  readonly chainId: number;
  readonly ledger: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly dealer: Hex;
  readonly payloadHash: Hex;
}

/** ρ: four rows of 4,096 residues mod 65521. */
export function plainCombination(c: PlainContext, sharesRoot: Hex): Uint16Array[] {
  const tag = 'concordat/1/linear-test';
  const seed = hashOf(cborList([tag, c.chainId, c.round, c.attempt, c.ledger, c.dealer, c.payloadHash, sharesRoot]));
  return REPETITIONS.map((row) =>
    Uint16Array.from(fromStream(concat(text(tag), seed, Uint8Array.of(row)), 2, 0, polynomialOf(FIELD))),
  );
}

/** z_j = mask_j + Σ ρ_{j,c}·share_c, as four uint16le. */
export function plainTestValue(share: Uint16Array, combination: readonly Uint16Array[]): Uint8Array {
  const values = combination.map((row, j) =>
    row.reduce((sum, factor, c) => sum + BigInt(factor) * BigInt(share[c] ?? 0), BigInt(share[N + j] ?? 0)),
  );
  return Uint8Array.from(values.flatMap((z) => [Number(z % FIELD) & 255, Number(z % FIELD) >> 8]));
}

export interface PlainChallenge {
  readonly chainId: number;
  readonly ledger: Hex;
  readonly round: number;
  readonly setHash: Hex;
  readonly payloadHashes: readonly Hex[];
  readonly aggregateHash: Hex;
  readonly blocks: number;
}

const FINGERPRINT = 'concordat/1/fingerprint';

export const plainChallenge = (c: PlainChallenge): Uint8Array =>
  hashOf(
    cborList([FINGERPRINT, c.chainId, c.round, c.blocks, c.ledger, c.setHash, c.aggregateHash, ...c.payloadHashes]),
  );

/** The cells of a fingerprint, in order: repetition, then prime. */
const CELLS = REPETITIONS.flatMap((repetition) => PRIMES.map((p, prime) => ({ repetition, prime, p })));

/** w: 4,096 residues for each repetition and prime, in the order of the fingerprint. */
export const plainWeights = (challenge: Uint8Array): Uint32Array[] =>
  CELLS.map(({ repetition, prime, p }) =>
    Uint32Array.from(
      fromStream(
        concat(text(`${FINGERPRINT}/w`), challenge, Uint8Array.of(repetition, prime)),
        4,
        THIRTY_BITS,
        polynomialOf(p),
      ),
    ),
  );

/** u_k: one residue for each repetition and prime. */
export function plainBlockWeights(challenge: Uint8Array, block: number): number[] {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, block);
  const input = concat(text(`${FINGERPRINT}/u`), challenge, number);
  return fromStream(
    input,
    4,
    THIRTY_BITS,
    CELLS.map(({ p }) => p),
  );
}

/** f = Σ_k u_k · Σ_i w_i · c_{k,i}, twelve uint32le. @param residues [block][prime][coefficient] */
export function plainFingerprint(
  challenge: Uint8Array,
  residues: Uint32Array,
  weights = plainWeights(challenge),
): Uint8Array {
  const out = new Uint8Array(4 * CELLS.length);
  const view = new DataView(out.buffer);
  const blocks = residues.length / (3 * N);
  const u = Array.from({ length: blocks }, (_, k) => plainBlockWeights(challenge, k));
  CELLS.forEach(({ prime, p }, cell) => {
    let sum = 0n;
    for (let k = 0; k < blocks; k++) {
      let inner = 0n;
      for (let i = 0; i < N; i++) {
        inner += BigInt(weights[cell]?.[i] ?? 0) * BigInt(residues[(3 * k + prime) * N + i] ?? 0);
      }
      sum += BigInt(u[k]?.[cell] ?? 0) * inner;
    }
    view.setUint32(4 * cell, Number(sum % p), true);
  });
  return out;
}
