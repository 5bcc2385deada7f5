// Checks the key that a ceremony begins with: circuit and powers of tau decide every byte of it. Its sums of points are not made
// again (snarkjs takes half a minute for that) but checked by a random combination of all of them; all else byte by byte.
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import type { Ptau } from './ceremony-ptau.ts';
import { circuitHash } from './circuit-hash.ts';
import { wrongSum } from './initial-key-sums.ts';
import { loadPointKernel } from './kernel/kernel.ts';
import { invalidPoint, outsideSubgroup } from './point-checks.ts';
import { domainBitsOf } from './qap.ts';
import { type R1cs, readR1cs } from './r1cs.ts';
import { readSections } from './sections.ts';
import { decodeZkey, type ProvingKey } from './zkey.ts';
import { encodeZkey } from './zkey-writer.ts';

/**
 * @param ptau checked already: every point of its sections
 * @returns what is wrong with the key; nothing when circuit and powers of tau give this key
 * @throws ConcordatError FILE_UNREADABLE
 */
export async function initialKeyFault(
  bn254: Bn254,
  r1csFile: Uint8Array,
  ptau: Ptau,
  zkeyFile: Uint8Array,
): Promise<string | undefined> {
  const r1cs = readR1cs(r1csFile);
  const needed = domainBitsOf(r1cs);
  // beyond its last power lies whatever its maker put there
  if (needed > ptau.power) return `the circuit needs powers of tau of ${needed}, these are of ${ptau.power}`;
  const key = decodeZkey(zkeyFile);
  for (const [name, bytes] of sumSizes(r1cs)) {
    if (key[name].byteLength !== bytes) return `${name} has ${key[name].byteLength} bytes, not ${bytes}`;
  }
  const expected = await expectedFile(bn254, r1cs, r1csFile, ptau, key);
  const different = differentSection(zkeyFile, expected);
  if (different !== undefined) return `section ${different} is another than circuit and powers of tau give`;
  if (!sameOutside(zkeyFile, expected)) return 'it has another version, or bytes behind its last section';
  const kernels = await loadPointKernel(bn254);
  return (
    invalidPoint(bn254, 'g1m', [key.ic, key.a, key.b1, key.c]) ??
    invalidPoint(bn254, 'g2m', [key.b2]) ??
    outsideSubgroup(bn254, kernels, key.b2) ??
    wrongSum(bn254, kernels, r1cs, key, ptau)
  );
}

/** Those that are sums over the constraints. */
function sumSizes({ wires, publicSignals }: R1cs): ['ic' | 'a' | 'b1' | 'b2' | 'c', number][] {
  const [g1, g2] = [G1_BYTES.affine, G2_BYTES.affine];
  return [
    ['ic', (publicSignals + 1) * g1],
    ['a', wires * g1],
    ['b1', wires * g1],
    ['b2', wires * g2],
    ['c', (wires - publicSignals - 1) * g1],
  ];
}

/** The key's own sums, and all else as it must be. */
async function expectedFile(
  bn254: Bn254,
  r1cs: R1cs,
  r1csFile: Uint8Array,
  ptau: Ptau,
  key: ProvingKey,
): Promise<Uint8Array> {
  const domainBits = domainBitsOf(r1cs);
  const [g1, g2] = [await ptau.read(2, 0, G1_BYTES.affine), await ptau.read(3, 0, G2_BYTES.affine)];
  const points = {
    ...{ domainSize: 2 ** domainBits, delta1: g1, gamma2: g2, delta2: g2 },
    alpha1: await ptau.read(4, 0, G1_BYTES.affine),
    beta1: await ptau.read(5, 0, G1_BYTES.affine),
    beta2: await ptau.read(6, 0, G2_BYTES.affine),
    ...{ ic: key.ic, a: key.a, b1: key.b1, b2: key.b2, c: key.c },
    h: await quotientPoints(ptau, domainBits),
  };
  const file = encodeZkey(bn254, r1cs, r1csFile, points);
  file.set(await circuitHash(bn254, ptau, points), readSections(file, 'zkey').get(10)?.offset);
  return file;
}

/** The odd half of the doubled domain's Lagrange basis, as snarkjs has it. */
async function quotientPoints(ptau: Ptau, domainBits: number): Promise<Uint8Array> {
  const [size, point] = [2 ** domainBits, G1_BYTES.affine];
  const doubled = await ptau.read(12, (2 * size - 1) * point, 2 * size * point);
  const odd = new Uint8Array(size * point);
  for (let i = 0; i < size; i++) odd.set(doubled.subarray((2 * i + 1) * point, (2 * i + 2) * point), i * point);
  return odd;
}

/** Magic, version, number of sections, and nothing between or behind them: only their order is free. */
const sameOutside = (file: Uint8Array, expected: Uint8Array): boolean =>
  file.byteLength === expected.byteLength && Buffer.from(file.subarray(0, 12)).equals(expected.subarray(0, 12));

function differentSection(file: Uint8Array, expected: Uint8Array): number | undefined {
  const [found, wanted] = [readSections(file, 'zkey'), readSections(expected, 'zkey')];
  for (const id of new Set([...wanted.keys(), ...found.keys()])) {
    const [a, b] = [found.get(id), wanted.get(id)];
    if (a === undefined || b === undefined) return id;
    const bytes = Buffer.from(file.buffer, file.byteOffset + a.offset, a.bytes);
    if (!bytes.equals(expected.subarray(b.offset, b.offset + b.bytes))) return id;
  }
  return undefined;
}
