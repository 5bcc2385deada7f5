// A bucket: the subjects whose current policy has one digest. Its leaf is what a selection proves under an anchor.
import type { Hex } from '../bytes.ts';
import { abiWords } from './hex-schema.ts';
import { leafHash } from './merkle.ts';

export interface Member {
  readonly subject: Hex;
  readonly recordHash: Hex;
  readonly seq: number;
}

/** As `ConsentRegistry.Bucket`. */
export interface Bucket {
  readonly digest: bigint;
  readonly membersRoot: Hex;
  readonly memberCount: number;
}

/** Leaf abi.encode(bytes32 subject, bytes32 recordHash, uint64 seq) */
export const memberLeaf = (member: Member): Uint8Array =>
  leafHash(abiWords(member.subject, member.recordHash, member.seq));

/** Leaf abi.encode(uint256 digest, bytes32 membersRoot, uint64 memberCount) */
export const bucketLeaf = (bucket: Bucket): Uint8Array =>
  leafHash(abiWords(bucket.digest, bucket.membersRoot, bucket.memberCount));
