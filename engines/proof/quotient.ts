// The quotient polynomial of a proof: (A·B - C)/Z on the odd half of the doubled domain, where Z is a constant.
import type { Bn254 } from './bn254.ts';
import { modPower } from './modular.ts';
import { SCALAR_BYTES, scalarBytes } from './scalar-bytes.ts';
import { COEFFICIENT_BYTES, type ProvingKey } from './zkey.ts';

export interface QuotientMaker {
  /** Plain scalars, one a row of the domain, to multiply the key's H points with. The witness lies at an address. */
  quotient(witness: number): Uint8Array;
}

export function createQuotientMaker(bn254: Bn254, key: ProvingKey): QuotientMaker {
  const { fn } = bn254;
  const { domainSize, order } = key;
  const rows = key.coefficients.byteLength / COEFFICIENT_BYTES;
  const coefficients = bn254.alloc(key.coefficients.byteLength);
  bn254.write(coefficients, key.coefficients);
  const one = bn254.alloc(SCALAR_BYTES);
  fn.frm_one(one);
  // Multiplying coefficient i by shift^i moves the polynomial to the coset shift·⟨root⟩: the odd half. 5 as in field.ts.
  const shift = bn254.alloc(SCALAR_BYTES);
  bn254.write(shift, scalarBytes(modPower(5n, (order - 1n) / BigInt(2 * domainSize), order)));
  fn.frm_toMontgomery(shift, shift);

  return {
    quotient(witness) {
      const start = bn254.mark();
      const bytes = domainSize * SCALAR_BYTES;
      const [a, b, c] = [bn254.alloc(bytes), bn254.alloc(bytes), bn254.alloc(bytes)];
      fn.qap_buildABC(coefficients, rows, witness, a, b, c, 0, domainSize, 0, key.wires);
      for (const values of [a, b, c]) {
        fn.frm_ifft(values, domainSize);
        fn.frm_batchApplyKey(values, domainSize, one, shift, values);
        fn.frm_fft(values, domainSize);
      }
      // snarkjs folds the constant 1/Z into its H points.
      fn.qap_joinABC(a, b, c, domainSize, a);
      fn.frm_batchFromMontgomery(a, domainSize, a);
      const out = bn254.read(a, bytes);
      bn254.release(start);
      return out;
    },
  };
}
