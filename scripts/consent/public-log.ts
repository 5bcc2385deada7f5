// A dealer's consent state as anyone can rebuild it: from the transcript's consent operations, held to the root on chain.
import { z } from 'zod';
import { readFileOrExplain } from '../../kit/files.ts';
import { request } from '../../kit/http.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { type Anchor, sameAnchor } from '../../protocol/consent/anchor.ts';
import { MAX_ASSERTION_BYTES } from '../../protocol/consent/assertion.ts';
import { decodeEntry as decodeOperationEntry } from '../../protocol/consent/log.ts';
import { MAX_OPERATION_BYTES } from '../../protocol/consent/operation.ts';
import { ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import { blobPathOf, entryName } from '../../protocol/transcript/bundle.ts';
import { decodeEntry } from '../../protocol/transcript/entry.ts';

/** A file of the bundle; undefined when there is none of this name. */
export type BundleReader = (path: string) => Promise<Uint8Array | undefined>;

export const bundleInFolder =
  (directory: string): BundleReader =>
  (path) =>
    readFileOrExplain(`${directory}/${path}`).then((bytes) => new Uint8Array(bytes), noneOr('FILE_MISSING'));

export const bundleOfCoordinator =
  (url: string): BundleReader =>
  (path) =>
    request(`${url}/v1/bundle/${path}`, { maxBytes: MAX_BLOB_BYTES }).catch((error: unknown) => {
      if (error instanceof ConcordatError && error.fields.status === 404) return undefined;
      return noneOr('NOT_FOUND')(error);
    });

const noneOr =
  (code: ConcordatError['code']) =>
  (error: unknown): undefined => {
    if (!(error instanceof ConcordatError) || error.code !== code) throw error;
  };

const bytes = z.instanceof(Uint8Array);
const operations = z.array(z.tuple([bytes, bytes])).max(LIMITS.maxRecordsPerDealer);
const MAX_BLOB_BYTES = LIMITS.maxConsentOperationsPerRequest * (MAX_OPERATION_BYTES + MAX_ASSERTION_BYTES + 64) + 4_096;

/**
 * The state under the dealer's anchor. Signatures are not checked again: what stands under the root is what the witnesses
 * co-signed, and a wrong operation leads to another root.
 * @throws ConcordatError ANCHOR_MISMATCH when the bundle does not lead to that anchor
 */
export async function stateUnder(anchor: Anchor, read: BundleReader): Promise<ConsentState> {
  let state = ConsentState.empty(anchor.dealer);
  let epoch = 0;
  for (let seq = 0; epoch < anchor.epoch; seq++) {
    const entry = await read(`entries/${entryName(seq)}`);
    if (entry === undefined) break;
    const { body } = decodeEntry(entry);
    if (body.type !== 'consent' || body.dealer !== anchor.dealer || body.epoch > anchor.epoch) continue;
    state = await withOperations(state, body.operations, read);
    epoch = body.epoch;
  }
  if (!sameAnchor(state.anchor(anchor.epoch), anchor)) {
    const detail = `the operations up to epoch ${epoch} do not lead to the anchor of epoch ${anchor.epoch} on chain`;
    throw new ConcordatError('ANCHOR_MISMATCH', detail, { dealer: anchor.dealer, epoch: anchor.epoch });
  }
  return state;
}

async function withOperations(state: ConsentState, hash: Hex, read: BundleReader): Promise<ConsentState> {
  const blob = await read(blobPathOf(hash));
  if (blob === undefined || toHex(sha256(blob)) !== hash) {
    throw new ConcordatError('NOT_FOUND', `the bundle lacks the operations ${hash}`, { hash });
  }
  const next = state.clone();
  for (const [operation, assertion] of decodeCbor(blob, operations, MAX_BLOB_BYTES)) {
    next.apply(decodeOperationEntry({ operation, assertion }));
  }
  return next;
}
