// The secure sum, streaming: one payload at a time into one accumulator, however many dealers there are.
import { createHash } from 'node:crypto';
import type { Ring } from '../../engines/ring/ring.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { createPackingProfile } from '../../protocol/secagg/packing.ts';
import { allocatePayload, decodePayload, type Payload, payloadHash } from '../../protocol/secagg/payload.ts';

/** The payload encoding of the sum over a set. */
export interface SealedSum {
  readonly payload: Payload;
  readonly aggregateHash: Hex;
  readonly dealers: number;
}

export interface Adder {
  readonly dealers: number;
  /**
   * The order does not matter; that no dealer comes twice is the caller's to keep (the set on chain is strictly ascending).
   * @throws ConcordatError PAYLOAD_MALFORMED, VALUE_OUT_OF_RANGE when a slot could overflow
   */
  add(payload: Payload): void;
  /** Once: afterwards the adder is spent. */
  finish(): SealedSum;
}

/** @param blocks how many blocks the task's layout makes; all payloads have as many */
export function createAdder(parts: { readonly ring: Ring }, blocks: number): Adder {
  const sum = allocatePayload(blocks);
  const { maxDealers } = createPackingProfile();
  let dealers = 0;
  let spent = false;
  const refuseWhenSpent = (): void => {
    if (spent) throw new ConcordatError('CONFLICT', 'this sum is finished');
  };
  return {
    get dealers() {
      return dealers;
    },
    add(payload) {
      refuseWhenSpent();
      if (payload.blocks !== blocks) {
        throw new ConcordatError('PAYLOAD_MALFORMED', `${payload.blocks} blocks, not ${blocks}`);
      }
      if (dealers === maxDealers) {
        throw new ConcordatError('VALUE_OUT_OF_RANGE', `a sum holds at most ${maxDealers} dealers`);
      }
      parts.ring.addInto(sum.residues, payload.residues);
      dealers += 1;
    },
    finish() {
      refuseWhenSpent();
      spent = true;
      const aggregateHash = payloadHash(sum.bytes, (bytes) => createHash('sha256').update(bytes).digest());
      return { payload: decodePayload(sum.bytes, blocks), aggregateHash, dealers };
    },
  };
}
