// The consent gate: the only door from raw records to anything that uses them.
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { loadRecords } from './records.ts';

declare const consented: unique symbol;

/** A record whose customer is in the consent selection of this use. Made here and nowhere else. */
export interface ConsentedRecord {
  readonly [consented]: true;
  readonly customerId: string;
  readonly row: Row;
}

export interface ConsentGate {
  /** Records behind the gate, consented or not. */
  readonly recordCount: number;
  /** Whose records they are, in order of id; says nothing else about anybody. */
  readonly customerIds: readonly string[];
  /**
   * The records of exactly these customers, in order of customer id, so that a round replays whatever the order of the file.
   * `covered` comes from the consent book, for the scene and field classes of one task, at one consent epoch; a customer
   * without a record is passed over. Ask again for every use: an answer does not outlive its epoch.
   */
  open(covered: ReadonlySet<string>): readonly ConsentedRecord[];
}

const byId = (a: { customerId: string }, b: { customerId: string }) =>
  a.customerId < b.customerId ? -1 : a.customerId > b.customerId ? 1 : 0;

/**
 * Loads a dealer's file and closes the gate behind it.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, DATA_BREAKS_CONTRACT
 */
export async function createConsentGate(file: string, contract: DataContract): Promise<ConsentGate> {
  const records = (await loadRecords(file, contract)).sort(byId);
  return {
    recordCount: records.length,
    customerIds: records.map((record) => record.customerId),
    open: (covered) =>
      records
        .filter((record) => covered.has(record.customerId))
        .map(({ customerId, row }) => Object.freeze({ customerId, row }) as ConsentedRecord),
  };
}
