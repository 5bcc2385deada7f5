// The file of S, the sum of a set's one-time keys: 4096 × int32le. Public once the round is over.
import { ConcordatError } from '../errors.ts';
import { SECAGG } from '../params.ts';
import { RING_DEGREE } from './block.ts';

export const KEY_SUM_BYTES = 4 * RING_DEGREE;

/**
 * Beyond half the field of the shares no sum of keys can be, and no engine is given what cannot be.
 * @throws ConcordatError MESSAGE_MALFORMED with the place
 */
export function decodeKeySum(bytes: Uint8Array): Int32Array {
  if (bytes.length !== KEY_SUM_BYTES) {
    throw new ConcordatError(
      'MESSAGE_MALFORMED',
      `the sum of the keys has ${bytes.length} bytes, not ${KEY_SUM_BYTES}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const keySum = Int32Array.from({ length: RING_DEGREE }, (_, i) => view.getInt32(4 * i, true));
  const wide = keySum.findIndex((s) => Math.abs(s) > SECAGG.shamirPrime / 2);
  if (wide === -1) return keySum;
  throw new ConcordatError('MESSAGE_MALFORMED', `coefficient ${wide} of the sum of the keys is ${keySum[wide]}`);
}
