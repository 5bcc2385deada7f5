// 05: replaying every customer's signed operations gives exactly the consent state that each dealer anchored [CON-1] to [CON-4].
import type { Hex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { admitEntry, ConsentState } from '../../protocol/consent/state.ts';
import { readOperations } from '../consent-log.ts';
import { type Evidence, entriesOf, type Located } from '../evidence.ts';
import { genesisBody } from '../genesis.ts';
import { type EventOf, eventsOf } from '../history.ts';
import { eventsOfLine } from '../lineage.ts';
import { type Check, createTally, messageOf, type Tally } from './check.ts';

const ROOTS = ['bucketsRoot', 'subjectsRoot', 'logHead', 'operationCount'] as const;

export const consentLogCheck: Check = {
  id: '05',
  title: 'Every consent operation is signed, and replaying them gives the anchored roots',
  promises: ['P3'],
  meaning:
    'Every customer in the consent records agreed with a key of their own, or left in the same way, and each dealer anchored exactly the state that these signatures lead to.',
  cannot:
    'Which person a pseudonym is, whether the person understood what was signed, and whether a dealer keeps back a withdrawal that it got: for the last, a customer has a receipt, or withdraws on chain.',
  async run(evidence) {
    const tally = createTally();
    // a log goes on over deployments: whoever anchored here is replayed from its first epoch, wherever that was
    const anchored = eventsOf(eventsOfLine(evidence.history), 'Anchored');
    const here = eventsOf(evidence.history.events, 'Anchored');
    const relyingParty = await tally.needs('genesis: relying party', () => genesisBody(evidence).relyingParty);
    let [operations, customers] = [0, 0];
    for (const dealer of new Set([...here.map((event) => event.dealer), ...neverAnchored(evidence, anchored)])) {
      const own = anchored.filter((event) => event.dealer === dealer);
      if (relyingParty === undefined)
        tally.unsure(`${dealer}: operations`, 'no relying party to hold their signatures to');
      else {
        const state = await replayDealer(evidence, relyingParty, dealer, own, tally);
        operations += state.operationCount;
        customers += state.subjectCount;
      }
    }
    checkNothingUnanchored(evidence, anchored, tally);
    return tally.result(`${operations} operations of ${customers} customers, signed on pages of ${relyingParty?.rpId}`);
  },
};

/** Whoever has operations in the transcript that a witness signed, and has anchored nothing yet. */
function neverAnchored({ bundle }: Evidence, anchored: readonly EventOf<'Anchored'>[]): Hex[] {
  const dealers = entriesOf(bundle, 'consent').map(({ body }) => body.dealer);
  return dealers.filter((dealer) => !anchored.some((event) => event.dealer === dealer));
}

/** The state after an entry, and what was wrong with its operations. */
interface Replayed {
  readonly state: ConsentState;
  readonly operations: number;
  readonly faults: readonly string[];
}

/** @returns the state after the last anchor */
async function replayDealer(
  evidence: Evidence,
  relyingParty: RelyingParty,
  dealer: Hex,
  anchored: readonly EventOf<'Anchored'>[],
  tally: Tally,
): Promise<ConsentState> {
  const entries = entriesOf(evidence.bundle, 'consent').filter(({ body }) => body.dealer === dealer);
  let state = ConsentState.empty(dealer);
  for (const [i, event] of anchored.entries()) {
    const what = `${dealer}, epoch ${event.epoch}`;
    tally.same(`${what}: number of its anchor`, event.epoch, i + 1);
    const replayed: Replayed[] = [];
    for (const entry of entries) {
      if (entry.body.epoch === event.epoch) replayed.push(await admitAll(evidence, relyingParty, state.clone(), entry));
    }
    // an epoch without operations needs no entry; of two entries for one epoch, one must lead to the anchor
    const best = replayed.find((r) => r.faults.length === 0 && r.state.logHead === event.logHead) ??
      replayed[0] ?? { state, operations: 0, faults: [] };
    for (let n = best.faults.length; n < best.operations; n++) tally.holds(`${what}: operation`, true);
    for (const fault of best.faults) tally.fails(`${what}: operation`, fault);
    checkOthers(
      what,
      replayed.filter((one) => one !== best),
      tally,
    );
    state = best.state;
    const anchor = state.anchor(event.epoch);
    for (const field of ROOTS)
      tally.same(`${what}: ${field} anchored, against the replay`, event[field], anchor[field]);
    tally.same(`${what}: anchored root`, event.root, anchoredRoot(anchor));
    checkAcknowledged(evidence, what, event, state, tally);
  }
  const waiting = entries.filter(({ body }) => body.epoch === anchored.length + 1);
  for (const entry of waiting) {
    const replayed = await admitAll(evidence, relyingParty, state.clone(), entry);
    checkOthers(`${dealer}, epoch ${entry.body.epoch}, not anchored`, [replayed], tally);
  }
  return state;
}

/** What leads to no anchor was co-signed all the same: no operation of it may be one that its customer did not sign. */
function checkOthers(what: string, replayed: readonly Replayed[], tally: Tally): void {
  for (const { operations, faults } of replayed) {
    for (let n = faults.length; n < operations; n++) tally.holds(`${what}: operation`, true);
    for (const fault of faults) tally.fails(`${what}: operation`, fault);
  }
}

/** Whoever was taken out on chain is out of every bucket, or there by a later operation that its own key signed. */
function checkAcknowledged(
  { history }: Evidence,
  what: string,
  { dealer, epoch }: EventOf<'Anchored'>,
  state: ConsentState,
  tally: Tally,
): void {
  const events = eventsOfLine(history);
  for (const [i, event] of events.entries()) {
    if (event.name !== 'ForcedWithdrawalAcknowledged' || event.dealer !== dealer || event.epoch !== epoch) continue;
    const { subject } = event;
    const forced = eventsOf(events.slice(0, i), 'ForcedWithdrawal').findLast(
      (one) => one.dealer === dealer && one.subject === subject,
    );
    const known = state.subject(subject);
    const settled = forced !== undefined && (known?.digest === 0n || (known?.seq ?? 0) > forced.seq);
    tally.holds(`${what}: forced withdrawal of ${subject} was acknowledged rightly`, settled);
  }
}

async function admitAll(
  evidence: Evidence,
  relyingParty: RelyingParty,
  state: ConsentState,
  { seq, body }: Located<'consent'>,
): Promise<Replayed> {
  const faults: string[] = [];
  try {
    const operations = await readOperations(evidence, body);
    for (const [i, operation] of operations.entries()) {
      try {
        admitEntry(state, operation, relyingParty, evidence.engines.verifyPasskey);
      } catch (cause) {
        faults.push(`entry ${seq}, operation ${i}: ${messageOf(cause)}`);
      }
    }
    return { state, operations: operations.length, faults };
  } catch (cause) {
    return { state, operations: 1, faults: [`entry ${seq}: ${messageOf(cause)}`] };
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
