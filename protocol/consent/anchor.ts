// An anchor: what a dealer publishes of its consent state at the end of an epoch, and witnesses co-sign (EIP-712).
import { z } from 'zod';
import { concatBytes, type Hex, keccak256, toHex, utf8ToBytes } from '../bytes.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { abiWord, hexOf } from './hex-schema.ts';

/** Fields of the EIP-712 struct `Anchor`, in its order. */
export const anchorSchema = z.strictObject({
  dealer: hexOf(20),
  /** 1 for a dealer's first anchor, then one more each time (uint64 on chain). */
  epoch: z.int().min(1),
  bucketsRoot: hexOf(32),
  subjectsRoot: hexOf(32),
  logHead: hexOf(32),
  /** Number of log entries under this anchor; never falls (uint64 on chain). */
  operationCount: z.int().min(0),
});

export type Anchor = z.output<typeof anchorSchema>;

const ANCHOR_TAG = toHex(keccak256(utf8ToBytes(`${PROTOCOL_VERSION}/anchor`)));

/** keccak256(abi.encode(tag, dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount)) */
export function anchoredRoot(anchor: Anchor): Hex {
  const { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount } = anchor;
  const words = [ANCHOR_TAG, dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount];
  return toHex(keccak256(concatBytes(...words.map(abiWord))));
}

/** True when two anchors state the same of the same dealer and epoch. */
export const sameAnchor = (a: Anchor, b: Anchor): boolean => anchoredRoot(a) === anchoredRoot(b);
