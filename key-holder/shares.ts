// A key-holder's own shares of a set: each checked against its dealer's commitment on chain, opened, and added up.
import { openShare, type SealingKeys } from '../engines/keys/sealing.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { AnswerRequest } from '../protocol/messages/answer.ts';
import { RING_DEGREE } from '../protocol/secagg/block.ts';
import { refused } from '../protocol/secagg/set.ts';
import { addShares, decodeShare, type ShareVector } from '../protocol/secagg/shamir.ts';
import { sealedShareHash, shareAssociatedData, sharesRoot } from '../protocol/secagg/shares.ts';

/** The part of a dealer's `commit` on chain that a key-holder holds it to. */
export interface Commitment {
  readonly attempt: number;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
}

interface Own {
  readonly chain: {
    readonly chainId: number;
    readonly ledger: Hex;
    commitmentOf(round: number, dealer: Hex): Promise<Commitment | undefined>;
  };
  readonly index: number;
  readonly keys: SealingKeys;
}

/**
 * Σ of this key-holder's shares, mod 65521.
 * @throws ConcordatError SET_REFUSED a dealer has not committed, or the share is not the one under its sharesRoot
 * @throws ConcordatError SHARE_UNREADABLE naming the dealer: sealed to another key, or for another round, attempt or payload
 */
export async function sumOwnShares(request: AnswerRequest, own: Own): Promise<ShareVector> {
  const sum = new Uint16Array(RING_DEGREE);
  for (const entry of request.shares) {
    const commitment = await own.chain.commitmentOf(request.round, entry.dealer);
    if (commitment === undefined) throw refused(request.round, `${entry.dealer} has not committed`, entry.dealer);
    checkUnderRoot(request.round, entry, commitment, own.index);
    const share = openOwn(request.round, entry, commitment, own);
    addShares(sum, share);
    share.fill(0);
  }
  return sum;
}

type Entry = AnswerRequest['shares'][number];

function checkUnderRoot(round: number, entry: Entry, commitment: Commitment, index: number): void {
  const { dealer, sealedShare, shareHashes } = entry;
  if (sharesRoot(shareHashes) !== commitment.sharesRoot) {
    throw refused(round, `the share hashes of ${dealer} are not under its sharesRoot on chain`, dealer);
  }
  if (shareHashes[index - 1] !== sealedShareHash(sealedShare)) {
    throw refused(round, `the sealed share of ${dealer} is not the one it committed for key-holder ${index}`, dealer);
  }
}

function openOwn(round: number, entry: Entry, commitment: Commitment, own: Own): ShareVector {
  const { dealer, sealedShare } = entry;
  const { attempt, payloadHash } = commitment;
  const { chainId, ledger } = own.chain;
  const context = { chainId, ledger, round, attempt, dealer, payloadHash };
  try {
    const plaintext = openShare(own.keys, sealedShare, shareAssociatedData(context, own.index));
    const share = decodeShare(plaintext);
    plaintext.fill(0);
    return share;
  } catch (cause) {
    throw new ConcordatError('SHARE_UNREADABLE', `the share of ${dealer} does not open`, { round, dealer }, { cause });
  }
}
