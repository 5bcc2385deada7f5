// How a history was read, as things looked at: every block with events against its own header, and endpoints against each other.
import { createTally, type Tally } from './checks/check.ts';
import type { History } from './history.ts';
import { lineOf } from './lineage.ts';
import { checkStanding } from './standing.ts';

export function checkReading({ reading }: History, tally: Tally): void {
  if (reading === undefined) {
    tally.unsure('events, against the headers of their blocks', 'they were not asked for');
    return;
  }
  const { provenBlocks, faults, undecided, linked, trustedHead, provenCode } = reading;
  for (let i = 0; i < provenBlocks; i++) tally.holds('block, against its header', true);
  for (const { what, expected, got } of faults) tally.holds(what, false, detailOf({ expected, got }));
  for (const { what, got } of undecided) tally.unsure(what, got);
  if (!trustedHead) return;
  tally.holds('every header, up to the block that you trust', linked);
  if (!provenCode)
    tally.unsure('code, against the state of the block that you trust', 'the endpoint proves no accounts');
}

const detailOf = (detail: { readonly expected: string | undefined; readonly got: string | undefined }): object =>
  Object.fromEntries(Object.entries(detail).filter(([, value]) => value !== undefined));

/** How far the events are shown, in a few words. */
export function readingNote({ reading, headBlock, headHash }: History): string {
  if (reading === undefined) return '';
  const { blocks, provenBlocks, linked, trustedHead, provenCode, endpoints } = reading;
  const asked = endpoints.length > 1 ? `asked of ${endpoints.join(', ')}: ` : '';
  const chained = linked ? `, each header to the next up to block ${headBlock}, ${headHash ?? 'of no hash'}` : '';
  const trust = trustedHead ? ', which you trust' : '';
  const code = provenCode ? ', and the code to its state' : '';
  return `${asked}${provenBlocks} of ${blocks} blocks lead to their headers${chained}${trust}${code}`;
}

/** For an audit of less than everything: what speaks against believing this history; undefined when nothing does. */
export function doubtOf(history: History): string | undefined {
  const tally = createTally();
  for (const one of lineOf(history)) checkStanding(one, tally, `${one.deployment.federation}: `);
  checkReading(history, tally);
  const { failed, inconclusive, failures } = tally.result();
  const [first] = failures;
  if (first === undefined) return undefined;
  const { what, expected, got } = first;
  const detail = [expected && `expected ${expected}`, got && `got ${got}`].filter(Boolean).join(', ');
  const more = failed + inconclusive > 1 ? `; and ${failed + inconclusive - 1} more` : '';
  return `what the endpoint tells does not hold: ${what}${detail === '' ? '' : ` (${detail})`}${more}`;
}
