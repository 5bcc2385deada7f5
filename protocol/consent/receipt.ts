// What a customer takes home: the signed operation, its place in the log, the path up to an anchor on chain, and in which
// rounds the record was used. Everything in it can be checked without the dealer.
import { z } from 'zod';
import { concatBytes, fromHex, type Hex, sha256, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { LIMITS, PROTOCOL_VERSION } from '../params.ts';
import { type Anchor, anchoredRoot, anchorSchema } from './anchor.ts';
import type { RelyingParty, SignatureVerifier } from './assertion.ts';
import { bucketLeaf, memberLeaf } from './bucket.ts';
import { abiWord, hexOf, hexWord } from './hex-schema.ts';
import { verifyPresence } from './linked-tree.ts';
import { type DecodedEntry, decodeEntry, EMPTY_LOG_HEAD, type LogEntry, nextLogHead } from './log.ts';
import { leafHash, MerkleTree, rootOf, verifyInclusion } from './merkle.ts';
import { subjectOf } from './operation.ts';
import { type ConsentState, verifyEntry } from './state.ts';

const hexBytes = (max: number) =>
  z.custom<Hex>((hex) => typeof hex === 'string' && hex.length <= 2 + 2 * max && /^0x([0-9a-f]{2})*$/.test(hex));
const path = z.array(hexOf(32)).max(64);
const linkedProof = z.strictObject({
  leaf: z.strictObject({ key: hexOf(32), value: hexOf(32), next: hexOf(32) }),
  proof: path,
});

/** Entries after the receipt's own, up to its anchor: one epoch's at most. */
const MAX_FOLLOWING = LIMITS.maxConsentOperationsPerRequest;
const MAX_ROUNDS = 4_096;

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
  /** Where all this stands. */
  place: z.strictObject({ chainId: z.int().min(1), federation: hexOf(20), registry: hexOf(20) }).optional(),
  /** Whose pages the customer signed on. */
  relyingParty: z
    .strictObject({ rpId: z.string().max(253), origins: z.array(z.string().max(300)).min(1).max(16) })
    .optional(),
  /** The dealer's word for operation, index and head: EIP-712 `Receipts` over the root of one answer's receipts. */
  promise: z.strictObject({ proof: path, signature: hexOf(65) }).optional(),
  anchored: z
    .strictObject({
      anchor: anchorSchema,
      /** (subject, digest, next) under subjectsRoot */
      subject: linkedProof,
      /** Member under bucket under bucketsRoot; absent when the subject is in no bucket. */
      membership: z
        .strictObject({
          memberProof: path,
          bucket: z.strictObject({ membersRoot: hexOf(32), memberCount: z.int().min(1) }),
          bucketProof: path,
        })
        .optional(),
      /** The log from the head before this entry to the anchor's: proves that the entry stands at `logIndex`. */
      log: z
        .strictObject({
          previousHead: hexOf(32),
          following: z.array(z.strictObject({ operationHash: hexOf(32), assertionHash: hexOf(32) })).max(MAX_FOLLOWING),
        })
        .optional(),
      /** EIP-712 `Anchor`, as they were sent with the anchor. */
      witnessSignatures: z.array(hexOf(65)).max(64).optional(),
    })
    .optional(),
  /** What the dealer committed to train on: that the subject is among it, or that it is not. */
  rounds: z
    .array(z.strictObject({ round: z.int().min(1), used: z.boolean(), recordsRoot: hexOf(32), proof: linkedProof }))
    .max(MAX_ROUNDS)
    .optional(),
});

/** As JSON, with every part at its largest. */
export const MAX_RECEIPT_BYTES = 8 * 1024 * 1024;

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

/** Leaf of the tree whose root a dealer signs: everything it promises before an anchor exists. */
function receiptLeaf({ operation, assertion, logIndex, logHead }: Receipt): Uint8Array {
  const hashes = [operation, assertion].map((hex) => sha256(fromHex(hex)));
  return leafHash(concatBytes(...hashes, abiWord(logIndex), abiWord(logHead)));
}

/** The root that the dealer must have signed for this receipt; undefined without a promise. */
export function promisedRoot(receipt: Receipt): Hex | undefined {
  return receipt.promise && rootOf(receiptLeaf(receipt), receipt.promise.proof);
}

/** One signature for all receipts of an answer. `sign`: EIP-712 `Receipts` over the root. */
export function promised(receipts: readonly Receipt[], sign: (root: Hex) => Hex): Receipt[] {
  if (receipts.length === 0) return [];
  // the same operation twice in one request has one receipt
  const leaves = new Map(receipts.map((receipt) => [toHex(receiptLeaf(receipt)), receiptLeaf(receipt)]));
  const tree = MerkleTree.of([...leaves.values()]);
  const signature = sign(tree.root);
  return receipts.map((receipt) => ({
    ...receipt,
    promise: { proof: tree.proofOf(receiptLeaf(receipt)), signature },
  }));
}

