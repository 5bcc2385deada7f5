// The engine that the coordinator opens with. The auditor's is another one, and its own: SEAL.
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { type EngineChoice, logged } from './fastest.ts';
import { createSimdOpener } from './open-simd.ts';

/** @throws ConcordatError RING_ENGINE_UNAVAILABLE */
export const createFastestOpener = (choice: EngineChoice): Promise<RingOpener> => createSimdOpener(logged(choice));
