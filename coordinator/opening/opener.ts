// The coordinator's one door to decryption: the rest of coordinator/ gets an Opener, never a ring that opens.
import { createSealOpener } from '../../engines/ring/open-seal.ts';
import { type OpenedSum, type OpenRequest, openSum } from './open.ts';

export interface Opener {
  /** As openSum, with this process's engine. */
  open(request: OpenRequest): OpenedSum;
}

export async function createOpener(): Promise<Opener> {
  const ring = await createSealOpener();
  return { open: (request) => openSum(ring, request) };
}