/**
 * The receipt with its path. `state` is the anchored state; the subject must not have moved on in it since the entry.
 * @throws ConcordatError CONFLICT when a later operation of the same subject is what the anchor covers
 */
export function anchoredReceipt(pending: Receipt, state: ConsentState, epoch: number): Receipt {
  const { operation } = entryOf(pending);
  const subject = state.presenceProof(operation.subject);
  const known = state.subject(operation.subject);
  // two operations of one number are possible [CON-4]
  const same = known?.seq === operation.seq && known.recordHash === operation.recordHash;
  if (subject === undefined || !same || known.digest !== operation.newDigest) {
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

/**
 * The anchored receipt with the stretch of log between its entry and its anchor. `entries`: the log's, after this one and up to
 * the anchor; longer than one epoch's they are left out, and the index then rests on the promise.
 */
export function withLog(receipt: Receipt, previousHead: Hex, entries: readonly LogEntry[]): Receipt {
  const { anchored } = receipt;
  if (anchored === undefined || entries.length > MAX_FOLLOWING) return receipt;
  const following = entries.map(({ operation, assertion }) => ({
    operationHash: toHex(sha256(operation)),
    assertionHash: toHex(sha256(assertion)),
  }));
  return { ...receipt, anchored: { ...anchored, log: { previousHead, following } } };
}

type Fault = 'assertion' | 'subject' | 'root' | 'index' | 'path' | 'membership';

export type ReceiptVerdict =
  | { readonly verdict: 'anchored'; readonly anchor: Anchor }
  | { readonly verdict: 'promised' }
  | { readonly verdict: 'false'; readonly reason: Fault };

/**
 * Checks everything a receipt says of consent except that the anchor is on chain.
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
  const entry = entryOf(receipt);
  const { anchored } = receipt;
  const reason =
    signatureFault(entry, relyingParty, verifySignature) ??
    (anchored && (rootFault(entry, anchored, rootOnChain) ?? indexFault(receipt) ?? pathFault(entry, anchored)));
  if (reason !== undefined) return { verdict: 'false', reason };
  return anchored === undefined || rootOnChain === undefined
    ? { verdict: 'promised' }
    : { verdict: 'anchored', anchor: anchored.anchor };
}

type Anchored = NonNullable<Receipt['anchored']>;

/** @throws ConcordatError MESSAGE_* */
export const entryOf = ({ operation, assertion }: Receipt): DecodedEntry =>
  decodeEntry({ operation: fromHex(operation), assertion: fromHex(assertion) });

export function signatureFault(
  entry: DecodedEntry,
  relyingParty: RelyingParty,
  verifySignature: SignatureVerifier,
): Fault | undefined {
  const { publicKey, dealer, nonce, subject } = entry.operation;
  try {
    verifyEntry(entry, relyingParty, verifySignature);
  } catch {
    return 'assertion';
  }
  return subjectOf(publicKey, dealer, nonce) === subject ? undefined : 'subject';
}

export function rootFault(entry: DecodedEntry, { anchor }: Anchored, rootOnChain: Hex | undefined): Fault | undefined {
  const same = rootOnChain === undefined || anchoredRoot(anchor) === rootOnChain;
  return anchor.dealer === entry.operation.dealer && same ? undefined : 'root';
}

/** With the log in it, that the entry stands exactly there; without, only that the anchor reaches so far. */
export function indexFault(receipt: Receipt): Fault | undefined {
  const { anchored, logIndex, logHead } = receipt;
  if (anchored === undefined) return undefined;
  const { anchor, log } = anchored;
  if (logIndex >= anchor.operationCount) return 'index';
  if (log === undefined) return undefined;
  const bytesOf = ({ operationHash, assertionHash }: (typeof log.following)[number]) => ({
    operationHash: fromHex(operationHash),
    assertionHash: fromHex(assertionHash),
  });
  const here = nextLogHead(log.previousHead, entryOf(receipt));
  const end = log.following.reduce((head, next) => nextLogHead(head, bytesOf(next)), here);
  const inPlace = logIndex + 1 + log.following.length === anchor.operationCount;
  const atStart = logIndex > 0 || log.previousHead === EMPTY_LOG_HEAD;
  return here === logHead && end === anchor.logHead && inPlace && atStart ? undefined : 'index';
}

export function pathFault({ operation }: DecodedEntry, { anchor, subject, membership }: Anchored): Fault | undefined {
  if (!verifyPresence(anchor.subjectsRoot, operation.subject, subject, hexWord(operation.newDigest))) return 'path';
  if ((membership === undefined) !== (operation.newDigest === 0n)) return 'membership';
  if (membership === undefined) return undefined;
  const { bucket, memberProof, bucketProof } = membership;
  const inBucket = verifyInclusion(bucket.membersRoot, memberLeaf(operation), memberProof);
  const leaf = bucketLeaf({ ...bucket, digest: operation.newDigest });
  return inBucket && verifyInclusion(anchor.bucketsRoot, leaf, bucketProof) ? undefined : 'membership';
}
