// 02: one unbroken chain of entries, nothing missing from it, and the chain's heads inside it [TRA-1] [TRA-2] [TRA-3].
import { blobsOf } from '../../protocol/transcript/bundle.ts';
import { type EntryBody, GENESIS_PREV } from '../../protocol/transcript/entry.ts';
import { type Evidence, entriesOf } from '../evidence.ts';
import { eventsOf } from '../history.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const transcriptCheck: Check = {
  id: '02',
  title: 'The transcript is one hash chain, complete, and the heads on chain lie in it',
  promises: ['P6', 'P7'],
  meaning:
    'The record is one unbroken line with no gap, and each published round fixed its end on chain: nobody can take something out or rewrite it later without being seen.',
  cannot:
    'What happened and was never written down. What was written after the last head on chain could still be changed.',
  async run(evidence) {
    const tally = createTally();
    checkChain(evidence, tally);
    checkBlobsPresent(evidence, tally);
    checkRounds(evidence, tally);
    checkHeads(evidence, tally);
    return tally.result();
  },
};

function checkChain({ bundle }: Evidence, tally: Tally): void {
  let head = GENESIS_PREV;
  for (const [seq, { entry, hash, name }] of bundle.entries.entries()) {
    if (entry === undefined) tally.fails(`[TRA-1] entry ${name}`, 'does not decode');
    else {
      tally.same(`[TRA-1] entry ${name}: prev`, entry.prev, head);
      tally.same(`[TRA-1] entry ${name}: seq`, entry.seq, seq);
      tally.holds(
        `[TRA-1] entry ${name}: genesis stands first and only there`,
        (entry.body.type === 'genesis') === (seq === 0),
      );
    }
    head = hash;
  }
}

function checkBlobsPresent({ bundle }: Evidence, tally: Tally): void {
  const present = new Set(bundle.blobNames);
  for (const { entry, name } of bundle.entries) {
    for (const { what, hash } of entry === undefined ? [] : blobsOf(entry.body)) {
      tally.holds(`[TRA-2] entry ${name}: ${what} ${hash}`, present.has(hash.slice(2)), { got: 'no such blob' });
    }
  }
}

/** One entry of each kind per published round, and none about a round that the chain knows otherwise. */
function checkRounds({ bundle, history }: Evidence, tally: Tally): void {
  const published = new Set(eventsOf(history.events, 'Published').map(({ round }) => round));
  const failed = new Set(eventsOf(history.events, 'RoundFailed').map(({ round }) => round));
  for (const type of ['aggregate', 'opened', 'model'] as const) {
    const rounds = entriesOf(bundle, type).map(({ body }) => body.round);
    for (const round of published) {
      tally.same(`round ${round}: number of ${type} entries`, rounds.filter((r) => r === round).length, 1);
    }
  }
  // a coordinator writes first and sends then: only the last round's end may be written and not yet be on chain
  const last = Math.max(0, ...eventsOf(history.events, 'RoundOpened').map(({ round }) => round));
  const underWay = published.has(last) || failed.has(last) ? undefined : last;
  for (const [type, ended] of [['model', published] as const, ['failed', failed] as const]) {
    for (const { body } of entriesOf(bundle, type)) {
      const agrees = ended.has(body.round) || body.round === underWay;
      tally.holds(`round ${body.round}: its ${type} entry agrees with the chain`, agrees);
    }
  }
}

function checkHeads({ bundle, history }: Evidence, tally: Tally): void {
  const position = new Map(bundle.entries.map(({ hash }, seq) => [hash, seq]));
  for (const { round, transcriptHead } of eventsOf(history.events, 'Published')) {
    const at = position.get(transcriptHead);
    const model = entriesOf(bundle, 'model').find(({ body }) => body.round === round)?.seq;
    const later = bundle.entries.findIndex(({ entry }) => entry !== undefined && roundOfBody(entry.body) > round);
    if (at === undefined) tally.fails(`[TRA-3] round ${round}: published head`, `${transcriptHead} is no entry's hash`);
    else {
      tally.holds(
        `[TRA-3] round ${round}: the published head is at or after its model entry`,
        model !== undefined && at >= model,
      );
      tally.holds(`[TRA-3] round ${round}: the published head is before any later round`, later === -1 || at < later);
    }
  }
}

const roundOfBody = (body: EntryBody): number => ('round' in body ? body.round : 0);
