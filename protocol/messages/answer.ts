// What a coordinator asks a key-holder after a set is finalised, and what the key-holder answers.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';
import { LIMITS, SECAGG } from '../params.ts';
import { SHARE_BYTES } from '../secagg/shamir.ts';
import { SEALED_SHARE_BYTES } from '../secagg/shares.ts';
import { addressField, bytesField, hashField, roundField, signatureField } from './fields.ts';

/** The set is not in it: a key-holder reads that from chain. */
export const answerRequest = z.strictObject({
  v: z.literal('concordat/1/answer-request'),
  round: roundField,
  shares: z
    .array(
      z.strictObject({
        dealer: addressField,
        /** The share sealed to this key-holder. */
        sealedShare: bytesField(SEALED_SHARE_BYTES, SEALED_SHARE_BYTES),
        /** sha256 of every key-holder's sealed share, in order: the preimage of the dealer's sharesRoot on chain. */
        shareHashes: z.array(hashField).min(1).max(LIMITS.maxKeyHolders),
      }),
    )
    .min(1)
    .max(SECAGG.maxDealers),
});
export type AnswerRequest = z.infer<typeof answerRequest>;

/** Per dealer: the sealed share, 69 bytes of CBOR per hash in hex, field names. */
export const MAX_ANSWER_REQUEST_BYTES =
  1_024 + SECAGG.maxDealers * (SEALED_SHARE_BYTES + 128 + LIMITS.maxKeyHolders * 69);

export const answerMessage = z.strictObject({
  v: z.literal('concordat/1/answer'),
  keyHolder: addressField,
  index: z.int().min(1).max(LIMITS.maxKeyHolders),
  round: roundField,
  setHash: hashField,
  /** Σ of the shares over the set, 4096 × uint16le. */
  answer: bytesField(SHARE_BYTES, SHARE_BYTES),
  /** EIP-712 `Answer` over setHash and sha256(answer) */
  signature: signatureField,
});
export type AnswerMessage = z.infer<typeof answerMessage>;

export const MAX_ANSWER_BYTES = SHARE_BYTES + 1_024;

/** The EIP-712 struct `Answer` that a key-holder signs. */
export interface AnswerStatement {
  readonly keyHolder: Hex;
  readonly round: number;
  readonly setHash: Hex;
  readonly answerHash: Hex;
}
