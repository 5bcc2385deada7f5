// Fingerprints of the dealers: what the desk takes, and that a false one is found out and costs its dealer, not the round.
import { beforeEach, describe, expect, test } from 'vitest';
import { fingerprintOfPayload } from '../../coordinator/aggregate/fingerprint.ts';
import type { SealedSum } from '../../coordinator/aggregate/sum.ts';
import { createFingerprintDesk, type FingerprintDesk } from '../../coordinator/rounds/fingerprint-desk.ts';
import { collectFingerprints, type FingerprintsParts } from '../../coordinator/rounds/fingerprints.ts';
import type { RoundSet } from '../../coordinator/rounds/set.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import type { Log } from '../../kit/log.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { addResidues } from '../../protocol/secagg/coefficients.ts';
import { FINGERPRINT_BYTES, fingerprintChallenge } from '../../protocol/secagg/fingerprint.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import {
  admittedOf,
  DOMAIN,
  dealersOf,
  entriesOf,
  type Party,
  partyOf,
  residuesOf,
  SILENT,
  steppedClock,
  type TranscriptInFolder,
  temporaryTranscript,
} from './coordinator-world.ts';
import { CHAIN_ID, codeOf, encodeResidues, LEDGER } from './secagg-fixtures.ts';

const [ROUND, BLOCKS] = [3, 2];
const DEALERS = dealersOf(4);
const ADDRESSES = DEALERS.map(({ address }) => address);

let store: TranscriptInFolder;
let desk: FingerprintDesk;
let set: RoundSet;
let sum: SealedSum;
let challenge: Uint8Array;
let present: Set<Hex>;
let events: CoordinatorEvent[];
let errors: Record<string, unknown>[];
let onAnnounced: () => Promise<void>;
let announcing: Promise<void>;

beforeEach(async () => {
  store = await temporaryTranscript();
  desk = createFingerprintDesk(DOMAIN);
  const residues = new Uint32Array(BLOCKS * RESIDUES_PER_BLOCK);
  const uploads = await Promise.all(
    ADDRESSES.map(async (dealer) => {
      const own = residuesOf(dealer, BLOCKS);
      addResidues(residues, own);
      const payload = encodeResidues(own);
      await store.transcript.putBlob(payload);
      return admittedOf(dealer, payload, 1, ROUND);
    }),
  );
  set = { setHash: setHash(ROUND, ADDRESSES), uploads };
  sum = { residues, aggregateHash: await store.transcript.putBlob(encodeResidues(residues)) };
  challenge = fingerprintChallenge({
    chainId: CHAIN_ID,
    ledger: LEDGER,
    round: ROUND,
    setHash: set.setHash,
    payloadHashes: uploads.map(({ payloadHash }) => payloadHash),
    aggregateHash: sum.aggregateHash,
    blocks: BLOCKS,
  });
  [present, events, errors] = [new Set(ADDRESSES), [], []];
  onAnnounced = async () => undefined;
});

/** Time waits for the dealers' work. */
function patientClock() {
  const clock = steppedClock();
  return {
    ...clock,
    sleep: async (ms: number) => {
      await announcing;
      await clock.sleep(ms);
    },
  };
}

const partsOf = (): FingerprintsParts => ({
  transcript: store.transcript,
  desk,
  blocks: BLOCKS,
  clock: patientClock(),
  signal: new AbortController().signal,
  present: () => present,
  broadcast: (event) => {
    events.push(event);
    announcing = onAnnounced();
  },
  log: { ...SILENT, error: (fields: Record<string, unknown>) => errors.push(fields) } as unknown as Log,
  client: { chainId: CHAIN_ID },
  ledger: { address: LEDGER },
});

/** Message of a dealer; its true fingerprint unless another is given. */
async function messageOf(
  { address: dealer, privateKey }: Party,
  changes: { fingerprint?: Uint8Array; round?: number; aggregateHash?: Hex } = {},
) {
  const own = set.uploads.find((upload) => upload.dealer === dealer)?.payloadHash ?? '0x';
  const { round = ROUND, aggregateHash = sum.aggregateHash } = changes;
  const fingerprint = changes.fingerprint ?? (await fingerprintOfPayload(challenge, own, BLOCKS, store.transcript));
  const statement = { dealer, round, aggregateHash, fingerprint: toHex(fingerprint) };
  const signature = signTypedStruct(privateKey, DOMAIN, 'Fingerprint', statement);
  return { v: 'concordat/1/fingerprint', dealer, round, aggregateHash, fingerprint, signature } as const;
}

const handIn = async (...args: Parameters<typeof messageOf>) => desk.take(encodeCbor(await messageOf(...args)));
const oneOff = (fingerprint: Uint8Array): Uint8Array => fingerprint.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
const falseOf = async (dealer: Party) => ({ fingerprint: oneOff((await messageOf(dealer)).fingerprint) });
const collect = () => collectFingerprints(ROUND, set, sum, partsOf());

