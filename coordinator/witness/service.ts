// Co-signing as a service: the dealer's own signature first, then the witness, then the transcript.
import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import type { Anchor } from '../../protocol/consent/anchor.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { coSignMessage, MAX_CO_SIGN_BYTES } from '../../protocol/messages/witness.ts';
import type { Transcript } from '../transcript/transcript.ts';
import type { CoSignature, Witness } from './witness.ts';
import type { WitnessStore } from './witness-store.ts';

export interface WitnessServiceParts {
  readonly witness: Witness;
  readonly store: WitnessStore;
  readonly transcript: Transcript;
  readonly recoverAnchor: (anchor: Anchor, signature: Hex) => Hex;
  readonly isDealer: (address: Hex) => Promise<boolean>;
}

/** @throws ConcordatError MESSAGE_MALFORMED, SIGNATURE_INVALID, NOT_A_MEMBER and whatever the witness refuses with */
export async function coSignAnchor(body: Uint8Array, parts: WitnessServiceParts): Promise<CoSignature> {
  const { firstIndex, entries, anchor, dealerSignature } = decodeCbor(body, coSignMessage, MAX_CO_SIGN_BYTES);
  if (parts.recoverAnchor(anchor, dealerSignature) !== anchor.dealer) {
    throw new ConcordatError('SIGNATURE_INVALID', `the anchor of ${anchor.dealer}`, { dealer: anchor.dealer });
  }
  if (!(await parts.isDealer(anchor.dealer))) throw new ConcordatError('NOT_A_MEMBER', anchor.dealer);
  const signed = await parts.witness.coSign(anchor.dealer, { firstIndex, entries, anchor });
  await recordOperations(signed.anchor, parts);
  return signed;
}

/** From the witness's own store, not from the request: a repeat after a crash records the same. */
async function recordOperations(anchor: Anchor, { store, transcript }: WitnessServiceParts): Promise<void> {
  const { dealer, epoch } = anchor;
  const from = epoch === 1 ? 0 : ((await store.readAnchor(dealer, epoch - 1))?.operationCount ?? 0);
  const log = (await store.readLog(dealer)).slice(from, anchor.operationCount);
  const operations = await transcript.putBlob(
    encodeCbor(log.map(({ operation, assertion }) => [operation, assertion])),
  );
  await transcript.appendOnce({ type: 'consent', dealer, epoch, operations });
}
