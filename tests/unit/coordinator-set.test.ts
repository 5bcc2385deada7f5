// Fixing a set while dealers move: whoever commits again costs itself the round, at most this round, and never the coordinator.
import { beforeEach, describe, expect, test } from 'vitest';
import { type AdmittedUpload, createUploads, type Uploads } from '../../coordinator/intake/uploads.ts';
import { createRoundDriver } from '../../coordinator/rounds/driver.ts';
import type { RoundParts } from '../../coordinator/rounds/parts.ts';
import { finaliseSet, readSet, type SetParts } from '../../coordinator/rounds/set.ts';
import type { SetMember } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import { packingProfile } from '../../protocol/secagg/packing.ts';
import { admittedOf, dealersOf, entriesOf, SILENT, temporaryTranscript } from './coordinator-world.ts';
import { codeOf } from './secagg-fixtures.ts';

const ROUND = 3;
const DEALERS = dealersOf(5).map(({ address }) => address);
const uploadOf = (dealer: Hex, attempt = 1): AdmittedUpload =>
  admittedOf(dealer, new TextEncoder().encode(`${dealer}/${attempt}`), attempt, ROUND);

/** The contract: refuses while a dealer's standing attempt is not the one named. */
let standing: Map<Hex, AdmittedUpload>;
let fixed: readonly SetMember[] | undefined;
let asked: number;
let events: CoordinatorEvent[];
/** What dealers do while the coordinator's transaction is on its way. */
let meanwhile: () => void;

async function finalise(_round: number, members: readonly SetMember[]) {
  asked++;
  meanwhile();
  for (const { dealer, attempt } of members) {
    const now = standing.get(dealer)?.attempt;
    if (now === attempt) continue;
    const fields = { dealer, given: `${attempt}`, standing: `${now}`, reason: 'CommitMoved', method: 'finaliseSet' };
    throw new ConcordatError('CHAIN_REVERTED', 'RoundLedger.finaliseSet: CommitMoved', fields);
  }
  fixed = members;
  return { txHash: '0x', blockNumber: 1, gasUsed: 1, logs: [] } as never;
}

const partsOf = (changes: Partial<SetParts> = {}): SetParts =>
  ({
    federation: { parameters: async () => ({ minCohort: 3 }) },
    task: { cohort: { min: 3 } },
    ledger: { finaliseSet: finalise },
    packing: packingProfile('3x26', 16),
    log: SILENT,
    broadcast: (event: CoordinatorEvent) => events.push(event),
    gas: () => undefined,
    ...changes,
  }) as unknown as SetParts;

let uploads: AdmittedUpload[];
beforeEach(() => {
  uploads = DEALERS.map((dealer) => uploadOf(dealer));
  standing = new Map(uploads.map((upload) => [upload.dealer, upload]));
  [fixed, asked, events, meanwhile] = [undefined, 0, [], () => undefined];
});

const commitAgain = (dealer: Hex): void => void standing.set(dealer, uploadOf(dealer, 2));
const membersOf = (dealers: readonly Hex[]) => dealers.map((dealer) => ({ dealer, attempt: 1 }));

