// A round of four dealers as key-holder 2 sees it, honest in every part; tests change the part they attack.
import { computeAddress } from 'ethers';
import { expect } from 'vitest';
import { createSealRing } from '../../auditor/ring/seal.ts';
import { createSealer } from '../../edge-node/seal/seal.ts';
import { recoverTypedStruct, signTypedStruct } from '../../engines/chain/typed-data.ts';
import { sealShare } from '../../engines/keys/sealing.ts';
import { createKeyHolder, type KeyHolderParts } from '../../key-holder/holder.ts';
import type { ChainView } from '../../key-holder/round-facts.ts';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { AnswerRequest } from '../../protocol/messages/answer.ts';
import { createFingerprinter, fingerprintChallenge } from '../../protocol/secagg/fingerprint.ts';
import { createPayloadParser } from '../../protocol/secagg/payload.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { sealedShareHash, shareAssociatedData, sharesRoot } from '../../protocol/secagg/shares.ts';
import {
  addressOf,
  CHAIN_ID,
  keysOf,
  LEDGER,
  memoryStore,
  type SealedInMemory,
  type SealedRound,
  sealInMemory,
  sealRound,
  sumOf,
} from '../unit/secagg-fixtures.ts';

export const ROUND = 7;
export const INDEX = 2;
export const HOLDER = addressOf('key-holder 2');
export const THRESHOLD = 2;

const ring = await createSealRing();
export const sealer = createSealer({ ring });
const DOMAIN = { chainId: CHAIN_ID, federation: addressOf('federation') } as const;

/** By address: dealers sign their uploads for real, because everything about vouching hangs on that signature. */
const DEALER_KEYS: ReadonlyMap<Hex, Hex> = new Map(
  [0, 1, 2, 3]
    .map((d) => toHex(sha256(utf8ToBytes(`key of dealer ${d}`))))
    .map((key) => [computeAddress(key).toLowerCase() as Hex, key] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1)),
);

function sealForSigners(): SealedRound {
  const round = sealRound(ring, { dealers: 4, holders: 3, threshold: THRESHOLD, valueCount: 100, round: ROUND });
  const dealers = [...DEALER_KEYS.keys()];
  const requests = dealers.map((dealer, d) => ({ ...at(round.requests, d), dealer }));
  return { ...round, dealers, requests, updates: requests.map((request) => sealInMemory(sealer, request)) };
}

export const at = <T>(items: readonly T[], i: number): T => {
  const item = items[i];
  if (item === undefined) throw new Error(`no item ${i}`);
  return item;
};

export const sealed = sealForSigners();
export const sum = sumOf(ring, sealed);

/** The chain as the honest round left it; tests change what they attack. */
export function chainOf(change: Partial<ChainView> = {}): ChainView {
  return {
    chainId: CHAIN_ID,
    ledger: LEDGER,
    statusOf: async (round) => (round === ROUND ? 'finalised' : 'open'),
    finalisedSet: async (round) => (round === ROUND ? sealed.dealers : undefined),
    commitmentOf: async (_round, dealer) => commitmentOf(at(sealed.updates, sealed.dealers.indexOf(dealer))),
    minCohort: async () => 3,
    registeredDealers: async () => sealed.dealers,
    ...change,
  };
}

export type Committed = Pick<SealedInMemory, 'payloadHash' | 'sealedShares' | 'sharesRoot'>;

export const commitmentOf = (update: Committed, attempt = 1) => ({
  attempt,
  payloadHash: update.payloadHash,
  sharesRoot: update.sharesRoot,
});

/** The honest chain, but for the commit of one dealer. */
export const chainWith = (dealer: Hex, update: Committed, change: Partial<ChainView> = {}) =>
  chainOf({
    commitmentOf: async (_round, d) =>
      commitmentOf(d === dealer ? update : at(sealed.updates, sealed.dealers.indexOf(d))),
    ...change,
  });

/** The dealer's own EIP-712 `Upload`; nobody else's key makes it. */
export function uploadSignature(dealer: Hex, update: Omit<Committed, 'sealedShares'>, attempt = 1): Hex {
  const { payloadHash, sharesRoot: root } = update;
  const statement = { dealer, round: ROUND, attempt, payloadHash, sharesRoot: root };
  return signTypedStruct(DEALER_KEYS.get(dealer) ?? '0x', DOMAIN, 'Upload', statement);
}

export function shareOf(dealer: Hex, update: Committed, index = INDEX): AnswerRequest['shares'][number] {
  return {
    dealer,
    sealedShare: at(update.sealedShares, index - 1) as Uint8Array<ArrayBuffer>,
    shareHashes: update.sealedShares.map(sealedShareHash),
    signature: uploadSignature(dealer, update),
  };
}

