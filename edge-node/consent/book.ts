// The dealer's consent book: takes signed rules in, keeps the log, and says whose record may be used.
import { fromHex, type Hex } from '../../protocol/bytes.ts';
import { type Access, type Decision, evaluate } from '../../protocol/consent/evaluate.ts';
import type { SignedRecord } from '../../protocol/consent/history.ts';
import { decodeEntry, type LogEntry } from '../../protocol/consent/log.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { pendingReceipt, type Receipt } from '../../protocol/consent/receipt.ts';
import { type ConsentRecord, decodeRecord } from '../../protocol/consent/record.ts';
import { type ConsentState, verifyEntry } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type AdmissionParts, admitSubmission, type Submission } from './admission.ts';
import { ConsentLedger } from './ledger.ts';
import { type ConsentLogStore, NO_RECORD } from './log-store.ts';

export type SubmitOutcome =
  | { readonly accepted: true; readonly receipt: Receipt }
  | { readonly accepted: false; readonly error: ConcordatError };

export interface ConsentBook {
  readonly dealer: Hex;
  /** Durable when it resolves; the identical operation again gives the same receipt. @throws as `admitSubmission` */
  submit(submission: Submission): Promise<Receipt>;
  /** Many at once, in order, one write; a refused one does not hold up the others. */
  submitAll(submissions: readonly Submission[]): Promise<readonly SubmitOutcome[]>;
  /**
   * A withdrawal that stands on chain: taken in as the customer's device signed it, without its record, which the dealer may
   * never have seen. Durable when it resolves. @returns the log index
   * @throws ConcordatError PASSKEY_REFUSED, CONSENT_OPERATION_REFUSED, STATE_CORRUPT for a subject this log never had
   */
  takeForced(entry: LogEntry): Promise<number>;
  /** State after everything taken in so far. Read only; later submissions make a new one. */
  state(): ConsentState;
  /** Log entries [from, to) without what only the dealer may see. */
  entries(from: number, to?: number): LogEntry[];
  subjectOf(customerId: string): Hex | undefined;
  /** Of the latest operation; undefined when that came by force, without its record. */
  recordOf(customerId: string): ConsentRecord | undefined;
  /** Of the customer's latest operation, not yet anchored: see `anchoredReceipt`. */
  receiptOf(customerId: string): Receipt | undefined;
  /** Of any log entry, not yet anchored. */
  receiptAt(index: number): Receipt | undefined;
  indexOfOperation(operationHash: Hex): number | undefined;
  /** Of the subject's latest operation. */
  latestIndexOf(subject: Hex): number | undefined;
  /** All that one subject signed, in log order, with the records this dealer has. */
  signedBy(subject: Hex): SignedRecord[];
  /** undefined for a customer who never enrolled. */
  decide(customerId: string, access: Access): Decision | undefined;
  /** Everyone enrolled, with the decision for this access. */
  decisions(access: Access): ReadonlyMap<string, Decision>;
  /** Digests in use whose policy allows the access: what is to be proven and selected. */
  liveDigests(access: Access): bigint[];
  /**
   * The consent gate: customer -> subject for all who are members under the anchored state *and* still are now. A
   * withdrawal since the anchor counts at once, a new member from the next anchor on.
   */
  customersCoveredBy(digests: Iterable<bigint>, anchored: ConsentState): ReadonlyMap<string, Hex>;
}

export interface ConsentBookOptions extends AdmissionParts {
  readonly dealer: Hex;
  readonly store: ConsentLogStore;
}

function latestIndex(ledger: ConsentLedger, customerId: string): number | undefined {
  const subject = ledger.subjectOf(customerId);
  return subject === undefined ? undefined : ledger.latestIndexOf(subject);
}

