// The key that a ceremony begins with, checked by random combinations: snarkjs' own key holds, and no planted fault does.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bn254 as curve } from '@noble/curves/bn254.js';
import { zKey } from 'snarkjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assembleBn254 } from '../../engines/proof/assemble-bn254.ts';
import { BASE_FIELD_ORDER } from '../../engines/proof/base-field.ts';
import { type Bn254, G1_BYTES, G2_BYTES, loadBn254 } from '../../engines/proof/bn254.ts';
import { withPtau } from '../../engines/proof/ceremony-ptau.ts';
import { circuitHash } from '../../engines/proof/circuit-hash.ts';
import { compileCircuit } from '../../engines/proof/compile.ts';
import { initialKeyFault } from '../../engines/proof/initial-key.ts';
import { readScalar, SCALAR_BYTES, writeScalar } from '../../engines/proof/scalar-bytes.ts';
import { readSections, writeSections } from '../../engines/proof/sections.ts';
import { useOneThread } from '../../engines/proof/verify.ts';
import { decodeZkey } from '../../engines/proof/zkey.ts';
import { insecureInitialKey, writeInsecurePtau } from '../helpers/ceremony/insecure-ptau.ts';
import { chainCircuit } from './ceremony-world.ts';

const CONSTRAINTS = 60;
/** One more than the circuit needs: its points then stand in the middle of the file's sections. */
const POWER = 7;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

let scratch: string;
let bn254: Bn254;
let r1cs: Uint8Array;
let ptauFile: string;
let snarkjsKey: Uint8Array;