export interface SumShown {
  readonly dealers?: readonly Hex[];
  readonly payloadHashes?: readonly Hex[];
  readonly aggregateHash?: Hex;
}

/** As a dealer makes it: the number of blocks is that of its own payload, whatever the sum has. */
export function challengeOf({ dealers = sealed.dealers, ...shown }: SumShown = {}): Uint8Array {
  const { payloadHashes = sealed.updates.map(({ payloadHash }) => payloadHash), aggregateHash = sum.aggregateHash } =
    shown;
  const fixed = { chainId: CHAIN_ID, ledger: LEDGER, round: ROUND, blocks: sum.blocks };
  return fingerprintChallenge({ ...fixed, setHash: setHash(ROUND, dealers), payloadHashes, aggregateHash });
}

export function fingerprintOf(payload: Uint8Array, challenge: Uint8Array): Uint8Array<ArrayBuffer> {
  const fingerprinter = createFingerprinter(challenge);
  const parser = createPayloadParser(sum.blocks, (index, _words, residues) => fingerprinter.addBlock(index, residues));
  parser.push(payload);
  parser.end();
  return new Uint8Array(fingerprinter.finish());
}

/** Of all but uploads. Stands for EIP-712, which tests/contracts covers: who signs is who is named. */
export const signatureOf = (statement: object): Hex =>
  toHex(sha256(encodeCbor({ ...statement }))).padEnd(132, '0') as Hex;

export function signedFingerprint(
  dealer: Hex,
  fingerprint: Uint8Array<ArrayBuffer>,
  aggregateHash = sum.aggregateHash,
) {
  const statement = { dealer, round: ROUND, aggregateHash, fingerprint: toHex(fingerprint) };
  return { dealer, fingerprint, signature: signatureOf(statement) };
}

export const honestFingerprints = (shown: SumShown = {}) =>
  sealed.dealers.map((dealer, d) =>
    signedFingerprint(dealer, fingerprintOf(at(sealed.updates, d).payload, challengeOf(shown)), shown.aggregateHash),
  );

export const honestRequest = (round = ROUND): AnswerRequest => ({
  v: 'concordat/1/answer-request',
  round,
  aggregateHash: sum.aggregateHash,
  shares: sealed.dealers.map((dealer, d) => shareOf(dealer, at(sealed.updates, d))),
  fingerprints: honestFingerprints(),
});

export async function* chunksOf(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

export function bareHolder(parts: Partial<KeyHolderParts> = {}) {
  return createKeyHolder({
    address: HOLDER,
    index: INDEX,
    keyring: { withKeys: async (_round, use) => use(keysOf(parts.index ?? INDEX)) },
    sign: { answer: async (statement) => signatureOf(statement), vouch: async (statement) => signatureOf(statement) },
    recoverFingerprint: (statement, signature) =>
      signature === signatureOf(statement) ? statement.dealer : addressOf('another signer'),
    recoverUpload: (statement, signature) => recoverTypedStruct(DOMAIN, 'Upload', statement, signature),
    chain: chainOf(),
    store: memoryStore(),
    ...parts,
  });
}

/** One that has seen the sum, where the chain lets it. */
export async function holderWith(parts: Partial<KeyHolderParts> = {}) {
  const holder = bareHolder(parts);
  await holder.takePayload(ROUND, sum.aggregateHash, sum.aggregateHash, chunksOf(sum.bytes)).catch(() => undefined);
  return holder;
}

/** The error, and nothing stored. */
export async function refusal(request: AnswerRequest, parts: Partial<KeyHolderParts> = {}): Promise<ConcordatError> {
  const store = memoryStore();
  const holder = await holderWith({ store, ...parts });
  const error = await holder.answer(request).catch((e: unknown) => e);
  if (!(error instanceof ConcordatError)) throw new Error('answered');
  expect(store.rows.size).toBe(0);
  return error;
}

/** The update of dealer d with another plaintext dealt to one key-holder, properly sealed and committed to. */
export function withShare(d: number, index: number, plaintext: Uint8Array): Committed {
  const [request, update] = [at(sealed.requests, d), at(sealed.updates, d)];
  const data = shareAssociatedData({ ...request, payloadHash: update.payloadHash }, index);
  const bad = sealShare(keysOf(index).publicKey, plaintext, data);
  const sealedShares = update.sealedShares.map((share, i) => (i === index - 1 ? bad : share));
  return { ...update, sealedShares, sharesRoot: sharesRoot(sealedShares.map(sealedShareHash)) };
}
