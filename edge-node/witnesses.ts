// Asking the witnesses: all at once, and enough of them sign; those that are down or behind get every anchor once they can.
import type { ChainConnection } from '../engines/chain/connect.ts';
import { readEvents, topicOf } from '../engines/chain/events.ts';
import { recoverTypedStruct, signTypedStruct } from '../engines/chain/typed-data.ts';
import type { Identity } from '../engines/keys/identity.ts';
import type { Clock } from '../kit/clock.ts';
import { requestJson } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import { type Hex, toHex } from '../protocol/bytes.ts';
import { encodeCbor } from '../protocol/codec.ts';
import { abiWord } from '../protocol/consent/hex-schema.ts';
import type { LogEntry } from '../protocol/consent/log.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { AnchorProposal } from './consent/anchor-proposal.ts';
import { type CoSigned, type Courier, createCourier } from './courier.ts';

export interface WitnessesParts {
  readonly urls: readonly string[];
  readonly chain: ChainConnection;
  readonly identity: Identity;
  /** The dealer's own log, `from` to `to`. */
  readonly entries: (from: number, to: number) => readonly LogEntry[];
  readonly clock: Clock;
  readonly log: Log;
  readonly patienceMs?: number;
}

export interface Witnesses {
  /** As many signatures as the federation asks for, of different witnesses. @throws ConcordatError QUORUM_MISSING */
  coSign(proposal: AnchorProposal): Promise<readonly Hex[]>;
  /** After a restart: whoever did not get the last anchor gets it now, in the background. */
  remind(): Promise<void>;
  stop(): void;
}

/** How long a quorum is waited for before the caller hears of it; the couriers go on. */
const PATIENCE_MS = 30_000;
const MAX_ANSWER_BYTES = 1_024;

export function createWitnesses(parts: WitnessesParts): Witnesses {
  const { chain, clock, log, patienceMs = PATIENCE_MS } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  const send = createSender(parts);
  const anchoredBetween = async (epoch: number, before: number) =>
    (await readAnchored(parts)).filter(({ anchor }) => anchor.epoch > epoch && anchor.epoch < before);
  const couriers = parts.urls.map((url) => createCourier({ url, send, anchoredBetween, clock, signal, log }));

  return {
    async coSign(proposal) {
      const { witnessQuorum } = await chain.federation.parameters();
      const enough = new AbortController();
      const late = clock.sleep(patienceMs, AbortSignal.any([enough.signal, signal]));
      try {
        return await quorumOf(couriers, proposal, witnessQuorum, late);
      } finally {
        enough.abort();
      }
    },
    async remind() {
      const last = (await readAnchored(parts)).at(-1);
      if (last === undefined) return;
      for (const courier of couriers) {
        courier.deliver(last).catch((err) => log.debug({ err, url: courier.url }, 'a witness was not reminded'));
      }
    },
    stop: () => stopping.abort(),
  };
}

/** One request to one witness. @throws ConcordatError SIGNATURE_INVALID for the signature of anybody else, and what it refuses with */
function createSender({ chain, identity }: WitnessesParts) {
  return async (url: string, { firstIndex, entries, anchor }: AnchorProposal): Promise<CoSigned> => {
    const answer = await requestJson<{ signature: Hex }>(`${url}/v1/witness/anchors`, {
      method: 'POST',
      headers: { 'content-type': 'application/cbor' },
      maxBytes: MAX_ANSWER_BYTES,
      body: encodeCbor({
        v: 'concordat/1/co-sign',
        firstIndex,
        entries: entries.map(({ operation, assertion }) => ({ operation, assertion })),
        anchor: { ...anchor },
        dealerSignature: signTypedStruct(identity.privateKey, chain.domain, 'Anchor', anchor),
      }),
    });
    const signer = recoverTypedStruct(chain.domain, 'Anchor', anchor, answer.signature);
    if (signer === identity.address || !(await chain.federation.isWitness(signer))) {
      throw new ConcordatError('SIGNATURE_INVALID', `${url} signed with the key of no witness`, { signer });
    }
    return { signer, signature: answer.signature };
  };
}

/** What this dealer anchored, as the chain has it, with the entries of each epoch. */
async function readAnchored({ chain, identity, entries }: WitnessesParts): Promise<AnchorProposal[]> {
  const dealer = identity.address;
  const topics = [topicOf('Anchored'), toHex(abiWord(dealer))];
  // a witness that is new to the dealer needs its log from the first epoch on, wherever that was anchored
  const events = await readEvents(chain.client, { address: await chain.registry.line(), fromBlock: 0, topics });
  let firstIndex = 0;
  return events.flatMap((event) => {
    if (event.name !== 'Anchored') return [];
    const { epoch, bucketsRoot, subjectsRoot, logHead, operationCount } = event;
    const anchor = { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount };
    const proposal = { firstIndex, entries: entries(firstIndex, operationCount), anchor };
    firstIndex = operationCount;
    return [proposal];
  });
}

/** The first `quorum` different signers. @throws ConcordatError QUORUM_MISSING when too many refuse, or it is late */
function quorumOf(
  couriers: readonly Courier[],
  proposal: AnchorProposal,
  quorum: number,
  late: Promise<void>,
): Promise<readonly Hex[]> {
  return new Promise((resolve, reject) => {
    const signatures = new Map<Hex, Hex>();
    const refused: string[] = [];
    let open = couriers.length;
    const missing = (cause?: unknown): void => {
      const got = `${signatures.size} of ${quorum} witnesses signed epoch ${proposal.anchor.epoch}`;
      const fields = { signed: signatures.size, quorum, witnesses: couriers.length, refused: [...refused] };
      reject(new ConcordatError('QUORUM_MISSING', got, fields, { cause }));
    };
    const ended = (cause?: unknown): void => {
      if (signatures.size >= quorum) resolve([...signatures.values()].slice(0, quorum));
      else if (signatures.size + open < quorum) missing(cause);
    };
    for (const { url, deliver } of couriers) {
      deliver(proposal).then(
        ({ signer, signature }) => {
          open -= 1;
          signatures.set(signer, signature);
          ended();
        },
        (cause: Error) => {
          open -= 1;
          refused.push(`${url}: ${cause instanceof ConcordatError ? `${cause.code}: ${cause.detail}` : cause.message}`);
          ended(cause);
        },
      );
    }
    void late.then(() => missing());
    ended();
  });
}
