// Asking the witnesses: each gets the operations and the anchor, signed by the dealer, and answers with its signature.

import type { ChainConnection } from '../engines/chain/connect.ts';
import { recoverTypedStruct, signTypedStruct } from '../engines/chain/typed-data.ts';
import type { Identity } from '../engines/keys/identity.ts';
import { requestJson } from '../kit/http.ts';
import type { Hex } from '../protocol/bytes.ts';
import { encodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { AnchorProposal } from './consent/anchor-proposal.ts';

/** @throws ConcordatError SIGNATURE_INVALID when a witness answers with somebody else's signature, and what it refuses with */
export function createCoSigner(urls: readonly string[], chain: ChainConnection, identity: Identity) {
  return async ({ firstIndex, entries, anchor }: AnchorProposal): Promise<Hex[]> => {
    const dealerSignature = signTypedStruct(identity.privateKey, chain.domain, 'Anchor', anchor);
    const body = encodeCbor({
      v: 'concordat/1/co-sign',
      firstIndex,
      entries: entries.map(({ operation, assertion }) => ({ operation, assertion })),
      anchor: { ...anchor },
      dealerSignature,
    });
    return Promise.all(
      urls.map(async (url) => {
        const answer = await requestJson<{ signature: Hex }>(`${url}/v1/witness/anchors`, {
          method: 'POST',
          headers: { 'content-type': 'application/cbor' },
          body,
        });
        const signer = recoverTypedStruct(chain.domain, 'Anchor', anchor, answer.signature);
        if (!(await chain.federation.isWitness(signer))) {
          throw new ConcordatError('SIGNATURE_INVALID', `${url} signed with the key of no witness`, { signer });
        }
        return answer.signature;
      }),
    );
  };
}
