// The engine that a service seals and adds with, and what its log says of the kernel behind it.
import type { Log } from '../../kit/log.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import type { KernelEvent, KernelOptions } from './kernel-build.ts';
import { createSimdRing } from './simd.ts';

export interface EngineChoice {
  /** Where the kernel is kept. */
  readonly cacheDir: string;
  readonly log: Log;
}

/** @throws ConcordatError RING_ENGINE_UNAVAILABLE without SIMD: SEAL is the auditor's, so that no service shares code with it */
export const createFastestRing = (choice: EngineChoice): Promise<Ring> => createSimdRing(logged(choice));

export function logged({ cacheDir, log }: EngineChoice): KernelOptions {
  const onEvent = ({ type, path }: KernelEvent) => {
    if (type === 'corrupt') log.warn({ path }, 'the cached ring kernel is damaged; it is compiled again');
    if (type === 'compiled') log.info({ path }, 'ring kernel compiled');
  };
  return { cacheDir, onEvent };
}