describe('fixing the set', () => {
  test('names the attempts that were looked at', async () => {
    await finaliseSet(ROUND, uploads, partsOf());
    expect(fixed).toEqual(membersOf(DEALERS));
    expect(events).toEqual([{ type: 'set-finalised', round: ROUND, dealers: 5 }]);
  });

  test('a dealer that commits again at that very moment is left out and told; so is the next, down to the cohort', async () => {
    const [first, second, ...others] = DEALERS as [Hex, Hex, ...Hex[]];
    const movers = [second, first];
    meanwhile = () => {
      const mover = movers.shift();
      if (mover !== undefined) commitAgain(mover);
    };
    await finaliseSet(ROUND, uploads, partsOf());
    expect(fixed).toEqual(membersOf(others));
    expect(events).toMatchObject([
      { type: 'upload-refused', round: ROUND, dealer: second },
      { type: 'upload-refused', round: ROUND, dealer: first },
      { type: 'set-finalised', dealers: 3 },
    ]);
  });

  test('fewer than the cohort are not sent, whichever of contract, task and protocol asks for most', async () => {
    for (const dealer of DEALERS.slice(0, 3)) commitAgain(dealer);
    expect(await codeOf(() => finaliseSet(ROUND, uploads, partsOf()))).toBe('COHORT_TOO_SMALL');
    expect([asked, fixed]).toEqual([3, undefined]);
    const small = { federation: { parameters: async () => ({ minCohort: 1 }) }, task: { cohort: { min: 1 } } };
    const parts = partsOf(small as unknown as Partial<SetParts>);
    expect(await codeOf(() => finaliseSet(ROUND, uploads.slice(3), parts))).toBe('COHORT_TOO_SMALL');
  });

  test('another refusal of the contract is nobody’s move', async () => {
    const paused = async () => {
      throw new ConcordatError('CHAIN_REVERTED', 'FederationPaused', { reason: 'FederationPaused' });
    };
    const parts = partsOf({ ledger: { finaliseSet: paused } });
    expect(await codeOf(() => finaliseSet(ROUND, uploads, parts))).toBe('CHAIN_REVERTED');
    expect(events).toEqual([]);
  });

  test('more dealers than the packing holds: refused, and nobody is cut off for their address', async () => {
    const packing = { ...packingProfile('3x26', 16), maxDealers: 4 };
    expect(await codeOf(() => finaliseSet(ROUND, uploads, partsOf({ packing })))).toBe('VALUE_OUT_OF_RANGE');
    expect(asked).toBe(0);
    await finaliseSet(ROUND, uploads.slice(1), partsOf({ packing }));
    expect(fixed).toHaveLength(4);
  });
});

describe('a set on chain with a commit that no upload came for', () => {
  const setHash: Hex = `0x${'5e'.repeat(32)}`;
  let store: Uploads;
  beforeEach(() => {
    store = createUploads([]);
    for (const upload of uploads) store.add(upload);
  });
  const ledger = {
    setOf: async () => ({ setHash, dealers: DEALERS }),
    commitOf: async (_: number, dealer: Hex) => ({ ...(standing.get(dealer) as AdmittedUpload), weight: 1 }),
  };

  test('is not read, and the dealer is named', async () => {
    expect((await readSet(ROUND, { ledger, uploads: store })).uploads).toEqual(uploads);
    const [, mover] = DEALERS as [Hex, Hex];
    commitAgain(mover);
    await expect(readSet(ROUND, { ledger, uploads: store })).rejects.toMatchObject({
      code: 'SHARES_INSUFFICIENT',
      fields: { dealer: mover, attempt: 2 },
    });
  });

  test('has the round given up, by a coordinator that was started again too, and is no reason to stop', async () => {
    const { transcript } = await temporaryTranscript();
    const [mover] = DEALERS as [Hex];
    commitAgain(mover);
    const failed: string[] = [];
    const parts = {
      ledger: {
        ...ledger,
        roundCount: async () => ROUND,
        roundOf: async () => ({ status: 'finalised', taskHash: setHash }),
        failRound: async (_: number, reason: string) => failed.push(reason),
      },
      federation: { parameters: async () => ({ keyHolderThreshold: 2 }), keyHolders: async () => [] },
      task: { hash: setHash },
      uploads: store,
      transcript,
      log: SILENT,
      signal: new AbortController().signal,
      broadcast: () => undefined,
    } as unknown as RoundParts;
    const outcome = await createRoundDriver(parts).runRound();
    expect(outcome).toMatchObject({ round: ROUND, status: 'failed' });
    expect(outcome.reason).toContain(mover);
    expect(failed).toEqual([outcome.reason]);
    expect(entriesOf(transcript, 'failed')).toMatchObject([{ reason: outcome.reason }]);
  });
});
