// A small world for the consent tests: one dealer, its secrets, customers with software passkeys, stores in memory.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Submission } from '../../edge-node/consent/admission.ts';
import { type ConsentBook, openConsentBook } from '../../edge-node/consent/book.ts';
import { createInvitations } from '../../edge-node/consent/invitations.ts';
import type { ConsentLogStore, ProposalCut, ProposalStore, StoredConsent } from '../../edge-node/consent/log-store.ts';
import { createQuotes } from '../../edge-node/consent/quotes.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { createSoftwarePasskey } from '../../engines/keys/software-passkey.ts';
import { type Hex, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { encodeAssertion } from '../../protocol/consent/assertion.ts';
import { type ConsentDraft, type ConsentHead, type ConsentTerms, draftConsent } from '../../protocol/consent/draft.ts';
import type { SignedAnchor } from '../../protocol/consent/equivocation.ts';
import type { Access } from '../../protocol/consent/evaluate.ts';
import { grantsFor } from '../../protocol/consent/grants.ts';
import type { LogEntry } from '../../protocol/consent/log.ts';
import { decodeOperation, encodeOperation, operationHash } from '../../protocol/consent/operation.ts';
import { EVIDENCE, NO_PRIVACY_CAP, type Policy, requirementOf } from '../../protocol/consent/policy.ts';
import { quarterStart } from '../../protocol/consent/quarter.ts';
import { type ConsentRecord, decodeRecord, encodeRecord, recordHash } from '../../protocol/consent/record.ts';
import type { ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Contradicted, WitnessStore } from '../../witness/witness-store.ts';

/** 2026-05-28T20:26:40Z */
export const NOW = 1_780_000_000;
export const DEALER: Hex = '0x00000000000000000000000000000000000000d1';
export const ORIGIN = 'https://consent.dealer.example';
export const RELYING_PARTY = { rpId: 'consent.dealer.example', origins: [ORIGIN] };

export const hash32 = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest());

const CLASSES = ['demographics', 'area-statistics', 'insurance'] as const;
export const TRAINING: Policy = {
  grants: grantsFor(['model-training', 'lead-scoring'], CLASSES),
  conditions: {
    expiry: quarterStart(NOW, 4),
    accuracyFloorBps: 0,
    privacyCapMilli: NO_PRIVACY_CAP,
    evidence: EVIDENCE.passkey,
  },
};
export const FLOORED: Policy = { ...TRAINING, conditions: { ...TRAINING.conditions, accuracyFloorBps: 9200 } };
export const NO_TRAINING: Policy = { ...TRAINING, grants: grantsFor(['lead-scoring'], CLASSES) };
export const ON_PAPER: Policy = {
  ...TRAINING,
  conditions: { ...TRAINING.conditions, evidence: EVIDENCE.attested },
};
export const NOTHING: Policy = { ...TRAINING, grants: 0n };

export const ACCESS: Access = {
  requirement: requirementOf('lead-scoring', CLASSES, EVIDENCE.passkey),
  nowSeconds: NOW,
  attestedAccuracyBps: 9300,
  epsilonAfterMilli: NO_PRIVACY_CAP,
};

export const quotes = createQuotes(hash32('dealer secret'));
export const invitations = createInvitations(hash32('dealer secret'));

export const termsOf = (dealer: Hex): ConsentTerms => ({
  controller: { address: dealer, name: 'Dealer One', contact: 'privacy@dealer.example' },
  notice: { id: 'sovereignty-centre', version: '1', sha256: toHex(hash32('notice')), language: 'en' },
  storage: { location: 'edge-node', retentionDays: 730 },
  jurisdiction: 'NL',
  withdrawal: { url: `${ORIGIN}/rules` },
});

interface SubmissionOptions {
  /** Instead of where the device thinks it stands. */
  readonly head?: ConsentHead;
  readonly nowSeconds?: number;
  /** Instead of the policy's own. */
  readonly digest?: bigint;
  /** Changes the record before it is hashed and signed: what a dishonest page could do. */
  readonly editRecord?: (record: ConsentRecord) => ConsentRecord;
}

export interface TestCustomer {
  readonly customerId: string;
  readonly publicKey: Hex;
  /** Signs the policy as the next operation; the device then counts it as done. */
  submission(policy: Policy, options?: SubmissionOptions): Submission;
  head(): ConsentHead | undefined;
}

/** The draft with another record, and an operation that signs that one. */
function resigned(draft: ConsentDraft, edit: (record: ConsentRecord) => ConsentRecord): ConsentDraft {
  const record = encodeRecord(edit(decodeRecord(draft.record)));
  const next = { ...draft.next, recordHash: recordHash(record) };
  const operation = encodeOperation({ ...decodeOperation(draft.operation), recordHash: next.recordHash });
  return { record, operation, challenge: operationHash(operation), next };
}

