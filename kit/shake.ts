// SHAKE128 by OpenSSL: nine times faster than the pure one that protocol/ falls back to.
import { createHash } from 'node:crypto';

export const nodeShake128 = (input: Uint8Array, length: number): Uint8Array =>
  createHash('shake128', { outputLength: length }).update(input).digest();
