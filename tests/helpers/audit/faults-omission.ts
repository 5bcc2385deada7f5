// Faults by leaving out: events that an endpoint keeps back, a range that it cuts off, and what nobody looks at because nothing
// came of it.
import type { EventName, Standing } from '../../../auditor/history.ts';
import type { Hex } from '../../../protocol/bytes.ts';
import { fault, first, type PlantedFault } from './fault.ts';
import { changeEvents, dropEvent, type RawEvidence, rewriteTranscript, theEvent } from './raw-evidence.ts';

/** What the contracts answer, when something is true of which no event tells. */
function answer(raw: RawEvidence, change: (standing: Standing) => Partial<Standing>): void {
  const { standing } = raw.history;
  if (standing === undefined) throw new Error('the run has no answers');
  raw.history = { ...raw.history, standing: { ...standing, ...change(standing) } };
}

function dropLast(raw: RawEvidence, name: EventName): void {
  const last = raw.history.events.findLast((event) => event.name === name);
  if (last === undefined) throw new Error(`no ${name} event`);
  dropEvent(raw, name, (event) => event === last);
}

const dropsLast = (what: string, name: EventName, list: keyof Standing): PlantedFault =>
  fault('03', `an endpoint that leaves out ${what}`, (raw) => dropLast(raw, name), new RegExp(`^${list}`, 'm'));

function cutLastRound(raw: RawEvidence): void {
  const { events } = raw.history;
  const at = events.findLastIndex(({ name }) => name === 'RoundOpened');
  raw.history = { ...raw.history, events: events.slice(0, at) };
}

const NOBODY = `0x${'77'.repeat(20)}` as const;

/** On chain the round was given up, after answers to it had been written; one of them is nobody's. */
function forgedAnswerOfNoOpening(raw: RawEvidence): void {
  const { round } = theEvent(raw, 'Published');
  raw.history = {
    ...raw.history,
    events: raw.history.events.map((event) =>
      event.name === 'Published' && event.round === round
        ? { name: 'RoundFailed', at: event.at, round, reason: 'too few answers' }
        : event,
    ),
  };
  rewriteTranscript(raw, (bodies) => {
    const kept = bodies.filter((body) => !((body.type === 'opened' || body.type === 'model') && body.round === round));
    const forged = kept.findIndex((body) => body.type === 'answer' && body.round === round);
    return kept.map((body, i) =>
      i === forged && body.type === 'answer' ? { ...body, signature: otherSignature(body.signature) } : body,
    );
  });
}

const otherSignature = (signature: Hex): Hex => `0x${signature.slice(4, 6)}${signature.slice(4)}`;

/** Operations of an epoch that is not anchored yet, which no customer signed. */
function unsignedOperationsWaiting(raw: RawEvidence): void {
  const last = theEvent(raw, 'Anchored');
  const epochs = raw.history.events.flatMap((event) =>
    event.name === 'Anchored' && event.dealer === last.dealer ? [event.epoch] : [],
  );
  rewriteTranscript(raw, (bodies) => {
    const own = bodies.find((body) => body.type === 'consent' && body.dealer === last.dealer && body.epoch === 1);
    if (own?.type !== 'consent') throw new Error('no consent entry');
    // signed once, for the beginning of the log: nothing that the customer says now
    return [...bodies, { ...own, epoch: Math.max(...epochs) + 1 }];
  });
}

export const OMISSION_FAULTS: readonly PlantedFault[] = [
  fault('03', 'an endpoint that cuts off the last round', cutLastRound, /^rounds: number in the events/m),
  dropsLast('the end of a round', 'Published', 'rounds'),
  dropsLast('the set of a round', 'SetFinalised', 'rounds'),
  dropsLast('the last anchor', 'Anchored', 'dealers'),
  dropsLast('a new sealing key', 'KeyRotated', 'keyHolders'),
  dropsLast('a witness', 'WitnessRegistered', 'witnesses'),
  fault(
    '03',
    'an endpoint that leaves out a forced withdrawal',
    (raw) =>
      answer(raw, ({ dealers }) => ({
        dealers: [{ ...first(dealers, 'dealer'), pending: 1 }, ...dealers.slice(1)],
      })),
    /^dealers, number 1/m,
  ),
  fault(
    '03',
    'an endpoint that leaves out that a dealer was removed',
    (raw) => answer(raw, ({ dealers }) => ({ dealers: dealers.slice(1) })),
    /^dealers: number/m,
  ),
  fault(
    '03',
    'an endpoint that leaves out the successor',
    (raw) => answer(raw, () => ({ successor: NOBODY })),
    /^successor: /m,
  ),
  fault(
    '03',
    'an endpoint that leaves out that the federation was paused',
    (raw) => answer(raw, ({ paused }) => ({ paused: !paused })),
    /^paused: /m,
  ),
  fault(
    '03',
    'an endpoint that leaves out that a round was given up',
    (raw) =>
      answer(raw, ({ rounds }) => ({ rounds: rounds.map((round) => ({ ...round, status: 'failed' as const })) })),
    /^rounds, number 1/m,
  ),
  fault(
    '05',
    'operations that wait for their anchor, and that no customer signed',
    unsignedOperationsWaiting,
    /not anchored/,
  ),
  fault('13', 'a forged answer to a round that was given up', forgedAnswerOfNoOpening, /signed for this set by/),
  fault(
    '16',
    'a model published for another task than its round was opened for',
    (raw) => changeEvents(raw, 'Published', () => ({ taskHash: `0x${'77'.repeat(32)}` })),
    /task published for/,
  ),
];
