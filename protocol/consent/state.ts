// The consent state after a prefix of a dealer's log: subject -> (digest, record hash, seq), and the trees over it.
import { type Hex, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { LIMITS } from '../params.ts';
import type { Anchor } from './anchor.ts';
import { type RelyingParty, type SignatureVerifier, verifyAssertion, verifyWithdrawalAssertion } from './assertion.ts';
import { type Bucket, bucketLeaf, type Member, memberLeaf } from './bucket.ts';
import { hexWord } from './hex-schema.ts';
import { type LinkedProof, LinkedTree } from './linked-tree.ts';
import { type DecodedEntry, decodeEntry, EMPTY_LOG_HEAD, type LogEntry, nextLogHead } from './log.ts';
import { MerkleTree } from './merkle.ts';
import { type Operation, subjectOf } from './operation.ts';
import { SharedMap } from './shared-map.ts';

export interface SubjectState {
  /** 0 = in no bucket. */
  readonly digest: bigint;
  readonly recordHash: Hex;
  readonly seq: number;
}

/** What `ConsentRegistry.admitSelection` takes: buckets in ascending order of their leaf hashes, and one multiproof. */
export interface SelectionProof {
  readonly buckets: readonly Bucket[];
  readonly proof: readonly Hex[];
  readonly proofFlags: readonly boolean[];
}

/** Subject -> bucket -> bucketsRoot. */
export interface MembershipProof {
  readonly member: Member;
  readonly memberProof: readonly Hex[];
  readonly bucket: Bucket;
  readonly bucketProof: readonly Hex[];
}

interface BucketTrees {
  readonly tree: MerkleTree;
  readonly bucket: Bucket;
  readonly leaf: Uint8Array;
}

/** Plain, JSON-safe copy of a state. */
export interface ConsentSnapshot {
  readonly dealer: Hex;
  readonly logHead: Hex;
  readonly operationCount: number;
  /** Ascending by subject. */
  readonly subjects: readonly (readonly [subject: Hex, digest: Hex, recordHash: Hex, seq: number])[];
}

type RefusalReason = 'dealer' | 'subject' | 'seq' | 'old-digest' | 'full';

function refuse(reason: RefusalReason, detail: string, subject: Hex): never {
  throw new ConcordatError('CONSENT_OPERATION_REFUSED', detail, { reason, subject });
}

/** Mutable, grows by `apply` alone. Trees are built when a root is asked for, and only those that changed. */
export class ConsentState {
  readonly dealer: Hex;
  #subjects = new SharedMap<Hex, SubjectState>();
  #members = new Map<bigint, Map<Hex, Uint8Array>>(); // digest -> subject -> leaf hash; no empty buckets
  #ownMembers = new Set<bigint>(); // digests whose map no clone shares
  #buckets = new Map<bigint, BucketTrees>(); // as they were built last
  #changedMembers = new Map<bigint, Map<Hex, Uint8Array | undefined>>(); // since then: subject -> leaf hash it had
  #bucketsTree: MerkleTree | undefined; // undefined when it is out of date
  #linked: LinkedTree | undefined; // as it was built last
  #changedSubjects = new Set<Hex>(); // since then
  #logHead: Hex = EMPTY_LOG_HEAD;
  #operationCount = 0;

  private constructor(dealer: Hex) {
    this.dealer = dealer;
  }

  static empty(dealer: Hex): ConsentState {
    return new ConsentState(dealer);
  }

  /** Replays entries whose signatures were checked when they were taken in. @throws as `apply` */
  static replay(dealer: Hex, entries: Iterable<LogEntry>): ConsentState {
    const state = ConsentState.empty(dealer);
    for (const entry of entries) state.apply(decodeEntry(entry));
    return state;
  }

  static fromSnapshot(snapshot: ConsentSnapshot): ConsentState {
    const state = ConsentState.empty(snapshot.dealer);
    for (const [subject, digest, recordHash, seq] of snapshot.subjects) {
      state.#put(subject, { digest: BigInt(digest), recordHash, seq });
    }
    state.#logHead = snapshot.logHead;
    state.#operationCount = snapshot.operationCount;
    return state;
  }

  /** Independent of this one; the trees, which never change, are shared. */
  clone(): ConsentState {
    const copy = new ConsentState(this.dealer);
    copy.#subjects = this.#subjects.clone();
    copy.#members = new Map(this.#members);
    this.#ownMembers.clear(); // whoever writes first makes a map of its own
    copy.#buckets = new Map(this.#buckets);
    for (const [digest, before] of this.#changedMembers) copy.#changedMembers.set(digest, new Map(before));
    copy.#bucketsTree = this.#bucketsTree;
    copy.#linked = this.#linked;
    copy.#changedSubjects = new Set(this.#changedSubjects);
    copy.#logHead = this.#logHead;
    copy.#operationCount = this.#operationCount;
    return copy;
  }

  /**
   * [CON-2] Takes one operation in, or throws and stays as it was. The passkey signature is `admitEntry`'s business.
   * @returns the entry's index in the log, from 0
   * @throws ConcordatError CONSENT_OPERATION_REFUSED, `fields.reason` names the rule
   */
  apply(entry: Pick<DecodedEntry, 'operation' | 'operationHash' | 'assertionHash'>): number {
    const { operation } = entry;
    this.#check(operation);
    const { subject, newDigest, recordHash, seq } = operation;
    this.#put(subject, { digest: newDigest, recordHash, seq });
    this.#logHead = nextLogHead(this.#logHead, entry);
    this.#operationCount += 1;
    return this.#operationCount - 1;
  }

  get logHead(): Hex {
    return this.#logHead;
  }

  get operationCount(): number {
    return this.#operationCount;
  }

  get subjectCount(): number {
    return this.#subjects.size;
  }

  /** undefined for a subject never seen. */
  subject(subject: Hex): SubjectState | undefined {
    return this.#subjects.get(subject);
  }

  /** The digests in use, without building any tree. */
  digests(): bigint[] {
    return [...this.#members.keys()];
  }

  /** Subjects of one bucket, in no particular order. */
  membersOf(digest: bigint): Hex[] {
    return [...(this.#members.get(digest)?.keys() ?? [])];
  }

  /** All buckets, in ascending order of their leaf hashes. */
  buckets(): Bucket[] {
    return this.#inLeafOrder([...this.#members.keys()]).map(({ bucket }) => bucket);
  }

  /** 32 zero bytes when nobody is in a bucket. */
  get bucketsRoot(): Hex {
    return this.#tree().root;
  }

  get subjectsRoot(): Hex {
    return this.#linkedTree().root;
  }

  anchor(epoch: number): Anchor {
    const { dealer, bucketsRoot, subjectsRoot, logHead, operationCount } = this;
    return { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount };
  }

  /** @throws ConcordatError NOT_FOUND for a digest without members */
  selectionProof(digests: readonly bigint[]): SelectionProof {
    const chosen = this.#inLeafOrder(digests);
    const { proof, proofFlags } = this.#tree().multiProofOf(chosen.map(({ leaf }) => leaf));
    return { buckets: chosen.map(({ bucket }) => bucket), proof, proofFlags };
  }

  /** undefined when the subject is in no bucket. */
  membershipProof(subject: Hex): MembershipProof | undefined {
    const entry = this.#subjects.get(subject);
    if (entry === undefined || entry.digest === 0n) return undefined;
    const trees = this.#treesOf(entry.digest);
    const member = { subject, recordHash: entry.recordHash, seq: entry.seq };
    const memberProof = trees.tree.proofOf(memberLeaf(member));
    return { member, memberProof, bucket: trees.bucket, bucketProof: this.#tree().proofOf(trees.leaf) };
  }

  /** That the dealer's log knows the subject, with its digest. */
  presenceProof(subject: Hex): LinkedProof | undefined {
    return this.#linkedTree().presenceProof(subject);
  }

  /** That the dealer's log has never seen the subject. */
  absenceProof(subject: Hex): LinkedProof | undefined {
    return this.#linkedTree().absenceProof(subject);
  }

  snapshot(): ConsentSnapshot {
    const subjects = [...this.#subjects.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([subject, { digest, recordHash, seq }]) => [subject, hexWord(digest), recordHash, seq] as const);
    return { dealer: this.dealer, logHead: this.#logHead, operationCount: this.#operationCount, subjects };
  }

  #check(operation: Operation): void {
    const { dealer, subject, publicKey, nonce, seq, oldDigest, newDigest } = operation;
    const known = this.#subjects.get(subject);
    if (dealer !== this.dealer) refuse('dealer', `signed for dealer ${dealer}, not ${this.dealer}`, subject);
    if (subjectOf(publicKey, dealer, nonce) !== subject) refuse('subject', 'not the subject of this key', subject);
    // [CON-4] no dealer can sit on what a customer signed in between, nor take another operation of the same number first
    const leaves = newDigest === 0n && known !== undefined && known.digest !== 0n;
    if (leaves && seq >= known.seq) return;
    const expectedSeq = (known?.seq ?? 0) + 1;
    if (seq !== expectedSeq) refuse('seq', `sequence number ${seq}, expected ${expectedSeq}`, subject);
    if (oldDigest !== (known?.digest ?? 0n)) refuse('old-digest', 'the old digest is not the current one', subject);
    if (known === undefined && this.#subjects.size >= LIMITS.maxRecordsPerDealer) {
      refuse('full', `the dealer has ${LIMITS.maxRecordsPerDealer} subjects, which is the limit`, subject);
    }
  }

  #put(subject: Hex, next: SubjectState): void {
    const oldDigest = this.#subjects.get(subject)?.digest ?? 0n;
    this.#subjects.set(subject, next);
    if (this.#linked !== undefined) this.#changedSubjects.add(subject);
    if (oldDigest !== next.digest) this.#putLeaf(oldDigest, subject, undefined);
    this.#putLeaf(next.digest, subject, memberLeaf({ subject, recordHash: next.recordHash, seq: next.seq }));
    this.#bucketsTree = undefined;
  }

  /** Puts a subject's leaf into a bucket, or takes it out. */
  #putLeaf(digest: bigint, subject: Hex, leaf: Uint8Array | undefined): void {
    if (digest === 0n) return;
    const members = this.#writableMembers(digest);
    if (this.#buckets.has(digest)) {
      const before = this.#changedMembers.get(digest) ?? new Map<Hex, Uint8Array | undefined>();
      if (!before.has(subject)) before.set(subject, members.get(subject));
      this.#changedMembers.set(digest, before);
    }
    if (leaf === undefined) members.delete(subject);
    else members.set(subject, leaf);
    if (members.size > 0) return;
    this.#members.delete(digest);
    this.#buckets.delete(digest);
    this.#changedMembers.delete(digest);
  }

  #writableMembers(digest: bigint): Map<Hex, Uint8Array> {
    const known = this.#members.get(digest);
    if (known !== undefined && this.#ownMembers.has(digest)) return known;
    const own = new Map(known);
    this.#members.set(digest, own);
    this.#ownMembers.add(digest);
    return own;
  }

  #treesOf(digest: bigint): BucketTrees {
    const built = this.#buckets.get(digest);
    const before = this.#changedMembers.get(digest);
    if (built !== undefined && before === undefined) return built;
    const members = this.#members.get(digest);
    if (members === undefined) throw new ConcordatError('NOT_FOUND', `no bucket of digest ${hexWord(digest)}`);
    const tree =
      built === undefined || before === undefined
        ? MerkleTree.of([...members.values()])
        : built.tree.replace(present(before.values()), present([...before.keys()].map((key) => members.get(key))));
    const bucket = { digest, membersRoot: tree.root, memberCount: members.size };
    const trees = { tree, bucket, leaf: bucketLeaf(bucket) };
    this.#buckets.set(digest, trees);
    this.#changedMembers.delete(digest);
    return trees;
  }

  #inLeafOrder(digests: readonly bigint[]): BucketTrees[] {
    const hex = (trees: BucketTrees) => toHex(trees.leaf);
    return digests.map((digest) => this.#treesOf(digest)).sort((a, b) => (hex(a) < hex(b) ? -1 : 1));
  }

  #tree(): MerkleTree {
    this.#bucketsTree ??= MerkleTree.of([...this.#members.keys()].map((digest) => this.#treesOf(digest).leaf));
    return this.#bucketsTree;
  }

  #linkedTree(): LinkedTree {
    if (this.#linked !== undefined && this.#changedSubjects.size === 0) return this.#linked;
    const words = new Map<bigint, Hex>(); // thousands of subjects share a few digests
    const wordOf = (digest: bigint): Hex => {
      const word = words.get(digest) ?? hexWord(digest);
      words.set(digest, word);
      return word;
    };
    const pairOf = (key: Hex, entry: SubjectState | undefined) => [key, wordOf(entry?.digest ?? 0n)] as const;
    this.#linked =
      this.#linked === undefined
        ? LinkedTree.of([...this.#subjects.entries()].map(([key, entry]) => pairOf(key, entry)))
        : this.#linked.with([...this.#changedSubjects].map((key) => pairOf(key, this.#subjects.get(key))));
    this.#changedSubjects.clear();
    return this.#linked;
  }
}

const present = (leaves: Iterable<Uint8Array | undefined>): Uint8Array[] =>
  [...leaves].filter((leaf) => leaf !== undefined);

/** [CON-1], or for a withdrawal [CON-3]. @throws ConcordatError PASSKEY_REFUSED */
export function verifyEntry(
  { assertion, operation, operationHash }: DecodedEntry,
  relyingParty: RelyingParty,
  verifySignature: SignatureVerifier,
): void {
  const { newDigest, publicKey } = operation;
  if (newDigest === 0n) verifyWithdrawalAssertion(assertion, operationHash, publicKey, verifySignature);
  else verifyAssertion(assertion, operationHash, publicKey, relyingParty, verifySignature);
}

/**
 * [CON-1] then [CON-2]: what a witness and an auditor each do with every entry.
 * @returns the entry's index in the log
 * @throws ConcordatError PASSKEY_REFUSED, CONSENT_OPERATION_REFUSED
 */
export function admitEntry(
  state: ConsentState,
  entry: DecodedEntry,
  relyingParty: RelyingParty,
  verifySignature: SignatureVerifier,
): number {
  verifyEntry(entry, relyingParty, verifySignature);
  return state.apply(entry);
}
