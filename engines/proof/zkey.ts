// Groth16 proving keys in snarkjs' zkey format (version 1): written by our setup, read by our prover and by snarkjs.
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { BASE_FIELD_ORDER } from './base-field.ts';
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import { SCALAR_BYTES, writeScalar } from './field.ts';
import type { R1cs } from './r1cs.ts';
import { readSections, writeSections } from './sections.ts';

/** Affine points in Montgomery form. */
export interface ProvingPoints {
  readonly domainSize: number;
  readonly alpha1: Uint8Array;
  readonly beta1: Uint8Array;
  readonly delta1: Uint8Array;
  readonly beta2: Uint8Array;
  readonly gamma2: Uint8Array;
  readonly delta2: Uint8Array;
  /** One point for the constant and each public signal. */
  readonly ic: Uint8Array;
  /** One point a wire. */
  readonly a: Uint8Array;
  readonly b1: Uint8Array;
  readonly b2: Uint8Array;
  /** One point a private wire. */
  readonly c: Uint8Array;
  /** One point a row of the domain. */
  readonly h: Uint8Array;
}

export interface ProvingKey extends ProvingPoints {
  readonly wires: number;
  readonly publicSignals: number;
  /** Rows of {side, constraint, wire: uint32; coefficient·R²: 32 bytes}. */
  readonly coefficients: Uint8Array;
}

export const COEFFICIENT_BYTES = 12 + SCALAR_BYTES;
const GROTH16 = 1;

export function encodeZkey(bn254: Bn254, r1cs: R1cs, r1csFile: Uint8Array, points: ProvingPoints): Uint8Array {
  const header = [
    ...[uint32(SCALAR_BYTES), scalar(BASE_FIELD_ORDER), uint32(SCALAR_BYTES), scalar(FIELD_ORDER)],
    ...[uint32(r1cs.wires), uint32(r1cs.publicSignals), uint32(points.domainSize)],
    ...[points.alpha1, points.beta1, points.beta2, points.gamma2, points.delta1, points.delta2],
  ];
  return writeSections('zkey', 1, [
    { id: 1, parts: [uint32(GROTH16)] },
    { id: 2, parts: header },
    { id: 3, parts: [points.ic] },
    { id: 4, parts: encodeCoefficients(bn254, r1cs, r1csFile) },
    { id: 5, parts: [points.a] },
    { id: 6, parts: [points.b1] },
    { id: 7, parts: [points.b2] },
    { id: 8, parts: [points.c] },
    { id: 9, parts: [points.h] },
    // The list of contributions: a circuit hash we leave empty, and none (a ceremony writes its own file).
    { id: 10, parts: [new Uint8Array(64), uint32(0)] },
  ]);
}

/** The A and B sides, in Montgomery form twice over: the prover multiplies them with plain witness values. */
function encodeCoefficients(bn254: Bn254, r1cs: R1cs, r1csFile: Uint8Array): Uint8Array[] {
  const rows: { side: number; constraint: number; wire: number; bytes: Uint8Array }[] = [];
  r1cs.forEach((constraint, side, wire, _coefficient, at) => {
    if (side !== 2) rows.push({ side, constraint, wire, bytes: r1csFile.subarray(at, at + SCALAR_BYTES) });
  });
  const one = scalar(1n);
  for (let wire = 0; wire <= r1cs.publicSignals; wire++) {
    rows.push({ side: 0, constraint: r1cs.constraints + wire, wire, bytes: one });
  }
  const start = bn254.mark();
  const values = bn254.alloc(rows.length * SCALAR_BYTES);
  const view = bn254.view(values, rows.length * SCALAR_BYTES);
  for (const [i, row] of rows.entries()) view.set(row.bytes, i * SCALAR_BYTES);
  bn254.fn.frm_batchToMontgomery(values, rows.length, values);
  bn254.fn.frm_batchToMontgomery(values, rows.length, values);
  const out = new Uint8Array(rows.length * COEFFICIENT_BYTES);
  const outView = new DataView(out.buffer);
  const converted = bn254.view(values, rows.length * SCALAR_BYTES);
  for (const [i, row] of rows.entries()) {
    const at = i * COEFFICIENT_BYTES;
    outView.setUint32(at, row.side, true);
    outView.setUint32(at + 4, row.constraint, true);
    outView.setUint32(at + 8, row.wire, true);
    out.set(converted.subarray(i * SCALAR_BYTES, (i + 1) * SCALAR_BYTES), at + 12);
  }
  bn254.release(start);
  return [uint32(rows.length), out];
}

/** @throws ConcordatError FILE_UNREADABLE */
export function decodeZkey(file: Uint8Array): ProvingKey {
  const sections = readSections(file, 'zkey');
  const section = (id: number): Uint8Array => {
    const found = sections.get(id);
    if (!found) throw new ConcordatError('FILE_UNREADABLE', `zkey: section ${id} is missing`);
    return file.subarray(found.offset, found.offset + found.bytes);
  };
  const header = section(2);
  const counts = new DataView(header.buffer, header.byteOffset + 2 * (4 + SCALAR_BYTES), 12);
  let at = 2 * (4 + SCALAR_BYTES) + 12;
  const point = (bytes: number): Uint8Array => {
    at += bytes;
    return header.subarray(at - bytes, at);
  };
  return {
    wires: counts.getUint32(0, true),
    publicSignals: counts.getUint32(4, true),
    domainSize: counts.getUint32(8, true),
    alpha1: point(G1_BYTES.affine),
    beta1: point(G1_BYTES.affine),
    beta2: point(G2_BYTES.affine),
    gamma2: point(G2_BYTES.affine),
    delta1: point(G1_BYTES.affine),
    delta2: point(G2_BYTES.affine),
    ic: section(3),
    coefficients: section(4).subarray(4),
    a: section(5),
    b1: section(6),
    b2: section(7),
    c: section(8),
    h: section(9),
  };
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function scalar(value: bigint): Uint8Array {
  const bytes = new Uint8Array(SCALAR_BYTES);
  writeScalar(new DataView(bytes.buffer), 0, value);
  return bytes;
}
