// The quotient polynomial of a proof: (A·B - C)/Z on the odd half of the doubled domain, where Z is a constant.
import type { Bn254 } from './bn254.ts';
import { createTransform, vectorBytes } from './kernel/transform.ts';
import { SCALAR_BYTES } from './scalar-bytes.ts';
import { COEFFICIENT_BYTES, type ProvingKey } from './zkey.ts';

export interface QuotientMaker {
  /** Plain scalars, one a row of the domain, to multiply the key's H points with. The witness lies at an address. */
  quotient(witness: number): Uint8Array;
}

/** The least quadratic non-residue: whose powers snarkjs takes for roots of unity. */
const NON_RESIDUE = 5n;

export async function createQuotientMaker(bn254: Bn254, key: ProvingKey): Promise<QuotientMaker> {
  const { domainSize } = key;
  const rows = key.coefficients.byteLength / COEFFICIENT_BYTES;
  const coefficients = bn254.alloc(key.coefficients.byteLength);
  bn254.write(coefficients, key.coefficients);
  const transform = await createTransform(bn254, key.order, domainSize, NON_RESIDUE);

  return {
    quotient(witness) {
      const start = bn254.mark();
      const plainBytes = domainSize * SCALAR_BYTES;
      const [rowsA, rowsB, rowsC] = [bn254.alloc(plainBytes), bn254.alloc(plainBytes), bn254.alloc(plainBytes)];
      bn254.fn.qap_buildABC(coefficients, rows, witness, rowsA, rowsB, rowsC, 0, domainSize, 0, key.wires);
      const onCoset = (values: number): number => {
        const out = bn254.alloc(vectorBytes(domainSize));
        transform.load(values, out);
        transform.toCoset(out);
        return out;
      };
      // snarkjs folds the constant 1/Z into its H points.
      transform.close(onCoset(rowsA), onCoset(rowsB), onCoset(rowsC), rowsA);
      const out = bn254.read(rowsA, plainBytes);
      bn254.release(start);
      return out;
    },
  };
}
