// The consent gate: the only door from raw records to anything that uses them.
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { openSource } from './open.ts';
import type { RecordsPlace } from './place.ts';
import { loadRecords } from './records.ts';

export type { RecordsPlace } from './place.ts';

declare const consented: unique symbol;

/** A record whose customer is in the consent selection of this use. Made here and nowhere else. */
export interface ConsentedRecord {
  readonly [consented]: true;
  readonly customerId: string;
  readonly row: Row;
}

export interface ConsentGate {
  /** Where the records come from, for people; holds no secret. */
  readonly source: string;
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
  /**
   * Reads the source again, for the next `open`. If that fails, the records of before stay: all of the new ones or none.
   * @throws ConcordatError as createConsentGate does, and CONFLICT while it is being read already
   */
  reload(): Promise<void>;
}

const byId = (a: { customerId: string }, b: { customerId: string }) =>
  a.customerId < b.customerId ? -1 : a.customerId > b.customerId ? 1 : 0;

/**
 * Loads a dealer's records and closes the gate behind them.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, RECORDS_UNREADABLE, DATA_BREAKS_CONTRACT
 */
export async function createConsentGate(place: RecordsPlace, contract: DataContract): Promise<ConsentGate> {
  const source = await openSource(place);
  const load = async () => (await loadRecords(source, contract)).sort(byId);
  let records = await load();
  let loading = false;
  return {
    source: source.name,
    get recordCount() {
      return records.length;
    },
    get customerIds() {
      return records.map((record) => record.customerId);
    },
    open: (covered) =>
      records
        .filter((record) => covered.has(record.customerId))
        .map(({ customerId, row }) => Object.freeze({ customerId, row }) as ConsentedRecord),
    reload: async () => {
      if (loading) throw new ConcordatError('CONFLICT', `${source.name} is being read already`);
      loading = true;
      try {
        records = await load();
      } finally {
        loading = false;
      }
    },
  };
}
