// A key-holder: answers once per round, for the set that the chain finalised, for its true sum, and for no other.
import { keyOf, type Store } from '../engines/store/store.ts';
import { type Hex, sha256, toHex } from '../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import {
  type AnswerMessage,
  type AnswerRequest,
  type AnswerStatement,
  answerMessage,
  MAX_ANSWER_BYTES,
} from '../protocol/messages/answer.ts';
import type { VouchStatement } from '../protocol/messages/vouch.ts';
import { RING_DEGREE } from '../protocol/secagg/block.ts';
import { refused, requireSameDealers, setHash } from '../protocol/secagg/set.ts';
import { addShares, encodeShare } from '../protocol/secagg/shamir.ts';
import type { Keyring } from './keys/keyring.ts';
import { createPayloadBook, type PayloadBook } from './payloads.ts';
import { type ChainView, createFactsReader, type RoundFacts } from './round-facts.ts';
import { createShareBook, foreignTo, type OwnershipParts } from './shares.ts';
import { requireTrueSum, type TrueSumParts } from './true-sum.ts';
import { createVoucher, type Voucher } from './vouch.ts';

export interface KeyHolderParts {
  readonly address: Hex;
  /** From 1, as registered on chain. */
  readonly index: number;
  readonly keyring: Pick<Keyring, 'withKeys'>;
  /** EIP-712 `Answer` and `Vouch` under the federation's domain. */
  readonly sign: {
    readonly answer: (statement: AnswerStatement) => Promise<Hex>;
    readonly vouch: (statement: VouchStatement) => Promise<Hex>;
  };
  readonly recoverFingerprint: TrueSumParts['recoverFingerprint'];
  readonly recoverUpload: OwnershipParts['recoverUpload'];
  readonly chain: ChainView;
  readonly store: Pick<Store, 'get' | 'write'>;
}

export interface KeyHolder extends Voucher {
  readonly identity: { readonly address: Hex; readonly index: number };
  /** The payloads that an answer is checked against: PUT before it is asked for. */
  takePayload: PayloadBook['take'];
  /**
   * The canonical CBOR of an `answerMessage`. Stored before it is returned; every later call for the round returns the
   * identical bytes or is refused.
   * @throws ConcordatError SET_REFUSED with the reason; PAYLOAD_NEEDED, AGGREGATE_MISMATCH, SIGNATURE_INVALID about the sum;
   *   SHARE_UNREADABLE naming the dealer
   */
  answer(request: AnswerRequest): Promise<Uint8Array>;
  /** Wipes what memory holds of a round: it is over. */
  forget(round: number): void;
}

const BUCKET = 'answer';

export function createKeyHolder(parts: KeyHolderParts): KeyHolder {
  const { address, index, keyring, sign, chain, store } = parts;
  const shares = createShareBook({ chainId: chain.chainId, ledger: chain.ledger, index });
  const factsOf = createFactsReader(chain);
  const payloads = createPayloadBook({
    chain: { chainId: chain.chainId, ledger: chain.ledger },
    factsOf,
  });
  const queues = new Map<number, Promise<unknown>>();

  async function answerFor(request: AnswerRequest): Promise<Uint8Array> {
    const { round, aggregateHash } = request;
    const stored = await store.get(keyOf(BUCKET, round));
    if (stored !== undefined) return repeat(stored, request);
    const facts = await factsOf(round);
    const named = request.shares.map(({ dealer }) => dealer);
    requireSameDealers(round, facts.dealers, named);
    requireCommitted(request, facts);
    requireTrueSum(request, facts, { payloads, recoverFingerprint: parts.recoverFingerprint });
    const answer = encodeShare(await sumShares(request, facts));
    const statement = {
      keyHolder: address,
      round,
      setHash: facts.setHash,
      aggregateHash,
      answerHash: toHex(sha256(answer)),
    };
    const message: AnswerMessage = {
      v: 'concordat/1/answer',
      keyHolder: address,
      index,
      round,
      setHash: facts.setHash,
      aggregateHash,
      answer,
      signature: await sign.answer(statement),
    };
    const bytes = encodeCbor(message);
    // on disk before anyone sees it: after a crash the same round gets these bytes, whatever set is then shown
    await store.write([{ put: keyOf(BUCKET, round), value: bytes }]);
    shares.forget(round);
    return bytes;
  }

  function requireCommitted({ round, shares: entries }: AnswerRequest, { commitments }: RoundFacts): void {
    for (const entry of entries) {
      const commitment = commitments.get(entry.dealer);
      const fault = commitment && foreignTo(round, entry, commitment, parts);
      if (fault !== undefined) throw refused(round, fault, entry.dealer);
    }
  }

  /** Σ of this key-holder's shares, mod 65521. */
  function sumShares({ round, shares: entries }: AnswerRequest, { commitments }: RoundFacts) {
    return keyring.withKeys(round, async (keys) => {
      const sum = new Uint16Array(RING_DEGREE);
      for (const entry of entries) {
        const commitment = commitments.get(entry.dealer);
        if (commitment === undefined) throw refused(round, `${entry.dealer} has not committed`, entry.dealer);
        addShares(sum, shares.open(round, entry, commitment, keys));
      }
      return sum;
    });
  }

  async function repeat(stored: Uint8Array, { round, aggregateHash }: AnswerRequest): Promise<Uint8Array> {
    const before = decodeCbor(stored, answerMessage, MAX_ANSWER_BYTES);
    if (before.keyHolder !== address || before.index !== index) {
      throw new ConcordatError('STATE_CORRUPT', `the answer stored for round ${round} is ${before.keyHolder}\u2019s`);
    }
    const finalised = await chain.finalisedSet(round);
    const shown = finalised && setHash(round, finalised);
    if (before.setHash !== shown) throw refused(round, 'another set was answered in this round');
    if (before.aggregateHash !== aggregateHash) throw refused(round, 'another sum was answered in this round');
    return stored;
  }

  return {
    ...createVoucher({ ...parts, shares, sign: sign.vouch }),
    identity: { address, index },
    takePayload: payloads.take,
    answer(request) {
      // one at a time per round: two requests that see two sets (a reorganised chain) must not both pass the look-up
      const before = queues.get(request.round) ?? Promise.resolve();
      const started = before.then(
        () => answerFor(request),
        () => answerFor(request),
      );
      queues.set(request.round, started);
      return started.finally(() => {
        if (queues.get(request.round) === started) queues.delete(request.round);
      });
    },
    forget(round) {
      shares.forget(round);
      payloads.forget(round);
    },
  };
}
