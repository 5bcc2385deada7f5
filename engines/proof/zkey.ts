// Groth16 proving keys in snarkjs' zkey format (version 1): what is in them, and reading them.
import { ConcordatError } from '../../protocol/errors.ts';
import { G1_BYTES, G2_BYTES } from './bn254.ts';
import { readScalar, SCALAR_BYTES } from './scalar-bytes.ts';
import { readSections } from './sections.ts';

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
  /** Of the scalar field. */
  readonly order: bigint;
  readonly wires: number;
  readonly publicSignals: number;
  /** Rows of {side, constraint, wire: uint32; coefficient·R²: 32 bytes}. */
  readonly coefficients: Uint8Array;
}

export const COEFFICIENT_BYTES = 12 + SCALAR_BYTES;
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
  const orderAt = header.byteOffset + 8 + SCALAR_BYTES;
  return {
    order: readScalar(new DataView(header.buffer, orderAt, SCALAR_BYTES), 0),
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
