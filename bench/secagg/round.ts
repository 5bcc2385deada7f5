// One round of secure aggregation as the services run it, without network and chain: every dealer, one after the other.
import { createHash } from 'node:crypto';
import { openSum } from '../../coordinator/opening/open.ts';
import { createSealer, type SealRequest } from '../../edge-node/seal/seal.ts';
import { generateSealingKeys, openShare } from '../../engines/keys/sealing.ts';
import { nodeShake128 } from '../../kit/shake.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { createFingerprinter, fingerprintsAddUp } from '../../protocol/secagg/fingerprint.ts';
import { sharingHolds, type TestPoint, testCombination, testValue } from '../../protocol/secagg/linear-test.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { blocksFor, type PackingName, packingProfile } from '../../protocol/secagg/packing.ts';
import { blockOf, createPayloadParser, decodePayload, payloadBytes } from '../../protocol/secagg/payload.ts';
import { unpackResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { addShares, decodeShare, encodeShare } from '../../protocol/secagg/shamir.ts';
import { shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { type Spread, spreadOf, timed, valuesOf } from './measure.ts';

export interface RoundShape {
  readonly params: number;
  readonly dealers: number;
  readonly keyHolders: number;
  readonly threshold: number;
  readonly packing: PackingName;
  readonly valueBits: number;
}

export interface RoundResult {
  /** A dealer's whole work: packing, ring, bits, hash of the payload, shares sealed to the key-holders. */
  readonly seal: Spread;
  /** The ring's part of it: what the engine does. */
  readonly sealRing: Spread;
  /** Before anything was compiled to machine code. */
  readonly firstSealMs: number;
  /** One payload into the sum, from its packed words. */
  readonly add: Spread;
  /** What the coordinator does besides when a payload arrives: hash it, and check every residue. */
  readonly admit: Spread;
  /** One key-holder opens one dealer's share, vouches for it and adds it. */
  readonly keyHolder: Spread;
  /** Fingerprint of one payload. */
  readonly fingerprint: Spread;
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
  const packing = packingProfile(shape.packing, shape.valueBits);
  const blocks = blocksFor(params, packing);
  const keys = Array.from({ length: shape.keyHolders }, () => generateSealingKeys());
  const keyHolders = keys.map(({ publicKey }, i) => ({ index: i + 1, publicKey }));
  const answers = keys.map(() => new Uint16Array(RING_DEGREE));
  const truth = new Uint32Array(params);
  const times = { seal: [], ring: [], add: [], admit: [], keyHolder: [], fingerprint: [] } as Record<string, number[]>;
  const note = (what: string, ms: number) => times[what]?.push(ms);

  let ringMs = 0;
  const watched: Ring = {
    ...ring,
    seal: (job) => {
      ringMs += timed(() => ring.seal(job)).ms;
    },
  };
  const sealer = createSealer({ ring: watched });
  const sum = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  const payload = new Uint8Array(payloadBytes(blocks));
  const challenge = sha256(payload);
  const fingerprints: Uint8Array[] = [];
  const block = new Uint32Array(RESIDUES_PER_BLOCK);
  let uploadBytes = 0;
  let sound = true;

  for (let d = 0; d < dealers; d++) {
    const dealer = addressOf(d);
    const values = valuesOf(d, params, shape.valueBits);
    for (let j = 0; j < params; j++) truth[j] = (truth[j] ?? 0) + (values[j] ?? 0);
    const request: SealRequest = { ...ROUND, dealer, seed: SEED, packing, dealers, values, keyHolders, threshold };
    let at = 0;
    ringMs = 0;
    const sealed = timed(() =>
      sealer.seal(request, (part) => {
        payload.set(part, at);
        at += part.length;
      }),
    );
    note('seal', sealed.ms);
    note('ring', ringMs);
    const { payloadHash, sharesRoot, sealedShares } = sealed.result;
    const admitted = timed(() => {
      const parser = createPayloadParser(blocks, () => undefined);
      const hash = createHash('sha256').update(payload);
      parser.push(payload);
      parser.end();
      return hash.digest();
    });
    note('admit', admitted.ms);
    sound &&= toHex(admitted.result) === payloadHash;
    const decoded = decodePayload(payload, blocks);
    note('add', timed(() => ring.addPacked(sum, decoded.words)).ms);
    const printed = timed(() => {
      const fingerprinter = createFingerprinter(challenge, nodeShake128);
      for (let k = 0; k < blocks; k++) {
        unpackResidues(blockOf(decoded, k), block);
        fingerprinter.addBlock(k, block);
      }
      return fingerprinter.finish();
    });
    note('fingerprint', printed.ms);
    fingerprints.push(printed.result);

    const context = { ...ROUND, dealer, payloadHash };
    const points: TestPoint[] = keys.map((key, i) => {
      const worked = timed(() => {
        const sealedShare = sealedShares[i] ?? new Uint8Array();
        const share = decodeShare(openShare(key, sealedShare, shareAssociatedData(context, i + 1)));
        const value = testValue(share, testCombination(context, sharesRoot, nodeShake128));
        addShares(answers[i] ?? new Uint16Array(), share);
        return value;
      });
      note('keyHolder', worked.ms);
      return { index: i + 1, value: worked.result };
    });
    sound &&= sharingHolds(points, threshold);
    if (d === 0) {
      const message = { v: 'concordat/1/upload', dealer, round: 1, attempt: 1, payloadHash, signature: SIGNATURE };
      uploadBytes = payload.length + encodeCbor({ ...message, sealedShares: [...sealedShares] }).length;
    }
  }

  const fingerprinter = createFingerprinter(challenge, nodeShake128);
  for (let k = 0; k < blocks; k++) {
    fingerprinter.addBlock(k, sum.subarray(k * RESIDUES_PER_BLOCK, (k + 1) * RESIDUES_PER_BLOCK));
  }
  sound &&= fingerprintsAddUp(fingerprints, fingerprinter.finish());

  let openRingMs = 0;
  const watchedOpener: RingOpener = {
    ...opener,
    open: (job) => {
      openRingMs += timed(() => opener.open(job)).ms;
    },
  };
  const encoded = answers.map((answer, i) => ({ index: i + 1, bytes: encodeShare(answer) }));
  const request = { seed: SEED, packing, aggregate: sum, dealers, valueCount: params, threshold, answers: encoded };
  const ringTimes: number[] = [];
  const openTimes: number[] = [];
  for (let i = 0; i < OPENINGS; i++) {
    openRingMs = 0;
    const { result, ms } = timed(() => openSum(watchedOpener, request));
    ringTimes.push(openRingMs);
    openTimes.push(ms);
    sound &&= result.values.length === params && result.values.every((value, j) => value === truth[j]);
  }
  const [firstSealMs = Number.NaN] = times.seal ?? [];
  return {
    seal: spreadOf(times.seal ?? []),
    sealRing: spreadOf(times.ring ?? []),
    firstSealMs,
    add: spreadOf(times.add ?? []),
    admit: spreadOf(times.admit ?? []),
    keyHolder: spreadOf(times.keyHolder ?? []),
    fingerprint: spreadOf(times.fingerprint ?? []),
    open: spreadOf(openTimes),
    openRing: spreadOf(ringTimes),
    uploadBytes,
    exact: sound,
  };
}
