// Sealers that cheat: each seals honestly first, and then breaks one thing in what leaves the dealer.
import { createSealer, type SealedUpdate, type Sealer, type SealRequest } from '../../../edge-node/seal/seal.ts';
import { sealShare, systemRandom } from '../../../engines/keys/sealing.ts';
import { PRIMES, RING_DEGREE } from '../../../protocol/secagg/block.ts';
import type { Ring } from '../../../protocol/secagg/ring.ts';
import { encodeShare, shareSecret } from '../../../protocol/secagg/shamir.ts';
import { sealedShareHash, shareAssociatedData, sharesRoot } from '../../../protocol/secagg/shares.ts';

/** The shares of another secret, consistent among themselves. */
function otherShares(request: SealRequest): Uint8Array[] {
  const secret = new Int32Array(RING_DEGREE).fill(1);
  return shareSecret(secret, request.keyHolders.length, request.threshold, systemRandom).map(encodeShare);
}

function reseal(request: SealRequest, update: SealedUpdate, plaintexts: ReadonlyMap<number, Uint8Array>): SealedUpdate {
  const sealedShares = request.keyHolders.map(({ index, publicKey }, i) => {
    const plaintext = plaintexts.get(index);
    const { payloadHash } = update;
    if (plaintext === undefined) return update.sealedShares[i] ?? new Uint8Array();
    return sealShare(publicKey, plaintext, shareAssociatedData({ ...request, payloadHash }, index));
  });
  return { ...update, sealedShares, sharesRoot: sharesRoot(sealedShares.map(sealedShareHash)) };
}

/** These key-holders get a share of another secret. */
export const falseSharesFor = (honest: Sealer, indices: readonly number[]): Sealer => ({
  seal(request, write) {
    const update = honest.seal(request, write);
    const other = otherShares(request);
    const wrong = new Map(indices.map((index) => [index, other[index - 1] ?? new Uint8Array()]));
    return reseal(request, update, wrong);
  },
});

/** All key-holders get good shares of one secret: not the one that the payload was sealed with. */
export const sharesOfAnotherSecret = (honest: Sealer): Sealer => ({
  seal(request, write) {
    const update = honest.seal(request, write);
    return reseal(request, update, new Map(otherShares(request).map((share, i) => [i + 1, share])));
  },
});

/** One key-holder gets bytes that do not open. */
export const unreadableShareFor = (honest: Sealer, index: number): Sealer => ({
  seal(request, write) {
    const update = honest.seal(request, write);
    const sealedShares = update.sealedShares.map((share, i) => (i + 1 === index ? flipped(share) : share));
    return { ...update, sealedShares, sharesRoot: sharesRoot(sealedShares.map(sealedShareHash)) };
  },
});

/** The shares of somebody else's upload, under one's own name. */
export const stolenShares = (honest: Sealer, of: SealedUpdate): Sealer => ({
  seal: (request, write) => ({
    ...honest.seal(request, write),
    sealedShares: of.sealedShares,
    sharesRoot: of.sharesRoot,
  }),
});

/** One residue of the first block is another one, still below its prime; shares and hashes are about the altered bytes. */
export const alteredBlock = (ring: Ring): Sealer =>
  createSealer({
    ring: {
      ...ring,
      seal(job) {
        ring.seal(job);
        if ((job.firstBlock ?? 0) === 0) job.out[0] = ((job.out[0] ?? 0) + 12_345) % PRIMES[0];
      },
    },
  });

function flipped(share: Uint8Array): Uint8Array {
  const copy = share.slice();
  copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1;
  return copy;
}