/** Opens the book from its log. @throws ConcordatError STATE_CORRUPT when the stored log contradicts itself */
export async function openConsentBook(options: ConsentBookOptions): Promise<ConsentBook> {
  const { dealer, store, quotes } = options;

  const load = async (): Promise<ConsentLedger> => {
    const stored = await store.readAll();
    try {
      return ConsentLedger.replay(dealer, stored, (policy) => quotes.remember(policy));
    } catch (cause) {
      throw new ConcordatError('STATE_CORRUPT', 'the stored consent log does not replay', {}, { cause });
    }
  };

  let ledger = await load();
  let storeIsAhead = false; // after a failed write nobody knows what reached the disk
  let last: Promise<unknown> = Promise.resolve();

  /** One writer at a time, in order of arrival. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };

  const receiptAt = (from: ConsentLedger, index: number): Receipt => {
    const entry = from.entry(index);
    const head = from.headAt(index);
    if (entry === undefined || head === undefined) throw new ConcordatError('STATE_CORRUPT', `no log entry ${index}`);
    return pendingReceipt(entry, index, head);
  };

  /** Whatever `work` adds to the draft is stored before the book answers with it. */
  const withDraft = async <T>(work: (draft: ConsentLedger) => T): Promise<T> => {
    if (storeIsAhead) {
      ledger = await load();
      storeIsAhead = false;
    }
    const draft = ledger.clone();
    const result = work(draft);
    const added = draft.entries(ledger.length, draft.length);
    if (added.length > 0) {
      storeIsAhead = true;
      await store.append(ledger.length, added); // journal first, then the state that answers questions
      storeIsAhead = false;
      ledger = draft;
    }
    return result;
  };

  const submitTo = (draft: ConsentLedger, submission: Submission): SubmitOutcome => {
    try {
      const { index } = admitSubmission(draft, submission, options);
      return { accepted: true, receipt: receiptAt(draft, index) };
    } catch (error) {
      if (error instanceof ConcordatError) return { accepted: false, error };
      throw error;
    }
  };

  const takeForced = (draft: ConsentLedger, entry: LogEntry): number => {
    const decoded = decodeEntry(entry);
    const { subject } = decoded.operation;
    const customerId = draft.customerOf(subject);
    if (customerId === undefined) throw new ConcordatError('STATE_CORRUPT', 'forced out, but never in', { subject });
    verifyEntry(decoded, options.relyingParty, options.verifySignature);
    return draft.take({ customerId, record: NO_RECORD, ...entry }, decoded);
  };

  const decideDigest = (digest: bigint, access: Access): Decision => {
    const opening = quotes.openingOf(digest);
    return opening === undefined ? { allow: false, reason: 'not-granted' } : evaluate(opening.policy, access);
  };

  const book: ConsentBook = {
    dealer,
    async submit(submission) {
      const [outcome] = await book.submitAll([submission]);
      if (outcome === undefined) throw new ConcordatError('STATE_CORRUPT', 'no outcome for a submission');
      if (!outcome.accepted) throw outcome.error;
      return outcome.receipt;
    },
    submitAll: (submissions) =>
      inTurn(() => withDraft((draft) => submissions.map((submission) => submitTo(draft, submission)))),
    takeForced: (entry) => inTurn(() => withDraft((draft) => takeForced(draft, entry))),
    state: () => ledger.state,
    entries: (from, to = ledger.length) =>
      ledger.entries(from, to).map(({ operation, assertion }) => ({ operation, assertion })),
    subjectOf: (customerId) => ledger.subjectOf(customerId),
    recordOf(customerId) {
      const index = latestIndex(ledger, customerId);
      const entry = index === undefined ? undefined : ledger.entry(index);
      return entry === undefined || entry.record.length === 0 ? undefined : decodeRecord(entry.record);
    },
    receiptOf(customerId) {
      const index = latestIndex(ledger, customerId);
      return index === undefined ? undefined : receiptAt(ledger, index);
    },
    signedBy: (subject) =>
      ledger.entriesOf(subject).map(([logIndex, { operation, record }]) => ({
        logIndex,
        operation: decodeOperation(operation),
        record: record.length === 0 ? undefined : record,
      })),
    receiptAt: (index) => (index >= 0 && index < ledger.length ? receiptAt(ledger, index) : undefined),
    indexOfOperation: (operationHash) => ledger.indexOfOperation(fromHex(operationHash)),
    latestIndexOf: (subject) => ledger.latestIndexOf(subject),
    decide(customerId, access) {
      const subject = ledger.subjectOf(customerId);
      const digest = subject === undefined ? undefined : ledger.state.subject(subject)?.digest;
      return digest === undefined ? undefined : decideDigest(digest, access);
    },
    decisions(access) {
      const byDigest = new Map(ledger.state.digests().map((digest) => [digest, decideDigest(digest, access)]));
      const refused: Decision = { allow: false, reason: 'not-granted' };
      const decisions = new Map<string, Decision>();
      for (const [customerId, subject] of ledger.customers()) {
        decisions.set(customerId, byDigest.get(ledger.state.subject(subject)?.digest ?? 0n) ?? refused);
      }
      return decisions;
    },
    liveDigests: (access) => ledger.state.digests().filter((digest) => decideDigest(digest, access).allow),
    customersCoveredBy(digests, anchored) {
      const covered = new Map<string, Hex>();
      for (const digest of digests) {
        for (const subject of anchored.membersOf(digest)) {
          const customerId = ledger.customerOf(subject);
          if (customerId !== undefined && ledger.state.subject(subject)?.digest === digest)
            covered.set(customerId, subject);
        }
      }
      return covered;
    },
  };
  return book;
}