/** `seed`: two customers of the same seed share their key. */
export function customer(customerId: string, dealer: Hex = DEALER, seed = customerId): TestCustomer {
  const passkey = createSoftwarePasskey({ ...RELYING_PARTY, origin: ORIGIN, seed: hash32(`key ${seed}`) });
  const identity = {
    publicKey: passkey.publicKey,
    nonce: toHex(hash32(`nonce ${seed}`)),
    recordId: toHex(hash32(`record ${seed}`).subarray(0, 16)),
  };
  let known: ConsentHead | undefined;
  return {
    customerId,
    publicKey: passkey.publicKey,
    head: () => known,
    submission(policy, options = {}) {
      const head = options.head ?? known;
      const digest = options.digest ?? quotes.quote(policy).digest;
      const nowSeconds = options.nowSeconds ?? NOW;
      const honest = draftConsent({
        terms: termsOf(dealer),
        identity,
        head,
        policy,
        digest,
        nowSeconds,
        method: policy.conditions.evidence === EVIDENCE.attested ? 'paper' : 'qr-self',
      });
      const draft = options.editRecord === undefined ? honest : resigned(honest, options.editRecord);
      known = draft.next;
      return {
        customerId,
        invitationCode: invitations.codeFor(customerId),
        record: draft.record,
        operation: draft.operation,
        assertion: encodeAssertion(passkey.sign(draft.challenge)),
      };
    },
  };
}

export interface MemoryLogStore extends ConsentLogStore {
  readonly stored: StoredConsent[];
  /** How the next append ends: 'before' fails with nothing written, 'after' fails with everything written. */
  failNext: 'before' | 'after' | undefined;
}

export function memoryLogStore(): MemoryLogStore {
  const store: MemoryLogStore = {
    stored: [],
    failNext: undefined,
    async append(firstIndex, entries) {
      const failure = store.failNext;
      store.failNext = undefined;
      if (failure !== 'before') store.stored.splice(firstIndex, Number.POSITIVE_INFINITY, ...entries);
      if (failure !== undefined) throw new Error(`killed ${failure} the write`);
    },
    readAll: async () => [...store.stored],
  };
  return store;
}

export function memoryProposalStore(): ProposalStore & { cut: ProposalCut | undefined } {
  const store: ProposalStore & { cut: ProposalCut | undefined } = {
    cut: undefined,
    read: async () => store.cut,
    write: async (cut) => {
      store.cut = cut;
    },
  };
  return store;
}

export interface MemoryWitnessStore extends WitnessStore {
  readonly logs: Map<Hex, LogEntry[]>;
  readonly anchors: Map<string, SignedAnchor>;
  readonly contradictions: Contradicted[];
  failNext: 'before' | 'after' | undefined;
}

export function memoryWitnessStore(): MemoryWitnessStore {
  const store: MemoryWitnessStore = {
    logs: new Map(),
    anchors: new Map(),
    failNext: undefined,
    contradictions: [],
    readLog: async (dealer, { from, limit } = { from: 0, limit: Number.POSITIVE_INFINITY }) =>
      (store.logs.get(dealer) ?? []).slice(from, from + limit),
    readAnchor: async (dealer, epoch) => store.anchors.get(`${dealer}/${epoch}`),
    lastEpoch: async (dealer) =>
      Math.max(
        0,
        ...[...store.anchors.values()]
          .filter(({ anchor }) => anchor.dealer === dealer)
          .map(({ anchor }) => anchor.epoch),
      ),
    listAnchors: async (after, limit) => {
      const keys = [...store.anchors.keys()]
        .sort()
        .filter((key) => after === undefined || key > `${after.dealer}/${after.epoch}`);
      return keys.slice(0, limit).flatMap((key) => store.anchors.get(key) ?? []);
    },
    keepContradiction: async (contradicted) => void store.contradictions.push(contradicted),
    listContradictions: async () => store.contradictions,
    async commit(dealer, firstIndex, entries, proposed) {
      const failure = store.failNext;
      store.failNext = undefined;
      if (failure !== 'before') {
        store.logs.set(dealer, [...(store.logs.get(dealer) ?? []).slice(0, firstIndex), ...entries]);
        store.anchors.set(`${dealer}/${proposed.anchor.epoch}`, proposed);
      }
      if (failure !== undefined) throw new Error(`killed ${failure} the write`);
    },
  };
  return store;
}

export const openBook = (store: ConsentLogStore, dealer: Hex = DEALER): Promise<ConsentBook> =>
  openConsentBook({
    dealer,
    relyingParty: RELYING_PARTY,
    quotes,
    invitations,
    verifySignature: verifyPasskeySignature,
    store,
  });

/** Everything a state says, for comparison. */
export const fingerprint = (state: ConsentState) => ({ ...state.anchor(1), subjects: state.snapshot().subjects });

/** The error a call ends with: "CODE" or "CODE reason". */
export async function faultOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    const { reason } = error.fields;
    return reason === undefined ? error.code : `${error.code} ${String(reason)}`;
  }
  return 'no error';
}

export const utf8 = utf8ToBytes;
export const hexToBuffer = (hex: Hex): Buffer => Buffer.from(hex.slice(2), 'hex');
