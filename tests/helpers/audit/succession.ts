// A history in two deployments: two rounds under the first, and the third under the one that carries it on.
import { addressNamed, type Chronicle } from './chronicle.ts';
import type { RawEvidence } from './raw-evidence.ts';
import {
  memoryFederation,
  OPERATOR,
  TRAPDOOR,
  writeContinuation,
  writeHistory,
  writeSuccessor,
} from './synthetic-federation.ts';

const VERSION = ' two';

/** In memory; the predecessor's history is in the evidence's own. */
export async function syntheticSuccession(): Promise<RawEvidence> {
  const first = await memoryFederation();
  const end = await writeHistory(first, TRAPDOOR);
  await endFor(first, addressNamed(`federation${VERSION}`));
  const second = await memoryFederation(VERSION, first.evidence().history);
  await writeSuccessor(second);
  await writeContinuation(second, TRAPDOOR, end);
  return second.evidence();
}

/** By its operator; a contract pauses itself. */
export async function endFor(chronicle: Chronicle, successor: `0x${string}`): Promise<void> {
  await chronicle.act('Paused', OPERATOR, { account: OPERATOR.address });
  await chronicle.act('SuccessorNamed', OPERATOR, { successor });
}
