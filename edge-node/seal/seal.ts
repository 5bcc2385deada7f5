// Sealing one update: a one-time secret is made, used for one payload, shared out to the key-holders, and gone.
import { createHash } from 'node:crypto';
import { sealShare, systemRandom } from '../../engines/keys/sealing.ts';
import type { Ring } from '../../engines/ring/ring.ts';
import { fromHex, type Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type FillRandom, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { createPackingProfile, packValues } from '../../protocol/secagg/packing.ts';
import { allocatePayload, payloadHash } from '../../protocol/secagg/payload.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { checkThreshold, encodeShare, shareSecret } from '../../protocol/secagg/shamir.ts';
import { type ShareContext, sealedShareHash, shareAssociatedData, sharesRoot } from '../../protocol/secagg/shares.ts';

/** A key-holder as registered on chain. */
export interface Recipient {
  /** From 1, in the order of registration. */
  readonly index: number;
  /** Raw X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** What a sealed update is for; with the payload's hash it becomes the shares' associated data. */
export type SealContext = Omit<ShareContext, 'payloadHash'> & {
  /** The round's seed, from RoundOpened. */
  readonly seed: Hex;
};

export interface SealRequest extends SealContext {
  /** Integers in [0, 65535]: quantised, noised, offset-binary. */
  readonly values: ArrayLike<number>;
  /** All registered key-holders, in order. */
  readonly keyHolders: readonly Recipient[];
  readonly threshold: number;
}

export interface SealedUpdate {
  readonly payload: Uint8Array;
  readonly payloadHash: Hex;
  /** One per key-holder, in order. */
  readonly sealedShares: readonly Uint8Array[];
  readonly sharesRoot: Hex;
}

export interface Sealer {
  /** @throws ConcordatError VALUE_OUT_OF_RANGE, KEY_WEAK */
  seal(request: SealRequest): SealedUpdate;
}

/** Blocks sealed per engine call: bounds how much of the update an engine holds at once. */
const BLOCKS_PER_CALL = 16;

/** Bare sealing. Callers go through once.ts, which is what keeps an attempt from having two payloads. */
export function createSealer(parts: { readonly ring: Ring; readonly random?: FillRandom }): Sealer {
  const { ring, random = systemRandom } = parts;
  return {
    seal(request) {
      checkRecipients(request.keyHolders, request.threshold);
      const values = packValues(request.values, createPackingProfile());
      const payload = allocatePayload(values.length / RESIDUES_PER_BLOCK);
      const secret = new Int32Array(RING_DEGREE);
      try {
        drawSecret(secret, random);
        sealBlocks(ring, fromHex(request.seed), secret, values, payload.residues, random);
        const hash = payloadHash(payload.bytes, sha256);
        const sealedShares = sealShares(request, hash, secret, random);
        const root = sharesRoot(sealedShares.map(sealedShareHash));
        return { payload: payload.bytes, payloadHash: hash, sealedShares, sharesRoot: root };
      } finally {
        secret.fill(0);
        values.fill(0);
      }
    },
  };
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

function checkRecipients(keyHolders: readonly Recipient[], threshold: number): void {
  checkThreshold(keyHolders.length, threshold);
  const misplaced = keyHolders.findIndex(({ index }, i) => index !== i + 1);
  if (misplaced >= 0) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `key-holder ${misplaced + 1} is missing or out of order`);
  }
}

function drawSecret(secret: Int32Array, random: FillRandom): void {
  const randomBytes = new Uint8Array(CBD_POLYNOMIAL_BYTES);
  random(randomBytes);
  sampleCbd(randomBytes, secret);
  randomBytes.fill(0);
}

function sealBlocks(
  ring: Ring,
  seed: Uint8Array,
  secret: Int32Array,
  values: Uint16Array,
  out: Uint32Array,
  random: FillRandom,
): void {
  const step = BLOCKS_PER_CALL * RESIDUES_PER_BLOCK;
  for (let at = 0; at < out.length; at += step) {
    const firstBlock = at / RESIDUES_PER_BLOCK;
    const [part, into] = [values.subarray(at, at + step), out.subarray(at, at + step)];
    ring.seal({ seed, secret, values: part, fillRandom: random, firstBlock, out: into });
  }
}

function sealShares(request: SealRequest, hash: Hex, secret: Int32Array, random: FillRandom): Uint8Array[] {
  const shares = shareSecret(secret, request.keyHolders.length, request.threshold, random);
  return request.keyHolders.map(({ index, publicKey }, i) => {
    const share = shares[i] ?? new Uint16Array();
    const plaintext = encodeShare(share);
    share.fill(0);
    const sealed = sealShare(
      publicKey,
      plaintext,
      shareAssociatedData({ ...request, payloadHash: hash }, index),
      random,
    );
    plaintext.fill(0);
    return sealed;
  });
}
