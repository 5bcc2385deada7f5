// 05: replaying every customer's signed operations gives exactly the consent state that each dealer anchored [CON-1] [CON-2].
import type { Hex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import { admitEntry, ConsentState } from '../../protocol/consent/state.ts';
import { readOperations, relyingPartyOf } from '../consent-log.ts';
import { type Evidence, entriesOf, type Located } from '../evidence.ts';
import { type EventOf, eventsOf } from '../history.ts';
import { type Check, createTally, messageOf, type Tally } from './check.ts';

const ROOTS = ['bucketsRoot', 'subjectsRoot', 'logHead', 'operationCount'] as const;

export const consentLogCheck: Check = {
  id: '05',
  title: 'Every consent operation is signed, and replaying them gives the anchored roots',
  async run(evidence) {
    const tally = createTally();
    const anchored = eventsOf(evidence.history.events, 'Anchored');
    const notes: string[] = [];
    for (const dealer of new Set(anchored.map((event) => event.dealer))) {
      const own = anchored.filter((event) => event.dealer === dealer);
      notes.push(await replayDealer(evidence, dealer, own, tally));
    }
    checkNothingUnanchored(evidence, anchored, tally);
    return tally.result(notes.join('; '));
  },
};

/** @returns what to say of this dealer */
async function replayDealer(
  evidence: Evidence,
  dealer: Hex,
  anchored: readonly EventOf<'Anchored'>[],
  tally: Tally,
): Promise<string> {
  const entries = entriesOf(evidence.bundle, 'consent').filter(({ body }) => body.dealer === dealer);
  const relyingParties = new Set<string>();
  let state = ConsentState.empty(dealer);
  for (const [i, event] of anchored.entries()) {
    tally.same(`${dealer}: epoch of anchor ${i + 1}`, event.epoch, i + 1);
    const what = `${dealer}, epoch ${event.epoch}`;
    // an epoch without operations needs no entry; one that a witness signed twice is anchored once
    const candidates = entries.filter(({ body }) => body.epoch === event.epoch);
    const tried: { state: ConsentState; faults: string[]; operations: number }[] = [];
    if (candidates.length === 0) tried.push({ state: state.clone(), faults: [], operations: 0 });
    for (const entry of candidates) tried.push(await admitAll(evidence, state.clone(), entry, relyingParties));
    const best = tried.find((t) => t.faults.length === 0 && t.state.logHead === event.logHead) ?? tried[0];
    if (best === undefined) continue;
    for (let n = best.faults.length; n < best.operations; n++) tally.holds(`${what}: operation`, true);
    for (const fault of best.faults) tally.fails(`${what}: operation`, fault);
    state = best.state;
    const anchor = state.anchor(event.epoch);
    for (const field of ROOTS)
      tally.same(`${what}: ${field} anchored, against the replay`, event[field], anchor[field]);
    tally.same(`${what}: anchored root`, event.root, anchoredRoot(anchor));
  }
  const pages = [...relyingParties];
  tally.holds(`${dealer}: all customers signed on one relying party's page`, pages.length <= 1, {
    got: pages.join(', '),
  });
  return `${dealer.slice(0, 10)}: ${state.operationCount} operations, ${state.subjectCount} customers, page ${pages.join(', ') || '–'}`;
}

async function admitAll(
  evidence: Evidence,
  state: ConsentState,
  { seq, body }: Located<'consent'>,
  relyingParties: Set<string>,
): Promise<{ state: ConsentState; faults: string[]; operations: number }> {
  const faults: string[] = [];
  try {
    const operations = await readOperations(evidence, body);
    for (const [i, operation] of operations.entries()) {
      try {
        const relyingParty = relyingPartyOf(operation.assertion);
        relyingParties.add(relyingParty.rpId);
        admitEntry(state, operation, relyingParty, evidence.engines.verifyPasskey);
      } catch (cause) {
        faults.push(`entry ${seq}, operation ${i}: ${messageOf(cause)}`);
      }
    }
    return { state, faults, operations: operations.length };
  } catch (cause) {
    return { state, faults: [`entry ${seq}: ${messageOf(cause)}`], operations: 1 };
  }
}

/** What a witness signed and the dealer has not yet anchored can only be that dealer's very next epoch. */
function checkNothingUnanchored(evidence: Evidence, anchored: readonly EventOf<'Anchored'>[], tally: Tally): void {
  for (const { seq, body } of entriesOf(evidence.bundle, 'consent')) {
    const last = anchored.filter(({ dealer }) => dealer === body.dealer).length;
    const inRange = body.epoch >= 1 && body.epoch <= last + 1;
    tally.holds(`entry ${seq}: epoch of ${body.dealer}`, inRange, { expected: `at most ${last + 1}`, got: body.epoch });
  }
}
