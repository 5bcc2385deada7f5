// A witness, assembled: its memory, its key and its view of the chain, behind its doors.
import type { Router } from 'express';
import type { ChainConnection } from '../engines/chain/connect.ts';
import { recoverTypedStruct, signTypedStruct } from '../engines/chain/typed-data.ts';
import type { Identity } from '../engines/keys/identity.ts';
import { verifyPasskeySignature } from '../engines/keys/passkey.ts';
import type { Store } from '../engines/store/store.ts';
import type { Anchor } from '../protocol/consent/anchor.ts';
import type { RelyingParty } from '../protocol/consent/assertion.ts';
import { createWitnessStore } from './level-store.ts';
import { createWitnessRouter } from './router.ts';
import { createWitnessService } from './service.ts';
import { createWitness } from './witness.ts';
import type { WitnessStore } from './witness-store.ts';

interface WitnessHost {
  readonly identity: Identity;
  readonly chain: ChainConnection;
  /** Of the whole process; the witness keeps to keys of its own. */
  readonly store: Store;
  /** One for all dealers of a federation: what its genesis states. */
  readonly relyingParty: RelyingParty;
  /** Before an answer leaves; again for a repeated request. */
  readonly onSigned?: (anchor: Anchor, store: WitnessStore) => Promise<void>;
}

export function assembleWitness({ identity, chain, store, relyingParty, onSigned }: WitnessHost): Router {
  const witnessStore = createWitnessStore(store);
  const sign = async (anchor: Anchor) => signTypedStruct(identity.privateKey, chain.domain, 'Anchor', anchor);
  const service = createWitnessService({
    address: identity.address,
    domain: chain.domain,
    store: witnessStore,
    sign,
    recoverAnchor: (anchor, signature) => recoverTypedStruct(chain.domain, 'Anchor', anchor, signature),
    isDealer: chain.federation.isDealer,
    onSigned: async (anchor) => onSigned?.(anchor, witnessStore),
    witness: createWitness({
      store: witnessStore,
      verifySignature: verifyPasskeySignature,
      sign,
      relyingPartyOf: () => relyingParty,
      anchorOnChain: chain.registry.currentAnchor,
    }),
  });
  return createWitnessRouter(service);
}
