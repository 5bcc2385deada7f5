// A witness: replays every dealer's consent log on its own and co-signs an anchor only when it arrives at the same roots.
import type { Hex } from '../protocol/bytes.ts';
import { type Anchor, anchorSchema, sameAnchor } from '../protocol/consent/anchor.ts';
import type { RelyingParty, SignatureVerifier } from '../protocol/consent/assertion.ts';
import { contradictionOf, type SignedAnchor } from '../protocol/consent/equivocation.ts';
import { decodeEntry, type LogEntry } from '../protocol/consent/log.ts';
import { admitEntry, ConsentState } from '../protocol/consent/state.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/params.ts';
import type { WitnessStore } from './witness-store.ts';

export interface CoSignRequest {
  /** Log index of the first of `entries`. */
  readonly firstIndex: number;
  readonly entries: readonly LogEntry[];
  readonly anchor: Anchor;
  /** EIP-712 `Anchor` by the dealer, checked by whoever asks: what is left as evidence when it signs another. */
  readonly dealerSignature: Hex;
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
  /** The dealer's current anchor as this witness reads the chain; undefined before the first. */
  readonly anchorOnChain: (dealer: Hex) => Promise<Omit<Anchor, 'dealer'> | undefined>;
}

export interface Witness {
  /**
   * Signs a dealer's epochs 1, 2, 3, … without a gap: one that joins late is asked for all of them, in order.
   * @throws ConcordatError NOT_A_MEMBER, MESSAGE_TOO_LARGE, LOG_GAP (`epoch`: the last it signed), PASSKEY_REFUSED,
   * CONSENT_OPERATION_REFUSED, ANCHOR_MISMATCH, ANCHOR_EQUIVOCATION
   */
  coSign(dealer: Hex, request: CoSignRequest): Promise<CoSignature>;
}

export function createWitness(parts: WitnessParts): Witness {
  const { store, verifySignature, sign, relyingPartyOf } = parts;
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

  /** The state after the entries, every signature checked, on a copy; entries already known are skipped. */
  const extend = (
    state: ConsentState,
    last: number,
    { firstIndex, entries }: CoSignRequest,
    relyingParty: RelyingParty,
  ) => {
    const { dealer, operationCount } = state;
    if (entries.length > LIMITS.maxConsentOperationsPerRequest) {
      throw new ConcordatError('MESSAGE_TOO_LARGE', `${entries.length} operations`, { dealer });
    }
    if (firstIndex > operationCount) throw gap(dealer, last, operationCount);
    // A skipped entry that differs from the one we hold shows in the log head, which the anchor states.
    const fresh = entries.slice(operationCount - firstIndex);
    const next = state.clone();
    for (const entry of fresh) admitEntry(next, decodeEntry(entry), relyingParty, verifySignature);
    return { fresh, next };
  };

  const commit = async (state: ConsentState, fresh: readonly LogEntry[], next: ConsentState, signed: SignedAnchor) => {
    states.delete(state.dealer); // until the write is certain, the store alone knows
    await store.commit(state.dealer, state.operationCount, fresh, signed);
    states.set(state.dealer, next);
  };

  /** A dealer that has another anchor on chain than the one it showed here is not followed any further. */
  const requireChainAgrees = async (anchor: Anchor): Promise<void> => {
    const { dealer, epoch } = anchor;
    const onChain = await parts.anchorOnChain(dealer);
    if (onChain === undefined || onChain.epoch > epoch) return; // nothing yet, or history on the way to it
    const shown = onChain.epoch === epoch ? anchor : (await store.readAnchor(dealer, onChain.epoch))?.anchor;
    if (shown !== undefined && sameAnchor(shown, { dealer, ...onChain })) return;
    throw new ConcordatError('ANCHOR_MISMATCH', `epoch ${onChain.epoch} is another one on chain`, {
      dealer,
      epoch: onChain.epoch,
    });
  };

  const keep = (held: SignedAnchor, { anchor, dealerSignature }: CoSignRequest): Promise<void> =>
    store.keepContradiction({ held, refused: { anchor, signature: dealerSignature } });

  /** For ever the same answer to the same anchor; another one for its epoch is kept as evidence. */
  const repeat = async (held: SignedAnchor, request: CoSignRequest): Promise<CoSignature> => {
    const { dealer, epoch, operationCount } = held.anchor;
    if (sameAnchor(held.anchor, request.anchor)) return { anchor: held.anchor, signature: await sign(held.anchor) };
    await keep(held, request);
    throw new ConcordatError('ANCHOR_EQUIVOCATION', `epoch ${epoch} is signed`, { dealer, epoch, operationCount });
  };

  const signNext = async (request: CoSignRequest, relyingParty: RelyingParty): Promise<CoSignature> => {
    const { anchor, dealerSignature } = request;
    const { dealer } = anchor;
    const last = await store.lastEpoch(dealer);
    const state = await stateOf(dealer);
    if (anchor.epoch !== last + 1) throw gap(dealer, last, state.operationCount);
    await requireChainAgrees(anchor);
    const { fresh, next } = extend(state, last, request, relyingParty);
    const ours = next.anchor(anchor.epoch);
    if (!sameAnchor(ours, anchor)) {
      const held = await store.readAnchor(dealer, last);
      if (held !== undefined && contradictionOf(held.anchor, anchor) !== undefined) await keep(held, request);
      throw mismatch(ours, anchor);
    }
    // before the signature exists: a crash can then never lead to a second one
    await commit(state, fresh, next, { anchor: ours, signature: dealerSignature });
    return { anchor: ours, signature: await sign(ours) };
  };

  return {
    async coSign(dealer, asked) {
      const relyingParty = relyingPartyOf(dealer);
      if (relyingParty === undefined) throw new ConcordatError('NOT_A_MEMBER', 'no such dealer', { dealer });
      const request = { ...asked, anchor: parseAnchor(asked.anchor) };
      if (request.anchor.dealer !== dealer)
        throw new ConcordatError('ANCHOR_MISMATCH', 'of another dealer', { dealer });
      return inTurn(dealer, async () => {
        const held = await store.readAnchor(dealer, request.anchor.epoch);
        return held === undefined ? signNext(request, relyingParty) : repeat(held, request);
      });
    },
  };
}

function parseAnchor(anchor: Anchor): Anchor {
  const parsed = anchorSchema.safeParse(anchor);
  if (!parsed.success) throw new ConcordatError('MESSAGE_MALFORMED', `anchor: ${parsed.error.issues[0]?.message}`);
  return parsed.data;
}

const gap = (dealer: Hex, epoch: number, operationCount: number): ConcordatError =>
  new ConcordatError('LOG_GAP', `epoch ${epoch} and ${operationCount} entries are the last known`, {
    dealer,
    epoch,
    operationCount,
  });

function mismatch(ours: Anchor, theirs: Anchor): ConcordatError {
  const fields = ['dealer', 'bucketsRoot', 'subjectsRoot', 'logHead', 'operationCount'] as const;
  const differing = fields.filter((field) => ours[field] !== theirs[field]);
  return new ConcordatError('ANCHOR_MISMATCH', `we arrive at another ${differing.join(', ')}`, { differing });
}
