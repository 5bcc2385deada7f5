// The consent book's memory: the state of the log, and which customer stands behind which pseudonym.
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { type DecodedEntry, decodeEntry } from '../../protocol/consent/log.ts';
import type { Policy } from '../../protocol/consent/policy.ts';
import { decodeRecord, policyOfRecord } from '../../protocol/consent/record.ts';
import { SharedMap } from '../../protocol/consent/shared-map.ts';
import { ConsentState } from '../../protocol/consent/state.ts';
import type { StoredConsent } from './log-store.ts';

/** Grows by `take`; a draft is a clone, so whoever holds an older one sees it unchanged. */
export class ConsentLedger {
  state: ConsentState;
  #entries: StoredConsent[] = [];
  #heads: Hex[] = []; // log head after each entry
  #indexOf = new SharedMap<string, number>(); // operation hash -> log index
  #subjectOf = new SharedMap<string, Hex>(); // customer -> current subject
  #customerOf = new SharedMap<Hex, string>();
  #latest = new SharedMap<Hex, number>(); // subject -> log index

  constructor(dealer: Hex) {
    this.state = ConsentState.empty(dealer);
  }

  clone(): ConsentLedger {
    const copy = new ConsentLedger(this.state.dealer);
    copy.state = this.state.clone();
    copy.#entries = [...this.#entries];
    copy.#heads = [...this.#heads];
    copy.#indexOf = this.#indexOf.clone();
    copy.#subjectOf = this.#subjectOf.clone();
    copy.#customerOf = this.#customerOf.clone();
    copy.#latest = this.#latest.clone();
    return copy;
  }

  /** Rebuilds from stored entries, whose signatures were checked when they came in. @throws as `ConsentState.apply` */
  static replay(dealer: Hex, stored: readonly StoredConsent[], onPolicy: (policy: Policy) => void): ConsentLedger {
    const ledger = new ConsentLedger(dealer);
    for (const entry of stored) {
      ledger.take(entry, decodeEntry(entry));
      if (entry.record.length === 0) continue;
      const policy = policyOfRecord(decodeRecord(entry.record));
      if (policy.grants !== 0n) onPolicy(policy);
    }
    return ledger;
  }

  /** @returns the log index. @throws ConcordatError CONSENT_OPERATION_REFUSED ([CON-2]) */
  take(stored: StoredConsent, decoded: DecodedEntry): number {
    const index = this.state.apply(decoded);
    const { subject } = decoded.operation;
    this.#entries.push(stored);
    this.#heads.push(this.state.logHead);
    this.#indexOf.set(toHex(decoded.operationHash), index);
    this.#subjectOf.set(stored.customerId, subject);
    this.#customerOf.set(subject, stored.customerId);
    this.#latest.set(subject, index);
    return index;
  }

  get length(): number {
    return this.#entries.length;
  }

  entry(index: number): StoredConsent | undefined {
    return this.#entries[index];
  }

  /** Log head after the entry. */
  headAt(index: number): Hex | undefined {
    return this.#heads[index];
  }

  entries(from: number, to: number): StoredConsent[] {
    return this.#entries.slice(from, to);
  }

  /** A scan: asked for one customer at a time, by a person. */
  entriesOf(subject: Hex): [logIndex: number, entry: StoredConsent][] {
    const wanted = Buffer.from(fromHex(subject));
    return this.#entries.flatMap((entry, i): [number, StoredConsent][] =>
      // the bytes of a subject occur in its own operations; a hash that holds them elsewhere does not exist
      Buffer.from(entry.operation.buffer, entry.operation.byteOffset, entry.operation.byteLength).includes(wanted)
        ? [[i, entry]]
        : [],
    );
  }

  indexOfOperation(operationHash: Uint8Array): number | undefined {
    return this.#indexOf.get(toHex(operationHash));
  }

  subjectOf(customerId: string): Hex | undefined {
    return this.#subjectOf.get(customerId);
  }

  customerOf(subject: Hex): string | undefined {
    return this.#customerOf.get(subject);
  }

  /** Each customer's current subject, in the order of enrolment. */
  customers(): Iterable<[customerId: string, subject: Hex]> {
    return this.#subjectOf.entries();
  }

  latestIndexOf(subject: Hex): number | undefined {
    return this.#latest.get(subject);
  }
}
