// A witness: replays every dealer's consent log on its own and co-signs an anchor only when it arrives at the same roots.
import type { Hex } from '../../protocol/bytes.ts';
import { type Anchor, anchorSchema, sameAnchor } from '../../protocol/consent/anchor.ts';
import type { RelyingParty, SignatureVerifier } from '../../protocol/consent/assertion.ts';
import { decodeEntry, type LogEntry } from '../../protocol/consent/log.ts';
import { admitEntry, ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import type { WitnessStore } from './witness-store.ts';

export interface CoSignRequest {
  /** Log index of the first of `entries`. */
  readonly firstIndex: number;
  readonly entries: readonly LogEntry[];
  readonly anchor: Anchor;
}

export interface CoSignature {
  readonly anchor: Anchor;
  /** EIP-712, over `Anchor`. */
  readonly signature: Hex;
}

export interface WitnessParts {
  readonly store: WitnessStore;
  readonly verifySignature: SignatureVerifier;
  /** EIP-712 signature of the anchor under this witness's key; must be deterministic (RFC 6979, as ethers signs). */
  readonly sign: (anchor: Anchor) => Promise<Hex>;
  /** Where a registered dealer's customers sign; undefined for a dealer this federation does not know. */
  readonly relyingPartyOf: (dealer: Hex) => RelyingParty | undefined;
}

export interface Witness {
  /**
   * @throws ConcordatError NOT_A_MEMBER, MESSAGE_TOO_LARGE, LOG_GAP, PASSKEY_REFUSED, CONSENT_OPERATION_REFUSED,
   * ANCHOR_MISMATCH, ANCHOR_EQUIVOCATION
   */
  coSign(dealer: Hex, request: CoSignRequest): Promise<CoSignature>;
  /**
   * Takes entries in without signing: for a witness that joined late, up to the first entry of the next proposal.
   * @returns the number of entries it now knows
   */
  follow(dealer: Hex, firstIndex: number, entries: readonly LogEntry[]): Promise<number>;
  /** Number of entries it knows of this dealer: where `LOG_GAP` wants the next batch to start. */
  operationCount(dealer: Hex): Promise<number>;
}

export function createWitness({ store, verifySignature, sign, relyingPartyOf }: WitnessParts): Witness {
  const states = new Map<Hex, ConsentState>(); // as far as the store is known to have it
  const queues = new Map<Hex, Promise<unknown>>();

  /** One request per dealer at a time: two proposals for one epoch must not pass each other. */
  const inTurn = <T>(dealer: Hex, work: () => Promise<T>): Promise<T> => {
    const result = (queues.get(dealer) ?? Promise.resolve()).then(work, work);
    queues.set(
      dealer,
      result.catch(() => undefined),
    );
    return result;
  };

  const stateOf = async (dealer: Hex): Promise<ConsentState> => {
    const known = states.get(dealer);
    if (known !== undefined) return known;
    const state = ConsentState.replay(dealer, await store.readLog(dealer));
    states.set(dealer, state);
    return state;
  };

  const relyingPartyOfMember = (dealer: Hex): RelyingParty => {
    const relyingParty = relyingPartyOf(dealer);
    if (relyingParty === undefined) throw new ConcordatError('NOT_A_MEMBER', 'no such dealer', { dealer });
    return relyingParty;
  };

  /** The state after the entries, every signature checked, on a copy; entries already known are skipped. */
  const extend = (
    state: ConsentState,
    firstIndex: number,
    entries: readonly LogEntry[],
    relyingParty: RelyingParty,
  ) => {
    const { dealer, operationCount } = state;
    if (entries.length > LIMITS.maxConsentOperationsPerRequest) {
      throw new ConcordatError('MESSAGE_TOO_LARGE', `${entries.length} operations`, { dealer });
    }
    if (firstIndex > operationCount) {
      throw new ConcordatError('LOG_GAP', `entries from ${operationCount} on are missing`, { dealer, operationCount });
    }
    // A skipped entry that differs from the one we hold shows in the log head, which the anchor states.
    const fresh = entries.slice(operationCount - firstIndex);
    const next = state.clone();
    for (const entry of fresh) admitEntry(next, decodeEntry(entry), relyingParty, verifySignature);
    return { fresh, next };
  };

  const commit = async (state: ConsentState, fresh: readonly LogEntry[], next: ConsentState, anchor?: Anchor) => {
    states.delete(state.dealer); // until the write is certain, the store alone knows
    await store.commit(state.dealer, state.operationCount, fresh, anchor);
    states.set(state.dealer, next);
  };

  return {
    async coSign(dealer, request) {
      const relyingParty = relyingPartyOfMember(dealer);
      const anchor = parseAnchor(request.anchor);
      return inTurn(dealer, async () => {
        const signed = await store.readAnchor(dealer, anchor.epoch);
        if (signed !== undefined) {
          if (sameAnchor(signed, anchor)) return { anchor: signed, signature: await sign(signed) };
          const { epoch, operationCount } = signed;
          throw new ConcordatError('ANCHOR_EQUIVOCATION', `epoch ${epoch} is signed`, {
            dealer,
            epoch,
            operationCount,
          });
        }
        if (anchor.epoch < (await store.lastEpoch(dealer))) {
          throw new ConcordatError('ANCHOR_EQUIVOCATION', 'a later epoch is signed already', { dealer });
        }
        const state = await stateOf(dealer);
        const { fresh, next } = extend(state, request.firstIndex, request.entries, relyingParty);
        const ours = next.anchor(anchor.epoch);
        if (!sameAnchor(ours, anchor)) throw mismatch(ours, anchor);
        await commit(state, fresh, next, ours); // before the signature exists: a crash can then never lead to a second one
        return { anchor: ours, signature: await sign(ours) };
      });
    },
    async follow(dealer, firstIndex, entries) {
      const relyingParty = relyingPartyOfMember(dealer);
      return inTurn(dealer, async () => {
        const state = await stateOf(dealer);
        const { fresh, next } = extend(state, firstIndex, entries, relyingParty);
        if (fresh.length > 0) await commit(state, fresh, next);
        return next.operationCount;
      });
    },
    async operationCount(dealer) {
      relyingPartyOfMember(dealer);
      return inTurn(dealer, async () => (await stateOf(dealer)).operationCount);
    },
  };
}

function parseAnchor(anchor: Anchor): Anchor {
  const parsed = anchorSchema.safeParse(anchor);
  if (!parsed.success) throw new ConcordatError('MESSAGE_MALFORMED', `anchor: ${parsed.error.issues[0]?.message}`);
  return parsed.data;
}

function mismatch(ours: Anchor, theirs: Anchor): ConcordatError {
  const fields = ['dealer', 'bucketsRoot', 'subjectsRoot', 'logHead', 'operationCount'] as const;
  const differing = fields.filter((field) => ours[field] !== theirs[field]);
  return new ConcordatError('ANCHOR_MISMATCH', `we arrive at another ${differing.join(', ')}`, { differing });
}
