// Reads a rank-1 constraint system as circom writes it (iden3 r1cs binary format, version 1).
import { ConcordatError } from '../../protocol/errors.ts';
import { readScalar, SCALAR_BYTES } from './scalar-bytes.ts';
import { readSections } from './sections.ts';

/** Which linear combination of a·b = c a coefficient belongs to. */
export type Side = 0 | 1 | 2;

export interface R1cs {
  readonly wires: number;
  /** Public signals, outputs first. Wire 0 is the constant one, then these. */
  readonly publicSignals: number;
  readonly privateInputs: number;
  readonly constraints: number;
  /** Calls back for every coefficient, in file order. `at` is its offset in the file: 32 bytes, little-endian. */
  forEach(visit: (constraint: number, side: Side, wire: number, coefficient: bigint, at: number) => void): void;
}

/** @throws ConcordatError FILE_UNREADABLE */
export function readR1cs(file: Uint8Array): R1cs {
  const sections = readSections(file, 'r1cs');
  const header = sections.get(1);
  const body = sections.get(2);
  if (!header || !body) throw new ConcordatError('FILE_UNREADABLE', 'r1cs: a section is missing');
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const scalarBytes = view.getUint32(header.offset, true);
  if (scalarBytes !== SCALAR_BYTES) throw new ConcordatError('FILE_UNREADABLE', 'r1cs: not a 32-byte field');
  const counts = header.offset + 4 + SCALAR_BYTES;
  const count = (index: number): number => view.getUint32(counts + 4 * index, true);
  const constraints = view.getUint32(counts + 4 * 4 + 8, true);
  return {
    wires: count(0),
    publicSignals: count(1) + count(2),
    privateInputs: count(3),
    constraints,
    forEach(visit) {
      let at = body.offset;
      for (let constraint = 0; constraint < constraints; constraint++) {
        for (const side of [0, 1, 2] as const) {
          const terms = view.getUint32(at, true);
          at += 4;
          for (let term = 0; term < terms; term++) {
            visit(constraint, side, view.getUint32(at, true), readScalar(view, at + 4), at + 4);
            at += 4 + SCALAR_BYTES;
          }
        }
      }
    },
  };
}
