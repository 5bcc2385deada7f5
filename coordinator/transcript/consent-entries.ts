// What the coordinator's own witness signed, in the transcript: the operations of one epoch of one dealer.
import { encodeCbor } from '../../protocol/codec.ts';
import type { Anchor } from '../../protocol/consent/anchor.ts';
import type { WitnessStore } from '../../witness/witness-store.ts';
import type { Transcript } from './transcript.ts';

/** From the witness's store, not from the request: a repeat after a crash records the same. */
export async function recordOperations(anchor: Anchor, store: WitnessStore, transcript: Transcript): Promise<void> {
  const { dealer, epoch, operationCount } = anchor;
  const from = epoch === 1 ? 0 : ((await store.readAnchor(dealer, epoch - 1))?.anchor.operationCount ?? 0);
  const log = await store.readLog(dealer, { from, limit: operationCount - from });
  const operations = await transcript.putBlob(
    encodeCbor(log.map(({ operation, assertion }) => [operation, assertion])),
  );
  await transcript.appendOnce({ type: 'consent', dealer, epoch, operations });
}
