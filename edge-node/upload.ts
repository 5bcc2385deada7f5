// Sending an update: first the signed message with the sealed shares, then the payload from disk if it is still wanted.
import type { ChainConnection } from '../engines/chain/connect.ts';
import { signTypedStruct } from '../engines/chain/typed-data.ts';
import type { Identity } from '../engines/keys/identity.ts';
import { request } from '../kit/http.ts';
import { putFile } from '../kit/put-file.ts';
import { encodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { UploadMessage } from '../protocol/messages/upload.ts';
import type { StoredUpdate } from './seal/once.ts';

/** May be called again with the same update: the coordinator takes it once. @returns bytes of message and payload */
export type UploadSender = (round: number, attempt: number, update: StoredUpdate) => Promise<number>;

export interface UploadParts {
  readonly coordinatorUrl: string;
  readonly identity: Identity;
  readonly chain: Pick<ChainConnection, 'domain'>;
}

export function createUploadSender({ coordinatorUrl, identity, chain }: UploadParts): UploadSender {
  return async (round, attempt, update) => {
    const dealer = identity.address;
    const { payload, payloadHash, sealedShares, sharesRoot } = update;
    const statement = { dealer, round, attempt, payloadHash, sharesRoot };
    const message: UploadMessage = {
      v: 'concordat/1/upload',
      dealer,
      round,
      attempt,
      payloadHash,
      sealedShares: [...sealedShares],
      signature: signTypedStruct(identity.privateKey, chain.domain, 'Upload', statement),
    };
    const body = encodeCbor(message);
    const headers = { 'content-type': 'application/cbor' };
    const answer = await request(`${coordinatorUrl}/v1/uploads`, { method: 'POST', headers, body });
    if (wantsPayload(answer)) await putFile(`${coordinatorUrl}/v1/payloads/${payloadHash}`, payload);
    return body.length + payload.bytes;
  };
}

function wantsPayload(answer: Uint8Array): boolean {
  try {
    const { payload } = JSON.parse(new TextDecoder().decode(answer)) as { readonly payload?: unknown };
    if (payload === 'wanted' || payload === 'stored') return payload === 'wanted';
  } catch {
    // said below
  }
  throw new ConcordatError('MESSAGE_MALFORMED', 'the coordinator does not say whether it wants the payload');
}
