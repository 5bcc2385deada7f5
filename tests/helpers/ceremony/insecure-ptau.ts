// Powers of tau whose secrets stand below, for tests only: every point is a multiple of a generator by a known number, so that a
// prepared file of 2^14 takes seconds where an honest one, made without knowing the numbers, takes five minutes.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import * as ffjavascript from 'ffjavascript';
import { assembleBn254 } from '../../../engines/proof/assemble-bn254.ts';
import { BASE_FIELD_ORDER } from '../../../engines/proof/base-field.ts';
import { type Bn254, loadBn254 } from '../../../engines/proof/bn254.ts';
import { readPtauPower, withPtau } from '../../../engines/proof/ceremony-ptau.ts';
import { circuitHash, plainPoints } from '../../../engines/proof/circuit-hash.ts';
import { inverse, power as powerOf, reduce, rootOfUnity } from '../../../engines/proof/field.ts';
import { createFixedBase } from '../../../engines/proof/fixed-base.ts';
import { evaluateQap, lagrangeBasis } from '../../../engines/proof/qap.ts';
import { readR1cs } from '../../../engines/proof/r1cs.ts';
import { SCALAR_BYTES, scalarBytes } from '../../../engines/proof/scalar-bytes.ts';
import { readSections, writeSections } from '../../../engines/proof/sections.ts';
import { encodeZkey } from '../../../engines/proof/zkey-writer.ts';
import { FIELD_ORDER } from '../../../protocol/consent/policy.ts';

/** Known to everybody who reads this: a key made of them is worth nothing. */
const SECRETS = { tau: 0x7a11n ** 15n, alpha: 0xa1fan ** 15n, beta: 0xbe7an ** 15n };

/** snarkjs' own checks take it, and so does `concordat ceremony init`. */
export async function writeInsecurePtau(file: string, power: number): Promise<void> {
  const { tau, alpha, beta } = SECRETS;
  const bn254 = await loadBn254(await assembleBn254());
  const [g1, g2] = [createFixedBase(bn254, 'g1m', 12), createFixedBase(bn254, 'g2m', 9)];
  const [size, count] = [2 ** power, power + 1];
  const lagrange = Array.from({ length: count }, (_, bits) => lagrangeBasis(bits, tau)).flat();
  const times = (factor: bigint, values: readonly bigint[]): bigint[] =>
    values.map((value) => (value * factor) % FIELD_ORDER);
  const powers = powersOf(tau, 2 * size - 1);
  const points: Powers = {
    tau1: g1.multiples(powers),
    tau2: g2.multiples(powers.slice(0, size)),
    alphaTau1: g1.multiples(times(alpha, powers.slice(0, size))),
    betaTau1: g1.multiples(times(beta, powers.slice(0, size))),
    beta2: g2.multiples([beta]),
  };
  const sections = [
    { id: 1, parts: [uint32(SCALAR_BYTES), scalarBytes(BASE_FIELD_ORDER), uint32(power), uint32(power)] },
    { id: 2, parts: [points.tau1] },
    { id: 3, parts: [points.tau2] },
    { id: 4, parts: [points.alphaTau1] },
    { id: 5, parts: [points.betaTau1] },
    { id: 6, parts: [points.beta2] },
    { id: 7, parts: [uint32(1), await contribution(bn254, points, size)] },
    { id: 12, parts: [g1.multiples([...lagrange, ...shortened(power + 1, tau)])] },
    { id: 13, parts: [g2.multiples(lagrange)] },
    { id: 14, parts: [g1.multiples(times(alpha, lagrange))] },
    { id: 15, parts: [g1.multiples(times(beta, lagrange))] },
  ];
  await writeFile(file, writeSections('ptau', 1, sections));
}

/**
 * The key that a ceremony on these powers begins with, section for section the one that `concordat ceremony init` makes (which takes
 * half a minute for it, without the secrets).
 */
export async function insecureInitialKey(r1csFile: Uint8Array, ptauFile: string): Promise<Uint8Array> {
  const { tau, alpha, beta } = SECRETS;
  const bn254 = await loadBn254(await assembleBn254());
  const [g1, g2] = [createFixedBase(bn254, 'g1m', 12), createFixedBase(bn254, 'g2m', 9)];
  const r1cs = readR1cs(r1csFile);
  const { domainBits, a, b, c } = evaluateQap(r1cs, tau);
  const shared = a.map((value, wire) => reduce(beta * value + alpha * (b[wire] ?? 0n) + (c[wire] ?? 0n)));
  const power = await readPtauPower(ptauFile);
  const doubled = domainBits === power ? shortened(domainBits + 1, tau) : lagrangeBasis(domainBits + 1, tau);
  const quotient = doubled.filter((_, i) => i % 2 === 1);
  const points = {
    ...{ domainSize: 2 ** domainBits, alpha1: g1.multiples([alpha]), beta1: g1.multiples([beta]) },
    ...{ delta1: g1.multiples([1n]), beta2: g2.multiples([beta]) },
    ...{ gamma2: g2.multiples([1n]), delta2: g2.multiples([1n]) },
    ic: g1.multiples(shared.slice(0, r1cs.publicSignals + 1)),
    c: g1.multiples(shared.slice(r1cs.publicSignals + 1)),
    ...{ a: g1.multiples(a), b1: g1.multiples(b), b2: g2.multiples(b), h: g1.multiples(quotient) },
  };
  const file = encodeZkey(bn254, r1cs, r1csFile, points);
  const hash = await withPtau(ptauFile, (ptau) => circuitHash(bn254, ptau, points));
  file.set(hash, readSections(file, 'zkey').get(10)?.offset);
  return file;
}

