// The coordinator's one door to decryption: the rest of coordinator/ gets an Opener, never a ring that opens.
import type { EngineChoice } from '../../engines/ring/fastest.ts';
import { createFastestOpener } from '../../engines/ring/open-fastest.ts';
import { type OpenedSum, type OpenRequest, openSum } from './open.ts';

export interface Opener {
  /** As openSum, with this process's engine. */
  open(request: OpenRequest): OpenedSum;
}

export async function createOpener(choice: EngineChoice): Promise<Opener> {
  const ring = await createFastestOpener(choice);
  return { open: (request) => openSum(ring, request) };
}
