// What a coordinator asks a key-holder after a set is finalised, and what the key-holder answers.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';
import { LIMITS, SECAGG } from '../params.ts';
import { FINGERPRINT_BYTES } from '../secagg/fingerprint.ts';
import { ANSWER_BYTES } from '../secagg/shamir.ts';
import { SEALED_SHARE_BYTES } from '../secagg/shares.ts';
import { addressField, bytesField, hashField, roundField, signatureField } from './fields.ts';

/** One dealer's share for one key-holder, and what ties it to the commit on chain. */
export const sharesField = z
  .array(
    z.strictObject({
      dealer: addressField,
      /** The share sealed to this key-holder. */
      sealedShare: bytesField(SEALED_SHARE_BYTES, SEALED_SHARE_BYTES),
      /** sha256 of every key-holder's sealed share, in order: the preimage of the dealer's sharesRoot on chain. */
      shareHashes: z.array(hashField).min(1).max(LIMITS.maxKeyHolders),
      /** The dealer's EIP-712 `Upload`: an honest dealer signs one sharing an attempt, whatever an endpoint says of the chain. */
      signature: signatureField,
    }),
  )
  .min(1)
  .max(SECAGG.maxDealers);

/** Per dealer: the sealed share, a signature, 69 bytes of CBOR per hash in hex, field names. */
export const MAX_SHARES_BYTES = 1_024 + SECAGG.maxDealers * (SEALED_SHARE_BYTES + 288 + LIMITS.maxKeyHolders * 69);

/** The set is not in it: a key-holder reads that from chain. */
export const answerRequest = z.strictObject({
  v: z.literal('concordat/1/answer-request'),
  round: roundField,
  /** sha256 of the sum's payload; its bytes were streamed to the key-holder before. */
  aggregateHash: hashField,
  shares: sharesField,
  /** By dealers of the set who are still there; the payloads of the others are streamed to the key-holder instead. */
  fingerprints: z
    .array(
      z.strictObject({
        dealer: addressField,
        fingerprint: bytesField(FINGERPRINT_BYTES, FINGERPRINT_BYTES),
        /** EIP-712 `Fingerprint` by the dealer */
        signature: signatureField,
      }),
    )
    .max(SECAGG.maxDealers),
});
export type AnswerRequest = z.infer<typeof answerRequest>;

/** A fingerprint with its signature, address and field names. */
export const MAX_ANSWER_REQUEST_BYTES = MAX_SHARES_BYTES + SECAGG.maxDealers * 320;

export const answerMessage = z.strictObject({
  v: z.literal('concordat/1/answer'),
  keyHolder: addressField,
  index: z.int().min(1).max(LIMITS.maxKeyHolders),
  round: roundField,
  setHash: hashField,
  aggregateHash: hashField,
  /** Σ of the shares over the set, 4096 × uint16le. */
  answer: bytesField(ANSWER_BYTES, ANSWER_BYTES),
  /** EIP-712 `Answer` over setHash, aggregateHash and sha256(answer) */
  signature: signatureField,
});
export type AnswerMessage = z.infer<typeof answerMessage>;

export const MAX_ANSWER_BYTES = ANSWER_BYTES + 1_024;

/** The EIP-712 struct `Answer` that a key-holder signs. */
export interface AnswerStatement {
  readonly keyHolder: Hex;
  readonly round: number;
  readonly setHash: Hex;
  readonly aggregateHash: Hex;
  readonly answerHash: Hex;
}