test('all dealers are there: nothing is recomputed, and all stand in the transcript', async () => {
  onAnnounced = async () => {
    for (const dealer of DEALERS) await handIn(dealer);
  };
  expect([...(await collect()).keys()].sort()).toEqual(ADDRESSES);
  expect(events).toEqual([{ type: 'aggregate-ready', round: ROUND, aggregateHash: sum.aggregateHash }]);
  expect(entriesOf(store.transcript, 'fingerprint')).toHaveLength(4);
  expect(await codeOf(() => handIn(DEALERS[0] as Party))).toBe('CONFLICT'); // too late
});

test('dealers that are away are not waited for, those that stay silent for three seconds', async () => {
  const [first, second] = DEALERS as [Party, Party];
  present = new Set([first.address]);
  onAnnounced = () => handIn(first);
  expect([...(await collect()).keys()]).toEqual([first.address]);
  present.add(second.address);
  expect([...(await collect()).keys()]).toEqual([first.address]);
});

test.each([
  ['with all there', 4],
  ['with two away', 2],
])('a dealer that lies is named and left to the key-holders, the others count: %s', async (_, there) => {
  const [liar, ...others] = DEALERS.slice(0, there) as [Party, ...Party[]];
  present = new Set(DEALERS.slice(0, there).map(({ address }) => address));
  onAnnounced = async () => {
    await handIn(liar, await falseOf(liar));
    for (const dealer of others) await handIn(dealer);
  };
  const kept = others.map(({ address }) => address);
  expect([...(await collect()).keys()]).toEqual(kept);
  expect(errors).toMatchObject([{ dealers: [liar.address] }]);
  expect(entriesOf(store.transcript, 'fingerprint').map(({ dealer }) => dealer)).toEqual(kept);
});

test('a sum that is not that of the payloads is the coordinator’s own fault, and said so', async () => {
  present = new Set();
  sum.residues[5] = ((sum.residues[5] ?? 0) + 1) % 1_000;
  expect(await codeOf(collect)).toBe('STATE_CORRUPT');
});

test('P7: what is in the transcript stays; a second signature of the same dealer changes nothing', async () => {
  const [first, second] = DEALERS as [Party, Party];
  present = new Set([first.address]);
  onAnnounced = () => handIn(first);
  await collect();
  const before = entriesOf(store.transcript, 'fingerprint');
  store = { ...store, transcript: await store.reopen() };
  present = new Set([first.address, second.address]);
  onAnnounced = async () => {
    await handIn(first, await falseOf(first));
    await handIn(second);
  };
  expect([...(await collect()).keys()]).toEqual([first.address, second.address]);
  expect(entriesOf(store.transcript, 'fingerprint').slice(0, 1)).toEqual(before);
});

describe('the desk', () => {
  beforeEach(() =>
    desk.open({ round: ROUND, aggregateHash: sum.aggregateHash, dealers: ADDRESSES.slice(1) }, new Map()),
  );

  test('takes what was asked for, once, from who was asked', async () => {
    const [outside, dealer] = DEALERS as [Party, Party];
    const good = await messageOf(dealer);
    const take = (message: object) => codeOf(() => desk.take(encodeCbor({ ...message })));
    expect(await take(await messageOf(dealer, { round: ROUND + 1 }))).toBe('CONFLICT');
    expect(await take(await messageOf(dealer, { aggregateHash: challengeAsHash() }))).toBe('CONFLICT');
    expect(await take(await messageOf(outside))).toBe('NOT_A_MEMBER');
    const stranger = partyOf('stranger');
    expect(await take({ ...good, dealer: stranger.address })).toBe('NOT_A_MEMBER');
    expect(await take({ ...good, fingerprint: oneOff(good.fingerprint) })).toBe('SIGNATURE_INVALID');
    const beyond = new Uint8Array(FINGERPRINT_BYTES).fill(0xff);
    expect(await take(await messageOf(dealer, { fingerprint: beyond }))).toBe('MESSAGE_MALFORMED');
    expect(await take({ ...good, fingerprint: new Uint8Array(47) })).toBe('MESSAGE_MALFORMED');
    expect(await take({ ...good, more: new Uint8Array(2_000) })).toBe('MESSAGE_TOO_LARGE');
    expect([...desk.taken().keys()]).toEqual([]);
    expect(await take(good)).toBe('nothing thrown');
    expect(await take(await messageOf(dealer, await falseOf(dealer)))).toBe('nothing thrown');
    expect([...desk.taken()]).toEqual([[dealer.address, { fingerprint: good.fingerprint, signature: good.signature }]]);
  });

  test('tells who comes late, while it is open', () => {
    expect(desk.announcement()).toEqual({ type: 'aggregate-ready', round: ROUND, aggregateHash: sum.aggregateHash });
    desk.close();
    expect(desk.announcement()).toBeUndefined();
  });
});

const challengeAsHash = (): Hex => toHex(challenge);
