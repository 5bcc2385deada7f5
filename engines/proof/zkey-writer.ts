// Writes a Groth16 proving key as snarkjs reads it.
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { BASE_FIELD_ORDER } from './base-field.ts';
import type { Bn254 } from './bn254.ts';
import type { R1cs } from './r1cs.ts';
import { SCALAR_BYTES, scalarBytes } from './scalar-bytes.ts';
import { writeSections } from './sections.ts';
import { COEFFICIENT_BYTES, type ProvingPoints } from './zkey.ts';

const GROTH16 = 1;

export function encodeZkey(bn254: Bn254, r1cs: R1cs, r1csFile: Uint8Array, points: ProvingPoints): Uint8Array {
  const header = [
    ...[uint32(SCALAR_BYTES), scalarBytes(BASE_FIELD_ORDER), uint32(SCALAR_BYTES), scalarBytes(FIELD_ORDER)],
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
  const one = scalarBytes(1n);
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

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
