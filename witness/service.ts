// A witness as a service: the dealer's own signature first, then the witness; and what it shows to anyone who asks.
import type { Hex } from '../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../protocol/codec.ts';
import type { Anchor } from '../protocol/consent/anchor.ts';
import { type Equivocation, equivocationOf, type SigningDomain } from '../protocol/consent/equivocation.ts';
import { ConcordatError } from '../protocol/errors.ts';
import {
  coSignMessage,
  type HeadsMessage,
  MAX_CO_SIGN_BYTES,
  MAX_HEADS_PER_PAGE,
} from '../protocol/messages/witness.ts';
import { LIMITS } from '../protocol/params.ts';
import type { CoSignature, Witness } from './witness.ts';
import type { AnchorPlace, WitnessStore } from './witness-store.ts';

export interface WitnessServiceParts {
  readonly address: Hex;
  readonly domain: SigningDomain;
  readonly witness: Witness;
  readonly store: WitnessStore;
  readonly sign: (anchor: Anchor) => Promise<Hex>;
  readonly recoverAnchor: (anchor: Anchor, signature: Hex) => Hex;
  readonly isDealer: (address: Hex) => Promise<boolean>;
  /** Before the answer leaves; again for a repeated request. */
  readonly onSigned: (anchor: Anchor) => Promise<void>;
}

export interface WitnessService {
  readonly address: Hex;
  /** @throws ConcordatError MESSAGE_MALFORMED, SIGNATURE_INVALID, NOT_A_MEMBER and whatever the witness refuses with */
  coSign(body: Uint8Array): Promise<CoSignature>;
  /** Every anchor it signed, a page at a time. */
  heads(after: AnchorPlace | undefined): Promise<HeadsMessage>;
  /** Canonical CBOR array of `[operation, assertion]` in log order, a page from `from` on; empty past the end. */
  log(dealer: Hex, from: number): Promise<Uint8Array>;
  /** Against dealers that showed it two anchors. */
  evidence(): Promise<Equivocation[]>;
}

export function createWitnessService(parts: WitnessServiceParts): WitnessService {
  const { address, domain, store, witness } = parts;
  return {
    address,
    async coSign(body) {
      const { v: _, ...request } = decodeCbor(body, coSignMessage, MAX_CO_SIGN_BYTES);
      const { dealer } = request.anchor;
      if (parts.recoverAnchor(request.anchor, request.dealerSignature) !== dealer) {
        throw new ConcordatError('SIGNATURE_INVALID', `the anchor of ${dealer}`, { dealer });
      }
      if (!(await parts.isDealer(dealer))) throw new ConcordatError('NOT_A_MEMBER', dealer);
      const signed = await witness.coSign(dealer, request);
      await parts.onSigned(signed.anchor);
      return signed;
    },
    async heads(after) {
      const signed = await store.listAnchors(after, MAX_HEADS_PER_PAGE);
      const last = signed.length < MAX_HEADS_PER_PAGE ? undefined : signed.at(-1)?.anchor;
      // what is stored was decided on; the signature may not have left yet, and is the same whenever it is made
      const heads = await Promise.all(
        signed.map(async ({ anchor, signature }) => ({
          anchor,
          dealerSignature: signature,
          signature: await parts.sign(anchor),
        })),
      );
      const next = last && `${last.dealer}/${last.epoch}`;
      return { v: 'concordat/1/heads', domain, witness: address, heads, ...(next && { next }) };
    },
    async log(dealer, from) {
      const entries = await store.readLog(dealer, { from, limit: LIMITS.maxConsentOperationsPerRequest });
      return encodeCbor(entries.map(({ operation, assertion }) => [operation, assertion]));
    },
    async evidence() {
      const contradictions = await store.listContradictions();
      return contradictions.map(({ held, refused }) => equivocationOf(domain, held.anchor.dealer, held, refused));
    },
  };
}
