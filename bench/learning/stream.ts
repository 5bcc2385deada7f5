// Bytes that a seed decides, for benchmarks that come out the same again. Where anybody is guarded, they come from the system.
import { createCipheriv, createHash } from 'node:crypto';
import type { FillRandom } from '../../protocol/secagg/block.ts';

/** AES-256 in counter mode: no test tells it from chance, so noise drawn from it has its distribution. */
export function seededFill(seed: string): FillRandom {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  return (bytes) => {
    bytes.set(cipher.update(Buffer.alloc(bytes.length)));
  };
}
