// What a customer takes home: the signed operation, its place in the log, and the path up to an anchor on chain.
import { z } from 'zod';
import { fromHex, type Hex, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { type Anchor, anchoredRoot, anchorSchema } from './anchor.ts';
import { type RelyingParty, type SignatureVerifier, verifyAssertion } from './assertion.ts';
import { bucketLeaf, memberLeaf } from './bucket.ts';
import { hexOf, hexWord } from './hex-schema.ts';
import { verifyPresence } from './linked-tree.ts';
import { decodeEntry, type LogEntry } from './log.ts';
import { verifyInclusion } from './merkle.ts';
import { subjectOf } from './operation.ts';
import type { ConsentState } from './state.ts';

const hexBytes = (max: number) =>
  z.custom<Hex>((hex) => typeof hex === 'string' && hex.length <= 2 + 2 * max && /^0x([0-9a-f]{2})*$/.test(hex));
const path = z.array(hexOf(32)).max(64);

/** JSON-safe: hex and numbers. Without `anchored` it is the dealer's promise that the entry stands at `logIndex`. */
export const receiptSchema = z.strictObject({
  v: z.literal(`${PROTOCOL_VERSION}/receipt`),
  /** Canonical CBOR, as stored in the log. */
  operation: hexBytes(512),
  assertion: hexBytes(2048),
  /** From 0. */
  logIndex: z.int().min(0),
  /** Log head right after this entry: an auditor who holds the log finds the same one there, or a broken promise. */
  logHead: hexOf(32),
  anchored: z
    .strictObject({
      anchor: anchorSchema,
      /** (subject, digest, next) under subjectsRoot */
      subject: z.strictObject({
        leaf: z.strictObject({ key: hexOf(32), value: hexOf(32), next: hexOf(32) }),
        proof: path,
      }),
      /** Member under bucket under bucketsRoot; absent when the subject is in no bucket. */
      membership: z
        .strictObject({
          memberProof: path,
          bucket: z.strictObject({ membersRoot: hexOf(32), memberCount: z.int().min(1) }),
          bucketProof: path,
        })
        .optional(),
    })
    .optional(),
});

export type Receipt = z.output<typeof receiptSchema>;

export function pendingReceipt(entry: LogEntry, logIndex: number, logHead: Hex): Receipt {
  const { operation, assertion } = entry;
  return {
    v: `${PROTOCOL_VERSION}/receipt`,
    operation: toHex(operation),
    assertion: toHex(assertion),
    logIndex,
    logHead,
  };
}

/**
 * The receipt with its path. `state` is the anchored state; the subject must not have moved on in it since the entry.
 * @throws ConcordatError CONFLICT when a later operation of the same subject is what the anchor covers
 */
export function anchoredReceipt(pending: Receipt, state: ConsentState, epoch: number): Receipt {
  const { operation } = decodeEntry({ operation: fromHex(pending.operation), assertion: fromHex(pending.assertion) });
  const subject = state.presenceProof(operation.subject);
  if (subject === undefined || state.subject(operation.subject)?.seq !== operation.seq) {
    throw new ConcordatError('CONFLICT', 'the anchor covers another operation of this subject', { epoch });
  }
  const found = state.membershipProof(operation.subject);
  const membership = found && {
    memberProof: [...found.memberProof],
    bucket: { membersRoot: found.bucket.membersRoot, memberCount: found.bucket.memberCount },
    bucketProof: [...found.bucketProof],
  };
  return {
    ...pending,
    anchored: {
      anchor: state.anchor(epoch),
      subject: { leaf: subject.leaf, proof: [...subject.proof] },
      ...(membership === undefined ? {} : { membership }),
    },
  };
}

export type ReceiptVerdict =
  | { readonly verdict: 'anchored'; readonly anchor: Anchor }
  | { readonly verdict: 'promised' }
  | { readonly verdict: 'false'; readonly reason: 'assertion' | 'subject' | 'root' | 'index' | 'path' | 'membership' };

/**
 * Checks everything a receipt says except that the anchor is on chain.
 * `rootOnChain`: the anchored root the verifier itself read for that dealer and epoch; undefined when it could not, and
 * then an anchored receipt is no more than promised.
 * @throws ConcordatError MESSAGE_MALFORMED when the operation or the assertion does not decode
 */
export function verifyReceipt(
  receipt: Receipt,
  rootOnChain: Hex | undefined,
  relyingParty: RelyingParty,
  verifySignature: SignatureVerifier,
): ReceiptVerdict {
  const fail = (reason: Extract<ReceiptVerdict, { verdict: 'false' }>['reason']) =>
    ({ verdict: 'false', reason }) as const;
  const entry = decodeEntry({ operation: fromHex(receipt.operation), assertion: fromHex(receipt.assertion) });
  const { operation } = entry;
  try {
    verifyAssertion(entry.assertion, entry.operationHash, operation.publicKey, relyingParty, verifySignature);
  } catch {
    return fail('assertion');
  }
  if (subjectOf(operation.publicKey, operation.dealer, operation.nonce) !== operation.subject) return fail('subject');
  const { anchored } = receipt;
  if (anchored === undefined) return { verdict: 'promised' };
  const { anchor, subject, membership } = anchored;
  if (anchor.dealer !== operation.dealer) return fail('root');
  if (rootOnChain !== undefined && anchoredRoot(anchor) !== rootOnChain) return fail('root');
  if (receipt.logIndex >= anchor.operationCount) return fail('index');
  if (!verifyPresence(anchor.subjectsRoot, operation.subject, subject, hexWord(operation.newDigest)))
    return fail('path');
  if ((membership === undefined) !== (operation.newDigest === 0n)) return fail('membership');
  if (membership !== undefined) {
    const { bucket, memberProof, bucketProof } = membership;
    const leaf = memberLeaf(operation);
    const inBucket = verifyInclusion(bucket.membersRoot, leaf, memberProof);
    const underAnchor = verifyInclusion(
      anchor.bucketsRoot,
      bucketLeaf({ ...bucket, digest: operation.newDigest }),
      bucketProof,
    );
    if (!inBucket || !underAnchor) return fail('membership');
  }
  return rootOnChain === undefined ? { verdict: 'promised' } : { verdict: 'anchored', anchor };
}
