// Check 09 at the edges of its ranges: the last value that holds and the first that does not.
import { beforeAll, describe, expect, test } from 'vitest';
import { commitmentsCheck } from '../../auditor/checks/09-commitments.ts';
import type { ChainEvent, EventOf } from '../../auditor/history.ts';
import { changeEvents, copyOf, evidenceOf, type RawEvidence, theEvent } from '../helpers/audit/raw-evidence.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

let honest: RawEvidence;
beforeAll(async () => {
  honest = await syntheticFederation();
});

/** How many things are wrong with the commits once the history is changed. */
async function failures(change: (raw: RawEvidence) => void): Promise<number> {
  const raw = copyOf(honest);
  change(raw);
  return (await commitmentsCheck.run(await evidenceOf(raw))).failed;
}

const firstCommit = (raw: RawEvidence) => theEvent(raw, 'Committed');

/** Sets the bounds of every claim: what selections fold. */
const claims = (raw: RawEvidence, bounds: Partial<EventOf<'PoliciesAdmitted'>>) =>
  changeEvents(raw, 'PoliciesAdmitted', () => bounds);

const change = (raw: RawEvidence, target: ChainEvent, fields: object): void => {
  const events = raw.history.events.map((event) =>
    event === target ? ({ ...event, ...fields } as ChainEvent) : event,
  );
  raw.history = { ...raw.history, events };
};

const lastTimestamp = (raw: RawEvidence): number =>
  Math.max(...raw.history.events.flatMap((event) => (event.name === 'Committed' ? [event.at.timestamp] : [])));

/** The oldest attestation that any commit of round 2 stands on. */
function oldestAgeSeconds(raw: RawEvidence): number {
  return lastTimestamp(raw) - theEvent(raw, 'Published').at.timestamp;
}

function metricMaxAge(raw: RawEvidence, metricMaxAgeSeconds: number): void {
  const { deployment } = raw.history;
  const parameters = { ...deployment.parameters, metricMaxAgeSeconds };
  raw.history = { ...raw.history, deployment: { ...deployment, parameters } };
}

describe('a commit', () => {
  test('of the honest history holds', async () => {
    expect(await failures(() => undefined)).toBe(0);
  });

  test.each([
    ['before', 1, 0],
    ['on', 0, 1],
  ])('%s the second at which its consent ends', async (_, early, expected) => {
    const wrong = await failures((raw) => claims(raw, { validUntil: lastTimestamp(raw) + early }));
    expect(Math.min(wrong, 1)).toBe(expected);
  });

  test.each([
    ['before', 1, 0],
    ['on', 0, 1],
  ])('%s the deadline', async (_, early, expected) => {
    const wrong = await failures((raw) => {
      const commit = firstCommit(raw);
      // the others of the round come later
      changeEvents(raw, 'Committed', ({ round, at }) =>
        round === commit.round ? { at: { ...at, timestamp: commit.at.timestamp } } : {},
      );
      change(raw, theEvent(raw, 'RoundOpened'), { deadline: commit.at.timestamp + early });
    });
    expect(Math.min(wrong, 1)).toBe(expected);
  });

  test.each([
    ['equal to', 0, 0],
    ['over', 1, 1],
  ])('with a weight %s its customers', async (_, more, expected) => {
    const wrong = await failures((raw) => {
      const commit = firstCommit(raw);
      change(raw, commit, { weight: commit.weight + more });
    });
    expect(wrong).toBe(expected);
  });

  test.each([
    ['equal to', 0, 0],
    ['over', 1, 1],
  ])('with an epsilon %s the cap', async (_, more, expected) => {
    const wrong = await failures((raw) => {
      claims(raw, { privacyCapMilli: 500 });
      changeEvents(raw, 'RoundOpened', () => ({ epsilonAfterMilli: 500 + more }));
    });
    expect(Math.min(wrong, 1)).toBe(expected);
  });

  test.each([
    ['equal to', 0, 0],
    ['over', 1, 1],
  ])('with a floor %s the attested accuracy', async (_, more, expected) => {
    const wrong = await failures((raw) => {
      const { accuracyBps } = theEvent(raw, 'Published');
      changeEvents(raw, 'PoliciesAdmitted', ({ accuracyFloorBps }) =>
        // only the policies that have a floor at all: they are selected in round 2
        accuracyFloorBps > 0 ? { accuracyFloorBps: accuracyBps + more } : {},
      );
    });
    expect(Math.min(wrong, 1)).toBe(expected);
  });

  test.each([
    ['equal to', 0, 0],
    ['over', -1, 1],
  ])('on an attestation of an age %s the oldest allowed', async (_, less, expected) => {
    const wrong = await failures((raw) => metricMaxAge(raw, oldestAgeSeconds(raw) + less));
    expect(wrong).toBe(expected);
  });

  test('again with a higher attempt replaces the first; with the same one it may not', async () => {
    const again = (attempt: number) => (raw: RawEvidence) => {
      const commit = firstCommit(raw);
      const { events } = raw.history;
      const at = events.indexOf(commit) + 1;
      raw.history = { ...raw.history, events: [...events.slice(0, at), { ...commit, attempt }, ...events.slice(at)] };
    };
    expect(await failures(again(2))).toBe(0);
    expect(await failures(again(1))).toBe(1);
  });
});
