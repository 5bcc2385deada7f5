// Fingerprints as the coordinator computes them itself: of the sum in memory, and of a payload on disk.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { nodeShake128 } from '../../kit/shake.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { createFingerprinter } from '../../protocol/secagg/fingerprint.ts';
import type { Blobs } from '../transcript/blobs.ts';
import { readStoredPayload } from './stored-payload.ts';

/** Lets others have their turn after so many blocks: about two milliseconds. */
const BLOCKS_A_TURN = 8;

/** @param residues whole blocks */
export async function fingerprintOfSum(challenge: Uint8Array, residues: Uint32Array): Promise<Uint8Array> {
  const fingerprinter = createFingerprinter(challenge, nodeShake128);
  for (let index = 0; index * RESIDUES_PER_BLOCK < residues.length; index++) {
    fingerprinter.addBlock(index, residues.subarray(index * RESIDUES_PER_BLOCK, (index + 1) * RESIDUES_PER_BLOCK));
    if (index % BLOCKS_A_TURN === BLOCKS_A_TURN - 1) await nextTurn();
  }
  return fingerprinter.finish();
}

/** @throws ConcordatError PAYLOAD_MALFORMED, NOT_FOUND */
export async function fingerprintOfPayload(
  challenge: Uint8Array,
  payloadHash: Hex,
  blocks: number,
  blobs: Pick<Blobs, 'readBlobStream'>,
): Promise<Uint8Array> {
  const fingerprinter = createFingerprinter(challenge, nodeShake128);
  await readStoredPayload(blobs, payloadHash, blocks, (index, _words, residues) =>
    fingerprinter.addBlock(index, residues),
  );
  return fingerprinter.finish();
}
