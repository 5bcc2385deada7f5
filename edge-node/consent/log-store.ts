// Where the consent book keeps its log; the edge node's store implements it.
import type { LogEntry } from '../../protocol/consent/log.ts';

export interface StoredConsent extends LogEntry {
  /** The dealer's own name for the customer; never leaves the edge node. */
  readonly customerId: string;
  /** The CSA record, canonical JSON; NO_RECORD for a withdrawal that came by force. */
  readonly record: Uint8Array;
}

export const NO_RECORD: Uint8Array = new Uint8Array();

export interface ConsentLogStore {
  /** All of them or none, durable when the promise resolves. `firstIndex` = number of entries stored before. */
  append(firstIndex: number, entries: readonly StoredConsent[]): Promise<void>;
  /** All entries in order. */
  readAll(): Promise<readonly StoredConsent[]>;
}

/** The cut of a proposed epoch, kept so that a restarted dealer proposes the very same anchor again. */
export interface ProposalCut {
  readonly epoch: number;
  readonly operationCount: number;
}

export interface ProposalStore {
  read(): Promise<ProposalCut | undefined>;
  /** Durable when the promise resolves. */
  write(cut: ProposalCut): Promise<void>;
}
