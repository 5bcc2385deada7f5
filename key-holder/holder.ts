// A key-holder: answers once per round, for the set that the chain finalised and for no other.
import type { SealingKeys } from '../engines/keys/sealing.ts';
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
import { refused, requireAnswerableSet, requireSameDealers, setHash } from '../protocol/secagg/set.ts';
import { encodeShare } from '../protocol/secagg/shamir.ts';
import { type Commitment, sumOwnShares } from './shares.ts';

/** What a key-holder reads of the chain, at a block that it takes as final. */
export interface ChainView {
  readonly chainId: number;
  /** The RoundLedger. */
  readonly ledger: Hex;
  /** Dealers of SetFinalised, in its order; undefined while the round is open, unknown or failed. */
  finalisedSet(round: number): Promise<readonly Hex[] | undefined>;
  commitmentOf(round: number, dealer: Hex): Promise<Commitment | undefined>;
  minCohort(): Promise<number>;
  registeredDealers(): Promise<readonly Hex[]>;
}

export interface KeyHolderParts {
  readonly address: Hex;
  /** From 1, as registered on chain. */
  readonly index: number;
  readonly keys: SealingKeys;
  /** EIP-712 `Answer` under the federation's domain. */
  readonly sign: (statement: AnswerStatement) => Promise<Hex>;
  readonly chain: ChainView;
  readonly store: Pick<Store, 'get' | 'write'>;
}

export interface KeyHolder {
  readonly identity: { readonly address: Hex; readonly index: number; readonly sealingPublicKey: Hex };
  /**
   * The canonical CBOR of an `answerMessage`. Stored before it is returned; every later call for the round returns the
   * identical bytes or is refused.
   * @throws ConcordatError SET_REFUSED with the reason; SHARE_UNREADABLE naming the dealer
   */
  answer(request: AnswerRequest): Promise<Uint8Array>;
}

const BUCKET = 'answer';

export function createKeyHolder(parts: KeyHolderParts): KeyHolder {
  const { address, index, keys, sign, chain, store } = parts;
  const queues = new Map<number, Promise<unknown>>();

  async function answerFor(request: AnswerRequest): Promise<Uint8Array> {
    const { round } = request;
    const finalised = await chain.finalisedSet(round);
    const hash = finalised && setHash(round, finalised);
    const stored = await store.get(keyOf(BUCKET, round));
    if (stored !== undefined) return repeat(stored, round, hash);
    const [minCohort, registered] = await Promise.all([chain.minCohort(), chain.registeredDealers()]);
    const dealers = requireAnswerableSet({ round, finalised, minCohort, registered });
    requireSameDealers(
      round,
      dealers,
      request.shares.map(({ dealer }) => dealer),
    );
    const sum = encodeShare(await sumOwnShares(request, { chain, index, keys }));
    const statement = {
      keyHolder: address,
      round,
      setHash: hash ?? setHash(round, dealers),
      answerHash: toHex(sha256(sum)),
    };
    const message: AnswerMessage = {
      v: 'concordat/1/answer',
      keyHolder: address,
      index,
      round,
      setHash: statement.setHash,
      answer: sum,
      signature: await sign(statement),
    };
    const bytes = encodeCbor(message);
    // on disk before anyone sees it: after a crash the same round gets these bytes, whatever set is then shown
    await store.write([{ put: keyOf(BUCKET, round), value: bytes }]);
    return bytes;
  }

  function repeat(stored: Uint8Array, round: number, hash: Hex | undefined): Uint8Array {
    const before = decodeCbor(stored, answerMessage, MAX_ANSWER_BYTES);
    if (before.keyHolder !== address || before.index !== index) {
      throw new ConcordatError('STATE_CORRUPT', `the answer stored for round ${round} is ${before.keyHolder}\u2019s`);
    }
    if (before.setHash !== hash) throw refused(round, 'another set was answered in this round');
    return stored;
  }

  return {
    identity: { address, index, sealingPublicKey: toHex(keys.publicKey) },
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
  };
}
