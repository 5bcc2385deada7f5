// Which engine the coordinator opens with: as fastest.ts. The auditor does not ask; it opens with SEAL.
import { type EngineChoice, orSeal } from './fastest.ts';
import type { RingOpener } from './open.ts';
import { createSimdOpener } from './open-simd.ts';

export async function createFastestOpener(choice: EngineChoice): Promise<RingOpener> {
  return orSeal(choice, createSimdOpener, async () => (await import('./open-seal.ts')).createSealOpener());
}
