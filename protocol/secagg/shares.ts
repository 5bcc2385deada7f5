// What binds a sealed share: its associated data, and the root over all sealed shares of one upload.
import { concatBytes, fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { encodeCbor } from '../codec.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { SHARE_BYTES } from './shamir.ts';

/** An X-Wing public key: ML-KEM-768 (1,184) and X25519 (32). */
export const SEALING_KEY_BYTES = 1_216;
/** X-Wing ciphertext: ML-KEM-768 (1,088) and an ephemeral X25519 key (32). */
export const ENCAPSULATION_BYTES = 1_120;
/** Encapsulation, encrypted share, GCM tag. */
export const SEALED_SHARE_BYTES = ENCAPSULATION_BYTES + SHARE_BYTES + 16;

/** Everything a share is for. A share opens under no other. */
export interface ShareContext {
  readonly chainId: number;
  /** The RoundLedger. */
  readonly ledger: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly dealer: Hex;
  readonly payloadHash: Hex;
}

const TAG = `${PROTOCOL_VERSION}/share`;

/** Canonical CBOR; addresses and the hash as lower-case hex text. */
export function shareAssociatedData(context: ShareContext, keyHolderIndex: number): Uint8Array {
  const { chainId, ledger, round, attempt, dealer, payloadHash } = context;
  return encodeCbor([TAG, chainId, lower(ledger), round, attempt, lower(dealer), keyHolderIndex, lower(payloadHash)]);
}

const lower = (hex: Hex): string => hex.toLowerCase();

/** sha256(tag ‖ sha256(sealed share 1) ‖ … ‖ sha256(sealed share n)), in the order of the key-holders' indices. */
export function sharesRoot(shareHashes: readonly Hex[]): Hex {
  return toHex(sha256(concatBytes(utf8ToBytes(`${PROTOCOL_VERSION}/shares`), ...shareHashes.map(fromHex))));
}

export const sealedShareHash = (sealedShare: Uint8Array): Hex => toHex(sha256(sealedShare));