beforeAll(async () => {
  await useOneThread();
  scratch = await mkdtemp(join(tmpdir(), 'concordat-initial-key-'));
  bn254 = await loadBn254(await assembleBn254());
  const circuit = await chainCircuit(join(scratch, 'circuit'), CONSTRAINTS);
  const { r1csFile } = await compileCircuit(join(circuit, 'main', 'policy-claim.circom'), scratch);
  r1cs = await readFile(r1csFile);
  ptauFile = join(scratch, 'insecure.ptau');
  await writeInsecurePtau(ptauFile, POWER);
  const zkeyFile = join(scratch, 'initial.zkey');
  await zKey.newZKey(r1csFile, ptauFile, zkeyFile, SILENT);
  snarkjsKey = await readFile(zkeyFile);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const check = (key: Uint8Array, circuit = r1cs): Promise<string | undefined> =>
  withPtau(ptauFile, (ptau) => initialKeyFault(bn254, circuit, ptau, key));

test('the key that snarkjs makes holds, and so does one made by whoever knows the secrets', async () => {
  expect(await check(snarkjsKey)).toBeUndefined();
  const known = await insecureInitialKey(r1cs, ptauFile);
  expect(await check(known)).toBeUndefined();
  // the same but for the order of the sections
  const [a, b] = [readSections(snarkjsKey, 'zkey'), readSections(known, 'zkey')];
  for (const [id, { offset, bytes }] of a) {
    const other = b.get(id);
    const same = known.subarray(other?.offset, (other?.offset ?? 0) + (other?.bytes ?? 0));
    expect(Buffer.from(snarkjsKey.subarray(offset, offset + bytes)).equals(same), `section ${id}`).toBe(true);
  }
});

/** Section: what it holds. */
const [HEADER, IC, COEFFICIENTS, A, B1, B2, C, H, CONTRIBUTIONS] = [2, 3, 4, 5, 6, 7, 8, 9, 10];
const [G1, G2] = [G1_BYTES.affine, G2_BYTES.affine];

function sectionOf(key: Uint8Array, id: number): Uint8Array {
  const { offset, bytes } = readSections(key, 'zkey').get(id) ?? { offset: 0, bytes: 0 };
  return key.subarray(offset, offset + bytes);
}

/** A liar's key: the hash over its points is that of the points it has. */
async function withSection(id: number, change: (bytes: Uint8Array) => void): Promise<string | undefined> {
  const key = Uint8Array.from(snarkjsKey);
  change(sectionOf(key, id));
  if (id === CONTRIBUTIONS || id === HEADER) return check(key);
  const hash = await withPtau(ptauFile, (ptau) => circuitHash(bn254, ptau, decodeZkey(key)));
  sectionOf(key, CONTRIBUTIONS).set(hash);
  return check(key);
}

/** The first place of a finite point from `from` on: not every wire occurs on every side. */
function pointAt(bytes: Uint8Array, size: number, from = 0): number {
  for (let at = from; at < bytes.length; at += size) {
    if (bytes.subarray(at, at + size).some((byte) => byte !== 0)) return at;
  }
  throw new Error('no point');
}

describe('refuses', () => {
  test.each([
    ['another domain', HEADER, (bytes: Uint8Array) => bytes.length - 3 * G1 - 3 * G2 - 1],
    ['another alpha', HEADER, (bytes: Uint8Array) => bytes.length - 3 * G1 - 3 * G2],
    ['another delta', HEADER, (bytes: Uint8Array) => bytes.length - 1],
    ['another coefficient of the constraints', COEFFICIENTS, () => 4 + 12],
    ['another wire for a coefficient', COEFFICIENTS, () => 4 + 8],
    ['another point of H', H, () => 10 * G1],
    ['another hash of the circuit', CONTRIBUTIONS, () => 5],
    ['a contribution more', CONTRIBUTIONS, () => 64],
  ])('%s', async (_, id, at) => {
    const flip = (bytes: Uint8Array): void => {
      bytes[at(bytes)] = (bytes[at(bytes)] ?? 0) ^ 1;
    };
    expect(await withSection(id, flip)).toBe(`section ${id} is another than circuit and powers of tau give`);
  });

  test.each([
    ['IC', IC, G1, 'C'],
    ['A', A, G1, 'A'],
    ['B in G1', B1, G1, 'B in G1'],
    ['B in G2', B2, G2, 'B in G2'],
    ['C', C, G1, 'C'],
  ])('of %s a point twice, two that changed places, and one that is missing', async (_, id, size, said) => {
    const faults = [
      await withSection(id, (bytes) => {
        const at = pointAt(bytes, size);
        const next = pointAt(bytes, size, at + size);
        bytes.copyWithin(at, next, next + size);
      }),
      await withSection(id, (bytes) => {
        const at = pointAt(bytes, size);
        const next = pointAt(bytes, size, at + size);
        const kept = Uint8Array.from(bytes.subarray(at, at + size));
        bytes.copyWithin(at, next, next + size);
        bytes.set(kept, next);
      }),
      await withSection(id, (bytes) => bytes.fill(0, pointAt(bytes, size), pointAt(bytes, size) + size)),
    ];
    expect(faults).toEqual(faults.map(() => `a sum of ${said} is wrong`));
  });

  test('a point off the curve, and one under a second name', async () => {
    const off = (size: number) => (bytes: Uint8Array) => {
      const at = pointAt(bytes, size);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    };
    expect(await withSection(C, off(G1))).toBe('a point of G1 is none of the curve');
    expect(await withSection(B2, off(G2))).toBe('a point of G2 is none of the curve');
    const renamed = await withSection(A, (bytes) => {
      const [view, at] = [new DataView(bytes.buffer, bytes.byteOffset), pointAt(bytes, G1)];
      writeScalar(view, at, readScalar(view, at) + BASE_FIELD_ORDER);
    });
    expect(renamed).toBe('a point of G1 is none of the curve');
  });

  test('a point on the curve and outside G2', async () => {
    const fault = await withSection(B2, (bytes) => {
      const at = pointAt(bytes, G2);
      bytes.set(plus(bytes.slice(at, at + G2), strayPoint()), at);
    });
    expect(fault).toBe('a point lies outside the subgroup G2');
  });

  test('a section that is cut short, one too many, and another circuit', async () => {
    const sections = [...readSections(snarkjsKey, 'zkey').keys()].map((id) => ({
      id,
      bytes: sectionOf(snarkjsKey, id),
    }));
    const encode = (list: typeof sections): Uint8Array =>
      writeSections(
        'zkey',
        1,
        list.map(({ id, bytes }) => ({ id, parts: [bytes] })),
      );
    const short = sections.map(({ id, bytes }) => ({ id, bytes: id === B1 ? bytes.subarray(G1) : bytes }));
    expect(await check(encode(short))).toMatch(/^b1 has \d+ bytes, not \d+$/);
    expect(await check(encode([...sections, { id: 11, bytes: Uint8Array.of(1) }]))).toContain('section 11');
    const other = await chainCircuit(join(scratch, 'other'), CONSTRAINTS - 1);
    const { r1csFile } = await compileCircuit(join(other, 'main', 'policy-claim.circom'), join(scratch, 'other'));
    expect(await check(snarkjsKey, await readFile(r1csFile))).toBeDefined();
  });
});

test('refuses powers of tau that are too few: beyond them lies what their maker chose', async () => {
  const few = join(scratch, 'few.ptau');
  await writeInsecurePtau(few, 5);
  const fault = await withPtau(few, (ptau) => initialKeyFault(bn254, r1cs, ptau, snarkjsKey));
  expect(fault).toBe('the circuit needs powers of tau of 6, these are of 5');
});

test('refuses bytes behind the last section, and another version', async () => {
  const said = 'it has another version, or bytes behind its last section';
  expect(await check(Uint8Array.from([...snarkjsKey, 0]))).toBe(said);
  const version = Uint8Array.from(snarkjsKey);
  version[4] = 2;
  expect(await check(version)).toBe(said);
});

/** On the curve of G2, and r times a point: of an order that divides the cofactor. */
function strayPoint(): Uint8Array {
  const { Fp2 } = curve.fields;
  const b = Fp2.div(Fp2.fromBigTuple([3n, 0n]), Fp2.fromBigTuple([9n, 1n]));
  for (let c0 = 1n; ; c0++) {
    const x = Fp2.fromBigTuple([c0, 1n]);
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), b);
    let y: typeof x;
    try {
      y = Fp2.sqrt(square);
    } catch {
      continue; // not a square: no point has this x
    }
    const point = curve.G2.Point.fromAffine({ x, y });
    const order = curve.fields.Fr.ORDER;
    const stray = point
      .multiplyUnsafe(order - 1n)
      .add(point)
      .toAffine();
    const bytes = new DataView(new ArrayBuffer(G2));
    const coordinates = [stray.x.c0, stray.x.c1, stray.y.c0, stray.y.c1];
    for (const [i, coordinate] of coordinates.entries()) writeScalar(bytes, i * SCALAR_BYTES, coordinate);
    return new Uint8Array(bytes.buffer);
  }
}

/** @param a in Montgomery form, `b` not; so is what comes out */
function plus(a: Uint8Array, b: Uint8Array): Uint8Array {
  const start = bn254.mark();
  const [first, second, sum] = [bn254.alloc(G2), bn254.alloc(G2), bn254.alloc(G2_BYTES.jacobian)];
  bn254.write(first, a);
  bn254.write(second, b);
  bn254.fn.g2m_toMontgomeryAffine(second, second);
  bn254.fn.g2m_zero(sum);
  bn254.fn.g2m_addMixed(sum, first, sum);
  bn254.fn.g2m_addMixed(sum, second, sum);
  bn254.fn.g2m_toAffine(sum, first);
  const found = bn254.read(first, G2);
  bn254.release(start);
  return found;
}