function powersOf(base: bigint, count: number): bigint[] {
  const powers = [1n];
  while (powers.length < count) powers.push((base * (powers.at(-1) ?? 0n)) % FIELD_ORDER);
  return powers;
}

/** The largest domain has a power less than it has rows: snarkjs takes 0·G1 for the one that is missing. */
function shortened(bits: number, tau: bigint): bigint[] {
  const [rows, root] = [2 ** bits, rootOfUnity(bits)];
  let missing = (powerOf(tau, BigInt(rows - 1)) * inverse(BigInt(rows))) % FIELD_ORDER;
  return lagrangeBasis(bits, tau).map((value) => {
    const without = reduce(value - missing);
    missing = (missing * root) % FIELD_ORDER;
    return without;
  });
}

interface Powers {
  readonly tau1: Uint8Array;
  readonly tau2: Uint8Array;
  readonly alphaTau1: Uint8Array;
  readonly betaTau1: Uint8Array;
  readonly beta2: Uint8Array;
}

/** What snarkjs has for a contributor's public key; our declaration of the package leaves it out. */
interface Group {
  readonly g: Uint8Array;
  fromRng(rng: object): Uint8Array;
  timesScalar(point: Uint8Array, scalar: bigint): Uint8Array;
  toAffine(point: Uint8Array): Uint8Array;
  toUncompressed(point: Uint8Array): Uint8Array;
  toRprLEM(out: Uint8Array, at: number, point: Uint8Array): void;
}
const { ChaCha } = ffjavascript as unknown as { ChaCha: new (seed: readonly number[]) => object };

/** Of one contributor who begins with nothing: that the secrets are known is what makes it insecure, not the form. */
async function contribution(bn254: Bn254, points: Powers, size: number): Promise<Uint8Array> {
  const { G1, G2 } = (await ffjavascript.buildBn128(true)) as unknown as { readonly G1: Group; readonly G2: Group };
  const challenge = firstChallenge(G1, G2, size);
  const secrets = [SECRETS.tau, SECRETS.alpha, SECRETS.beta];
  const first = secrets.flatMap((secret) => [G1.g, G1.timesScalar(G1.g, secret)]);
  const second = secrets.map((secret, i) => {
    const [s = G1.g, sx = G1.g] = first.slice(2 * i, 2 * i + 2);
    const seed = blake2b([Uint8Array.of(i), challenge, G1.toUncompressed(s), G1.toUncompressed(sx)]);
    const point = G2.fromRng(new ChaCha(Array.from({ length: 8 }, (_, word) => seed.readUInt32BE(4 * word))));
    return G2.timesScalar(point, secret);
  });
  const response = blake2b([...first.map((p) => G1.toUncompressed(p)), ...second.map((p) => G2.toUncompressed(p))]);
  const { tau1, tau2, alphaTau1, betaTau1, beta2 } = points;
  const hashed = [
    plainPoints(bn254, 'g1m', tau1),
    plainPoints(bn254, 'g2m', tau2),
    plainPoints(bn254, 'g1m', alphaTau1),
    plainPoints(bn254, 'g1m', betaTau1),
    plainPoints(bn254, 'g2m', beta2),
  ];
  const name = new TextEncoder().encode('insecure');
  return Buffer.concat([
    ...[tau1.subarray(64, 128), tau2.subarray(128, 256), alphaTau1.subarray(0, 64), betaTau1.subarray(0, 64), beta2],
    ...first.map((point) => montgomery(G1, point, 64)),
    ...second.map((point) => montgomery(G2, point, 128)),
    ...[freshHasher(), blake2b([response, ...hashed])],
    // neither a beacon nor without a name
    ...[uint32(0), uint32(2 + name.byteLength), Uint8Array.of(1, name.byteLength), name],
  ]);
}

function montgomery(group: Group, point: Uint8Array, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  group.toRprLEM(out, 0, point);
  return out;
}

/** The hash of powers of 1, with which every ceremony of this size begins. */
function firstChallenge(G1: Group, G2: Group, size: number): Buffer {
  const [g1, g2] = [Buffer.from(G1.toUncompressed(G1.g)), Buffer.from(G2.toUncompressed(G2.g))];
  const [all1, all2] = [Buffer.alloc((4 * size - 1) * g1.length, g1), Buffer.alloc((size + 1) * g2.length, g2)];
  const tau1 = (2 * size - 1) * g1.length;
  const tau2 = size * g2.length;
  return blake2b([
    ...[blake2b([]), all1.subarray(0, tau1), all2.subarray(0, tau2), all1.subarray(tau1), all2.subarray(tau2)],
  ]);
}

/** The state of blake2b before its first byte: the response of this contribution covers its public key alone. */
function freshHasher(): Uint8Array {
  const words = [
    0x6a09e667f3bcc908n ^ 0x01010040n,
    ...[0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n, 0x510e527fade682d1n],
    ...[0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n],
  ];
  const state = Buffer.alloc(216);
  for (const [i, word] of words.entries()) state.writeBigUInt64LE(word, 128 + 8 * i);
  return state;
}

function blake2b(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('blake2b512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
