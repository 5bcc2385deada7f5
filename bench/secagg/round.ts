// One round of secure aggregation as the services run it, without network and chain: every dealer, one after the other.
import { createHash } from 'node:crypto';
import { createAdder } from '../../coordinator/aggregate/sum.ts';
import { openSum } from '../../coordinator/opening/open.ts';
import { createSealer } from '../../edge-node/seal/seal.ts';
import { generateSealingKeys, openShare } from '../../engines/keys/sealing.ts';
import type { RingOpener } from '../../engines/ring/open.ts';
import type { Ring } from '../../engines/ring/ring.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { RING_DEGREE } from '../../protocol/secagg/block.ts';
import { blocksFor } from '../../protocol/secagg/packing.ts';
import { decodePayload, payloadHash } from '../../protocol/secagg/payload.ts';
import { addShares, decodeShare, encodeShare } from '../../protocol/secagg/shamir.ts';
import { shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { type Spread, spreadOf, timed, valuesOf } from './measure.ts';

export interface RoundShape {
  readonly params: number;
  readonly dealers: number;
  readonly keyHolders: number;
  readonly threshold: number;
}

export interface RoundResult {
  /** A dealer's whole work: packing, ring, hash of the payload, shares sealed to the key-holders. */
  readonly seal: Spread;
  /** The ring's part of it: what the engine does. */
  readonly sealRing: Spread;
  /** Before anything was compiled to machine code. */
  readonly firstSealMs: number;
  /** One payload into the sum. */
  readonly add: Spread;
  /** What the coordinator does besides when a payload arrives: hash it, and check every residue. */
  readonly admit: Spread;
  /** One key-holder opens one dealer's share and adds it. */
  readonly keyHolder: Spread;
  /** From the answers to the sums, with the check of the noise. */
  readonly open: Spread;
  readonly openRing: Spread;
  readonly uploadBytes: number;
  readonly exact: boolean;
}

const LEDGER: Hex = '0x1111111111111111111111111111111111111111';
const SEED: Hex = `0x${'5e'.repeat(32)}`;
const SIGNATURE: Hex = `0x${'ab'.repeat(65)}`;
const ROUND = { chainId: 31337, ledger: LEDGER, round: 1, attempt: 1 } as const;
const OPENINGS = 9;

const addressOf = (dealer: number): Hex => `0x${(dealer + 1).toString(16).padStart(40, '0')}`;
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

export function runRound(ring: Ring, opener: RingOpener, shape: RoundShape): RoundResult {
  const { params, dealers, threshold } = shape;
  const blocks = blocksFor(params);
  const keys = Array.from({ length: shape.keyHolders }, () => generateSealingKeys());
  const keyHolders = keys.map(({ publicKey }, i) => ({ index: i + 1, publicKey }));
  const answers = keys.map(() => new Uint16Array(RING_DEGREE));
  const truth = new Uint32Array(params);
  const times = { seal: [], ring: [], add: [], admit: [], keyHolder: [] } as Record<string, number[]>;
  const note = (what: string, ms: number) => times[what]?.push(ms);

  let ringMs = 0;
  const watched: Ring = {
    ...ring,
    seal: (job) => {
      ringMs += timed(() => ring.seal(job)).ms;
    },
  };
  const sealer = createSealer({ ring: watched });
  const adder = createAdder({ ring }, blocks);
  let uploadBytes = 0;

  for (let d = 0; d < dealers; d++) {
    const [dealer, values] = [addressOf(d), valuesOf(d, params)];
    for (let j = 0; j < params; j++) truth[j] = (truth[j] ?? 0) + (values[j] ?? 0);
    ringMs = 0;
    const sealed = timed(() => sealer.seal({ ...ROUND, dealer, seed: SEED, values, keyHolders, threshold }));
    note('seal', sealed.ms);
    note('ring', ringMs);
    const update = sealed.result;
    const admitted = timed(() => {
      payloadHash(update.payload, sha256);
      return decodePayload(update.payload, blocks);
    });
    note('admit', admitted.ms);
    note('add', timed(() => adder.add(admitted.result)).ms);
    keys.forEach((key, i) => {
      const context = shareAssociatedData({ ...ROUND, dealer, payloadHash: update.payloadHash }, i + 1);
      const answer = answers[i] ?? new Uint16Array();
      const share = update.sealedShares[i] ?? new Uint8Array();
      note('keyHolder', timed(() => addShares(answer, decodeShare(openShare(key, share, context)))).ms);
    });
    if (d === 0) {
      const { payload, sealedShares } = update;
      const { round, attempt } = ROUND;
      const message = { v: 'concordat/1/upload', dealer, round, attempt, payload, signature: SIGNATURE };
      uploadBytes = encodeCbor({ ...message, sealedShares: [...sealedShares] }).length;
    }
  }

  const { payload: aggregate } = adder.finish();
  let openRingMs = 0;
  const watchedOpener: RingOpener = {
    ...opener,
    open: (job) => {
      openRingMs += timed(() => opener.open(job)).ms;
    },
  };
  const encoded = answers.map((answer, i) => ({ index: i + 1, bytes: encodeShare(answer) }));
  const request = { seed: SEED, aggregate, dealers, valueCount: params, threshold, answers: encoded };
  const ringTimes: number[] = [];
  const openings = Array.from({ length: OPENINGS }, () => {
    openRingMs = 0;
    const opening = timed(() => openSum(watchedOpener, request));
    ringTimes.push(openRingMs);
    return opening;
  });
  const [firstSealMs = Number.NaN] = times.seal ?? [];
  return {
    seal: spreadOf(times.seal ?? []),
    sealRing: spreadOf(times.ring ?? []),
    firstSealMs,
    add: spreadOf(times.add ?? []),
    admit: spreadOf(times.admit ?? []),
    keyHolder: spreadOf(times.keyHolder ?? []),
    open: spreadOf(openings.map(({ ms }) => ms)),
    openRing: spreadOf(ringTimes),
    uploadBytes,
    exact: openings.every(({ result }) => toHex(sha256(bytesOf(result.values))) === toHex(sha256(bytesOf(truth)))),
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
