// Asking the key-holders what their shares of the uploads say to the linear tests, before a set is fixed.
import { recoverTypedStruct } from '../../engines/chain/typed-data.ts';
import { request } from '../../kit/http.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  MAX_VOUCH_BYTES,
  type VouchMessage,
  type VouchRequest,
  vouchesHash,
  vouchMessage,
} from '../../protocol/messages/vouch.ts';
import { decodeTestValue } from '../../protocol/secagg/linear-test.ts';
import { type AdmittedUpload, isUploadOf } from '../intake/uploads.ts';
import { askEach, type Reached, type ReachParts, sharesFor } from './reach.ts';

/** A thousand shares are opened and tested in a few seconds. */
const VOUCH_WITHIN_MS = 60_000;

export interface VouchQuestion {
  readonly round: number;
  readonly uploads: readonly AdmittedUpload[];
  readonly enough: number;
  /** Indices of the key-holders that vouched already. */
  readonly skip: ReadonlySet<number>;
}

/** One message per key-holder that answered about all of these uploads. */
export function askForVouches(question: VouchQuestion, parts: ReachParts): Promise<VouchMessage[]> {
  return askEach({ ...question, asking: 'vouches' }, parts, (reached) => askOne(reached, question, parts));
}

async function askOne(reached: Reached, { round, uploads }: VouchQuestion, parts: ReachParts): Promise<VouchMessage> {
  const { url, keyHolder } = reached;
  const shares = await sharesFor(keyHolder, uploads, parts);
  const question: VouchRequest = { v: 'concordat/1/vouch-request', round, shares };
  const body = await request(`${url}/v1/vouches`, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor' },
    body: encodeCbor(question),
    timeoutMs: VOUCH_WITHIN_MS,
    maxBytes: MAX_VOUCH_BYTES,
  });
  const message = decodeCbor(body, vouchMessage, MAX_VOUCH_BYTES);
  checkVouches(message, reached, round, uploads, parts);
  return message;
}

/**
 * Signed by the key-holder that was asked, and about exactly these uploads, each once.
 * @throws ConcordatError MESSAGE_MALFORMED, SIGNATURE_INVALID
 */
export function checkVouches(
  message: VouchMessage,
  { keyHolder }: Pick<Reached, 'keyHolder'>,
  round: number,
  uploads: readonly AdmittedUpload[],
  { domain }: Pick<ReachParts, 'domain'>,
): void {
  const { vouches, signature } = message;
  const { address, index } = keyHolder;
  const ofIt = message.keyHolder === address && message.index === index && message.round === round;
  const told = new Map(vouches.map((vouch) => [vouch.dealer, vouch]));
  const complete =
    vouches.length === uploads.length &&
    uploads.every((upload) => {
      const vouch = told.get(upload.dealer);
      return vouch !== undefined && isUploadOf(vouch, upload);
    });
  if (!ofIt || !complete) {
    throw new ConcordatError('MESSAGE_MALFORMED', `the vouches of key-holder ${index} are about something else`);
  }
  for (const { value } of vouches) if (value !== null) decodeTestValue(value);
  const statement = { keyHolder: address, round, vouchesHash: vouchesHash(vouches) };
  if (recoverTypedStruct(domain, 'Vouch', statement, signature) !== address) {
    throw new ConcordatError('SIGNATURE_INVALID', `the vouches of key-holder ${index}`);
  }
}
