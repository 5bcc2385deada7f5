// sha256 by OpenSSL: the same function as protocol/bytes.ts, fast enough for megabytes of ciphertext.
import { createHash } from 'node:crypto';
import type { Hex } from '../../protocol/bytes.ts';

export const sha256 = (bytes: Uint8Array): Hex => `0x${createHash('sha256').update(bytes).digest('hex')}`;
