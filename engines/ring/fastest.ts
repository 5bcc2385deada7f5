// Which engine a service seals and adds with: the fast one, or SEAL where it cannot run, and then it says so.
import type { Log } from '../../kit/log.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { KernelEvent, KernelOptions } from './kernel-build.ts';
import type { Ring } from './ring.ts';
import { createSimdRing } from './simd.ts';

export interface EngineChoice {
  /** Where the kernel is kept. */
  readonly cacheDir: string;
  readonly log: Log;
}

export async function createFastestRing(choice: EngineChoice): Promise<Ring> {
  // SEAL is loaded when it is needed: 12 MB and 50 ms
  return orSeal(choice, createSimdRing, async () => (await import('./seal.ts')).createSealRing());
}

/**
 * The result is the same words either way, so falling back is safe; it is slower, so it is never silent.
 * Any other fault (no compiler, an unwritable cache) is the operator's to mend and ends the start.
 */
export async function orSeal<Engine>(
  { cacheDir, log }: EngineChoice,
  simd: (options: KernelOptions) => Promise<Engine>,
  seal: () => Promise<Engine>,
): Promise<Engine> {
  const onEvent = ({ type, path }: KernelEvent) => {
    if (type === 'corrupt') log.warn({ path }, 'the cached ring kernel is damaged; it is compiled again');
    if (type === 'compiled') log.info({ path }, 'ring kernel compiled');
  };
  try {
    return await simd({ cacheDir, onEvent });
  } catch (error) {
    if (!(error instanceof ConcordatError) || error.code !== 'RING_ENGINE_UNAVAILABLE') throw error;
    log.warn(
      { code: error.code, reason: error.detail, engine: 'seal' },
      'the fast ring engine cannot run; SEAL does its work, slower',
    );
    return seal();
  }
}
