// The audit of a federation that carries on another: everything holds, and nothing of the one before is forgotten.
import { beforeAll, describe, expect, test } from 'vitest';
import { codeHashOf } from '../../auditor/deployed-code.ts';
import {
  type ChainEvent,
  type DeployedCode,
  type EventName,
  type EventOf,
  eventsOf,
  type History,
  type Standing,
} from '../../auditor/history.ts';
import { CHECKS, verify } from '../../auditor/verify.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { addressNamed } from '../helpers/audit/chronicle.ts';
import { evidenceOf, type RawEvidence, rewriteTranscript } from '../helpers/audit/raw-evidence.ts';
import { syntheticSuccession } from '../helpers/audit/succession.ts';

let honest: RawEvidence;
beforeAll(async () => {
  honest = await syntheticSuccession();
});

/** Of the checks named, or of all: those that do not hold, with what they say first. */
async function broken(history: History, ids?: readonly string[], files = honest.files) {
  const checks = CHECKS.filter(({ id }) => ids?.includes(id) ?? true);
  const report = await verify(await evidenceOf({ history, files }), undefined, checks);
  return report.checks
    .filter(({ verdict }) => verdict !== 'pass')
    .map(({ id, failures }) => `${id}: ${failures.map(({ what }) => what).join('; ')}`);
}

function predecessor(): History {
  const { history } = honest;
  if (history.predecessor === undefined) throw new Error('no predecessor');
  return history.predecessor;
}

const withEvents = (history: History, events: readonly ChainEvent[]): History => ({ ...history, events });

/** The successor's history with other events in the one before. */
const withEarlier = (events: readonly ChainEvent[]): History => ({
  ...honest.history,
  predecessor: withEvents(predecessor(), events),
});

function changed<N extends EventName>(name: N, change: (event: EventOf<N>, i: number) => Partial<EventOf<N>>): History {
  let i = 0;
  const events = honest.history.events.map((event) =>
    event.name === name ? ({ ...event, ...change(event as EventOf<N>, i++) } as ChainEvent) : event,
  );
  return withEvents(honest.history, events);
}

const stranger = addressNamed('stranger');

describe('an honest succession', () => {
  test('every check holds', async () => {
    expect(await broken(honest.history)).toEqual([]);
  });

  test('so does every check but those of the transcript, which is the other one’s, for the federation that ended', async () => {
    expect(await broken(predecessor(), ['06', '08', '09', '18'])).toEqual([]);
  });

  test('the note says what was carried over, and what has ended', async () => {
    const noteOf = async (history: History) => {
      const checks = CHECKS.filter(({ id }) => id === '18');
      return (await verify(await evidenceOf({ history, files: honest.files }), undefined, checks)).checks[0]?.note;
    };
    const { federation } = predecessor().deployment;
    expect(await noteOf(honest.history)).toBe(
      `deployment 2 of its line, 1 models and 0 forced withdrawals carried over; not audited here: ${federation}; code of ${federation}: of this version`,
    );
    expect(await noteOf(predecessor())).toMatch(/^the first of its line; 0x\w{40} has carried it on since block \d+$/);
  });
});

describe('an endpoint that keeps something of the predecessor back', () => {
  test.each(['Published', 'SetFinalised', 'RoundOpened'] as const)('%s of the last round', async (name) => {
    const last = predecessor().events.findLast((event) => event.name === name);
    const events = predecessor().events.filter((event) => event !== last);
    expect((await broken(withEarlier(events), ['03']))[0]).toMatch(/rounds(:|, number 2)/);
  });
});

describe('the code of the one before', () => {
  const lineage = CHECKS.filter(({ id }) => id === '18');
  async function judge(change: (code: DeployedCode) => Partial<DeployedCode>, accepted?: readonly Hex[]) {
    const before = predecessor();
    const { deployment } = before;
    const other = { ...deployment, code: { ...deployment.code, ...change(deployment.code) } };
    const history = { ...honest.history, predecessor: { ...before, deployment: other } };
    const evidence = await evidenceOf({ history, files: honest.files });
    const brought = accepted === undefined ? {} : { predecessorCode: accepted };
    const [report] = (await verify({ ...evidence, ...brought }, undefined, lineage)).checks;
    return { verdict: report?.verdict, said: JSON.stringify(report), hash: codeHashOf(other) };
  }
  const oneByteMore = ({ registry }: DeployedCode) => ({ registry: `${registry}00` as Hex });

  test('of this version is told as such', async () => {
    expect(await judge(() => ({}))).toMatchObject({
      verdict: 'pass',
      said: expect.stringContaining('of this version'),
    });
  });

  test.each(['federation', 'registry', 'ledger', 'verifier'] as const)(
    'another %s is no pass before the auditor accepts it, by the hash that the check names',
    async (contract) => {
      const changed = (code: DeployedCode) => ({ [contract]: `${code[contract].slice(0, -2)}ff` });
      const { verdict, said, hash } = await judge(changed);
      expect(verdict).toBe('inconclusive');
      expect(said).toContain(`--predecessor-code ${hash}`);
      expect((await judge(changed, [toHex(new Uint8Array(32)), hash])).verdict).toBe('pass');
    },
  );

  test('an accepted hash is of all four contracts, and of no other code', async () => {
    const { hash } = await judge(() => ({}));
    expect((await judge(oneByteMore, [hash])).verdict).toBe('inconclusive');
    const swapped = ({ registry, ledger }: DeployedCode) => ({ registry: ledger, ledger: registry });
    expect((await judge(swapped)).hash).not.toBe(hash);
  });
});

