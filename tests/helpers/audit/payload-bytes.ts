// Payloads as bytes and as residues, for those who make them and those who forge them.
import { concatBytes } from '../../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK } from '../../../protocol/secagg/block.ts';
import { HEADER_BYTES, payloadHeader } from '../../../protocol/secagg/payload.ts';
import { PACKED_BYTES_PER_BLOCK, packResidues, unpackResidues } from '../../../protocol/secagg/residue-bits.ts';

export function payloadOf(residues: Uint32Array): Uint8Array {
  const blocks = residues.length / RESIDUES_PER_BLOCK;
  const body = new Uint8Array(blocks * PACKED_BYTES_PER_BLOCK);
  packResidues(residues, new Uint32Array(body.buffer));
  return concatBytes(payloadHeader(blocks), body);
}

export function residuesOf(payload: Uint8Array): Uint32Array {
  const body = payload.slice(HEADER_BYTES);
  const residues = new Uint32Array((body.length / PACKED_BYTES_PER_BLOCK) * RESIDUES_PER_BLOCK);
  unpackResidues(new Uint32Array(body.buffer), residues);
  return residues;
}
