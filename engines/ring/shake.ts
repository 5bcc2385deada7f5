// SHAKE128 by OpenSSL: nine times faster than the pure one that protocol/ falls back to.
import { createHash } from 'node:crypto';
import type { Xof } from '../../protocol/secagg/public-a.ts';

export const nodeShake128: Xof = (input, length) =>
  createHash('shake128', { outputLength: length }).update(input).digest();
