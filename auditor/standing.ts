// Events against answers: what the events of a history come to must be what its contracts say of themselves at the last block.
// An endpoint that leaves out an event, or the end of a range, would otherwise be believed.
import { fromHex, type Hex, keccak256, toHex } from '../protocol/bytes.ts';
import { setHash } from '../protocol/secagg/set.ts';
import type { Tally } from './checks/check.ts';
import { type DealerAnswer, eventsOf, type History, type RoundAnswer, type Standing } from './history.ts';
import { eventsOfLine } from './lineage.ts';
import { type ChainState, carriedOn, forcedAt, replay } from './replay.ts';

const NOBODY: Hex = `0x${'00'.repeat(20)}`;
const NOTHING: Hex = `0x${'00'.repeat(32)}`;

/** What the contracts must answer after these events. */
export function standingOf(history: History): Standing {
  const state = replay(history.events, undefined, carriedOn(history));
  return {
    coordinator: state.coordinator ?? NOBODY,
    successor: eventsOf(history.events, 'SuccessorNamed')[0]?.successor ?? NOBODY,
    predecessor: eventsOf(history.events, 'PredecessorNamed')[0]?.predecessor ?? NOBODY,
    paused: state.paused,
    dealers: [...state.dealers].sort().map((dealer) => dealerOf(history, dealer, state)),
    witnesses: [...state.witnesses].sort(),
    keyHolders: [...state.keyHolders].sort(([, a], [, b]) => a - b).map(([keyHolder]) => holderOf(keyHolder, state)),
    rounds: [...state.rounds.values()].map(roundOf),
    ...(history.standing?.ofDealer && { ofDealer: answerOf(history, history.standing.ofDealer.dealer, state) }),
  };
}

const NO_ANCHOR = { epoch: 0, root: NOTHING, bucketsRoot: NOTHING, subjectsRoot: NOTHING, logHead: NOTHING };
const NO_COMMIT = { attempt: 0, weight: 0, payloadHash: NOTHING, sharesRoot: NOTHING };

function answerOf(history: History, dealer: Hex, { rounds }: ChainState): DealerAnswer {
  const last = anchorsOf(history, dealer).at(-1) ?? { ...NO_ANCHOR, operationCount: 0 };
  const { epoch, root, bucketsRoot, subjectsRoot, logHead, operationCount } = last;
  const commits = [...rounds.values()].map(({ commits: all }) => {
    const { attempt, weight, payloadHash, sharesRoot } = all.get(dealer) ?? NO_COMMIT;
    return { attempt, weight, payloadHash, sharesRoot };
  });
  return { dealer, anchor: { epoch, root, bucketsRoot, subjectsRoot, logHead, operationCount }, commits };
}

const anchorsOf = (history: History, dealer: Hex) =>
  eventsOf(eventsOfLine(history), 'Anchored').filter((event) => event.dealer === dealer);

/** A registry answers with its predecessor's anchor until the dealer has anchored anew. */
function dealerOf(history: History, dealer: Hex, state: ChainState): Standing['dealers'][number] {
  const { epoch, root } = anchorsOf(history, dealer).at(-1) ?? NO_ANCHOR;
  return { dealer, epoch, root, pending: forcedAt(state, dealer).length };
}

function holderOf(keyHolder: Hex, { sealingKeys }: ChainState): Standing['keyHolders'][number] {
  const key = sealingKeys.get(keyHolder);
  const keyHash = key === undefined ? NOTHING : toHex(keccak256(fromHex(key.publicKey)));
  return { keyHolder, keyEpoch: key?.epoch ?? 0, keyHash };
}

type RoundState = ChainState['rounds'] extends Map<number, infer R> ? R : never;

function roundOf({ opened, finalised, failed, published }: RoundState): RoundAnswer {
  const { taskHash, requirementKey, baseModelHash, seed, keysHash, deadline, epsilonAfterMilli } = opened;
  return {
    ...{ taskHash, requirementKey, baseModelHash, seed, keysHash, deadline, epsilonAfterMilli },
    status: failed ? 'failed' : published ? 'published' : finalised ? 'finalised' : 'open',
    modelHash: published?.modelHash ?? NOTHING,
    setHash: finalised === undefined ? NOTHING : setHash(opened.round, finalised.dealers),
  };
}

/**
 * Each fact is one thing looked at; a list is compared item by item, and by its length.
 * @param of which deployment, where it is not the audited one
 */
export function checkStanding(history: History, tally: Tally, of = ''): void {
  const { standing } = history;
  if (standing === undefined) {
    tally.unsure(`${of}events, against what the contracts answer`, 'they were not asked');
    return;
  }
  const told = standingOf(history);
  for (const fact of ['coordinator', 'successor', 'predecessor', 'paused'] as const) {
    tally.same(`${of}${fact}: of the events, against the contracts’ answer`, told[fact], standing[fact]);
  }
  for (const list of ['dealers', 'witnesses', 'keyHolders', 'rounds'] as const) {
    compareLists(`${of}${list}`, told[list], standing[list], tally);
  }
  const [own, asked] = [told.ofDealer, standing.ofDealer];
  if (own === undefined || asked === undefined) return;
  const what = `${of}dealer ${asked.dealer}`;
  // each is one more than the last
  const anchors = anchorsOf(history, asked.dealer).length;
  tally.same(`${what}: anchors in the events, against the contracts’ answer`, anchors, asked.anchor.epoch);
  compareLists(`${what}: anchor`, [own.anchor], [asked.anchor], tally);
  compareLists(`${what}: commits`, own.commits, asked.commits, tally);
}

type Item = object | string;

function compareLists(what: string, told: readonly Item[], answered: readonly Item[], tally: Tally): void {
  const [own, asked] = [told.map(textOf), answered.map(textOf)];
  tally.same(`${what}: number in the events, against the contracts’ answer`, own.length, asked.length);
  for (let i = 0; i < Math.min(own.length, asked.length); i++) {
    tally.same(`${what}, number ${i + 1}: of the events, against the contracts’ answer`, own[i], asked[i]);
  }
}

/** In one order of fields, wherever it was made. */
const textOf = (value: Item): string =>
  typeof value === 'string'
    ? value
    : Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, field]) => `${name} ${field}`)
        .join(', ');
