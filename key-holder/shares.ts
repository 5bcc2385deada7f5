// A key-holder's own shares: each checked against its dealer's commitment on chain, opened, and kept for the answer.
import { openShare, type SealingKeys } from '../engines/keys/sealing.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { AnswerRequest } from '../protocol/messages/answer.ts';
import type { UploadStatement } from '../protocol/messages/upload.ts';
import { decodeShare, type ShareVector } from '../protocol/secagg/shamir.ts';
import { type ShareContext, sealedShareHash, shareAssociatedData, sharesRoot } from '../protocol/secagg/shares.ts';
import type { Commitment } from './round-facts.ts';

export type ShareEntry = AnswerRequest['shares'][number];

export interface OwnershipParts {
  /** Of this key-holder. */
  readonly index: number;
  /** Whose EIP-712 `Upload` it is. @throws ConcordatError SIGNATURE_INVALID */
  readonly recoverUpload: (statement: UploadStatement, signature: Hex) => Hex;
}

/**
 * Why an entry is not the upload that its dealer committed to; undefined when it is. The dealer's own signature counts, not the
 * endpoint's word alone: another sharesRoot for the same shares would make another test combination, and enough of those
 * would give the shares away.
 */
export function foreignTo(
  round: number,
  entry: ShareEntry,
  commitment: Commitment,
  { index, recoverUpload }: OwnershipParts,
): string | undefined {
  const { dealer, sealedShare, shareHashes, signature } = entry;
  if (sharesRoot(shareHashes) !== commitment.sharesRoot) {
    return `the share hashes of ${dealer} are not under its sharesRoot on chain`;
  }
  if (shareHashes[index - 1] !== sealedShareHash(sealedShare)) {
    return `the sealed share of ${dealer} is not the one it committed for key-holder ${index}`;
  }
  const { attempt, payloadHash, sharesRoot: root } = commitment;
  if (recoverUpload({ dealer, round, attempt, payloadHash, sharesRoot: root }, signature) !== dealer) {
    return `the upload of ${dealer} is not signed by it`;
  }
  return undefined;
}

interface ShareBookParts {
  readonly chainId: number;
  readonly ledger: Hex;
  readonly index: number;
  /** How many opened shares may be in memory. */
  readonly capacity?: number;
}

export interface ShareBook {
  readonly contextOf: (round: number, dealer: Hex, commitment: Commitment) => ShareContext;
  /**
   * The book keeps the share and wipes it.
   * @param entry checked to be the one under `commitment`
   * @throws ConcordatError SHARE_UNREADABLE naming the dealer: sealed to another key, or for another round, attempt or payload
   */
  open(round: number, entry: ShareEntry, commitment: Commitment, keys: SealingKeys): ShareVector;
  /** Overwrites what is kept of a round. */
  forget(round: number): void;
}

/** Two rounds of the largest cohort: 17 MB. */
const MAX_OPENED_SHARES = 2_048;

export function createShareBook(parts: ShareBookParts): ShareBook {
  const { chainId, ledger, index, capacity = MAX_OPENED_SHARES } = parts;
  const opened = new Map<string, { readonly round: number; readonly share: ShareVector }>();

  const contextOf = (round: number, dealer: Hex, { attempt, payloadHash }: Commitment): ShareContext => ({
    chainId,
    ledger,
    round,
    attempt,
    dealer,
    payloadHash,
  });

  function drop(name: string): void {
    opened.get(name)?.share.fill(0);
    opened.delete(name);
  }

  return {
    contextOf,
    open(round, entry, commitment, keys) {
      // all that the share is bound to: under another name it is opened again, and does not
      const name = [round, entry.dealer, commitment.attempt, commitment.payloadHash, commitment.sharesRoot].join('/');
      const known = opened.get(name);
      if (known !== undefined) return known.share;
      const share = openOne(contextOf(round, entry.dealer, commitment), entry, index, keys);
      const oldest = opened.size >= capacity ? opened.keys().next().value : undefined;
      if (oldest !== undefined) drop(oldest);
      opened.set(name, { round, share });
      return share;
    },
    forget(round) {
      for (const [name, entry] of opened) if (entry.round === round) drop(name);
    },
  };
}

function openOne(context: ShareContext, { dealer, sealedShare }: ShareEntry, index: number, keys: SealingKeys) {
  let plaintext: Uint8Array | undefined;
  try {
    plaintext = openShare(keys, sealedShare, shareAssociatedData(context, index));
    return decodeShare(plaintext);
  } catch (cause) {
    const { round } = context;
    throw new ConcordatError('SHARE_UNREADABLE', `the share of ${dealer} does not open`, { round, dealer }, { cause });
  } finally {
    plaintext?.fill(0);
  }
}