describe('what the one before answers', () => {
  test.each([
    ['another coordinator', (standing: Standing) => ({ ...standing, coordinator: stranger }), /coordinator/],
    [
      'a round more',
      (standing: Standing) => ({ ...standing, rounds: [...standing.rounds, ...standing.rounds.slice(-1)] }),
      /rounds/,
    ],
    ['that it is not paused', (standing: Standing) => ({ ...standing, paused: false }), /paused/],
    ['nothing', () => undefined, /they were not asked/],
  ] as const)('%s: its events are held against it', async (_, change, said) => {
    const { standing, ...before } = predecessor();
    if (standing === undefined) throw new Error('no answers');
    const changed = change(standing);
    const history = { ...honest.history, predecessor: { ...before, ...(changed && { standing: changed }) } };
    const [report] = (
      await verify(
        await evidenceOf({ history, files: honest.files }),
        undefined,
        CHECKS.filter(({ id }) => id === '18'),
      )
    ).checks;
    expect(report?.verdict).not.toBe('pass');
    expect(JSON.stringify(report?.failures)).toMatch(said);
  });
});

describe('who names whom', () => {
  test('a predecessor whose successor was named by another contract', async () => {
    const events = predecessor().events.map((event) =>
      event.name === 'SuccessorNamed' ? { ...event, at: { ...event.at, contract: stranger } } : event,
    );
    expect((await broken(withEarlier(events), ['18']))[0]).toMatch(/events of its own contracts/);
  });

  test('a predecessor that named nobody', async () => {
    const events = predecessor().events.filter(({ name }) => name !== 'SuccessorNamed' && name !== 'Paused');
    expect((await broken(withEarlier(events), ['18']))[0]).toMatch(/successor.*had been named/);
  });

  test('a predecessor that named another', async () => {
    const events = predecessor().events.map((event) =>
      event.name === 'SuccessorNamed' ? { ...event, successor: stranger } : event,
    );
    expect((await broken(withEarlier(events), ['18']))[0]).toMatch(/: successor/);
  });

  test('a predecessor that cannot be read is no pass', async () => {
    const { predecessor: _, ...alone } = honest.history;
    expect((await broken(alone, ['18']))[0]).toMatch(/undecided: .*predecessor/);
  });

  test('two successors', async () => {
    const { events } = predecessor();
    const last = eventsOf(events, 'SuccessorNamed');
    const again = last.map((event) => ({ ...event, successor: stranger }));
    expect((await broken(withEarlier([...events, ...again]), ['18']))[0]).toMatch(/successors named/);
  });

  test('a federation that goes on after its end, or before its beginning', async () => {
    const { events } = predecessor();
    const anchors = eventsOf(events, 'Anchored').slice(-1);
    expect((await broken(withEarlier([...events, ...anchors]), ['18']))[0]).toMatch(/Anchored .* had a successor/);
    const early = changed('Anchored', ({ at }, i) => (i === 0 ? { at: { ...at, block: 1 } } : {}));
    expect((await broken(early, ['18']))[0]).toMatch(/Anchored .* had been named/);
  });
});

describe('what is carried on', () => {
  test.each([
    ['an epoch that begins anew', { epoch: 1 }, /number/],
    ['a log cut short', { operationCount: 1 }, /the log goes on/],
  ])('%s', async (_what, change, said) => {
    const history = changed('Anchored', (_event, i) => (i === 0 ? change : {}));
    expect((await broken(history, ['18']))[0]).toMatch(said);
  });

  test('a log of the same length with another head', async () => {
    const history = changed('Anchored', ({ logHead }, i) =>
      i === 0 ? { logHead: toHex(new Uint8Array(32).fill(7)) } : { logHead },
    );
    expect((await broken(history, ['18']))[0]).toMatch(/the log goes on/);
  });

  test('a transcript without the epochs before cannot show what the new roots are made of', async () => {
    const raw = { history: honest.history, files: new Map(honest.files) };
    const first = Math.min(...eventsOf(honest.history.events, 'Anchored').map(({ epoch }) => epoch));
    rewriteTranscript(raw, (bodies) => bodies.filter((body) => body.type !== 'consent' || body.epoch >= first));
    expect(await broken(raw.history, ['05'], raw.files)).toHaveLength(1);
  });

  test('a round that begins with the first model again, and one that is numbered anew', async () => {
    const [first] = eventsOf(predecessor().events, 'RoundOpened');
    const again = changed('RoundOpened', () => ({ baseModelHash: first?.baseModelHash ?? '0x' }));
    expect((await broken(again, ['16']))[0]).toMatch(/base model/);
    const anew = changed('RoundOpened', () => ({ round: 1 }));
    expect((await broken(anew, ['10']))[0]).toMatch(/number of the round/);
  });

  test('a commit of a dealer whose forced withdrawal stands over from before', async () => {
    const { events } = predecessor();
    const [commit] = eventsOf(honest.history.events, 'Committed');
    const [anchor] = eventsOf(events, 'Anchored');
    if (commit === undefined || anchor === undefined) throw new Error('no commit');
    const subject = toHex(new Uint8Array(32).fill(9));
    const forced = { name: 'ForcedWithdrawal' as const, dealer: commit.dealer, subject, seq: 2, at: anchor.at };
    const at = events.findIndex(({ name }) => name === 'Paused');
    const said = await broken(withEarlier([...events.slice(0, at), forced, ...events.slice(at)]), ['08', '09']);
    expect(said).toHaveLength(2);
    for (const line of said) expect(line).toMatch(/forced withdrawal/);
  });
});
