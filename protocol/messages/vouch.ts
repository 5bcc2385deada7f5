// Before a set is fixed: what a key-holder says of the shares that dealers dealt it.
import { z } from 'zod';
import { type Hex, sha256, toHex } from '../bytes.ts';
import { encodeCbor } from '../codec.ts';
import { LIMITS, SECAGG } from '../params.ts';
import { TEST_VALUE_BYTES } from '../secagg/linear-test.ts';
import { MAX_SHARES_BYTES, sharesField } from './answer.ts';
import { addressField, attemptField, bytesField, hashField, roundField, signatureField } from './fields.ts';

export const vouchRequest = z.strictObject({
  v: z.literal('concordat/1/vouch-request'),
  round: roundField,
  shares: sharesField,
});
export type VouchRequest = z.infer<typeof vouchRequest>;
export const MAX_VOUCH_REQUEST_BYTES = MAX_SHARES_BYTES;

/** One upload, as committed on chain when the key-holder looked. */
export const vouchField = z.strictObject({
  dealer: addressField,
  attempt: attemptField,
  payloadHash: hashField,
  sharesRoot: hashField,
  /** The share's test value (protocol/secagg/linear-test.ts); null when the sealed share does not open. */
  value: bytesField(TEST_VALUE_BYTES, TEST_VALUE_BYTES).nullable(),
});
export type Vouch = z.infer<typeof vouchField>;

export const vouchMessage = z.strictObject({
  v: z.literal('concordat/1/vouch'),
  keyHolder: addressField,
  index: z.int().min(1).max(LIMITS.maxKeyHolders),
  round: roundField,
  vouches: z.array(vouchField).min(1).max(SECAGG.maxDealers),
  /** EIP-712 `Vouch` */
  signature: signatureField,
});
export type VouchMessage = z.infer<typeof vouchMessage>;
export const MAX_VOUCH_BYTES = 1_024 + SECAGG.maxDealers * 384;

/** The EIP-712 struct `Vouch` that a key-holder signs. */
export interface VouchStatement {
  readonly keyHolder: Hex;
  readonly round: number;
  readonly vouchesHash: Hex;
}

/** What is signed, and kept in the transcript. */
export const encodeVouches = (vouches: readonly Vouch[]): Uint8Array => encodeCbor(vouches);
export const vouchesHash = (vouches: readonly Vouch[]): Hex => toHex(sha256(encodeVouches(vouches)));
