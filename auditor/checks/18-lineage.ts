// 18: a federation that carries on another was named by it, ended it, and goes on with its logs: one deployment at a time.
import type { Hex } from '../../protocol/bytes.ts';
import { parseVerificationKey } from '../../protocol/proof/verification-key.ts';
import { codeHashOf, isOfThisVersion } from '../deployed-code.ts';
import type { Evidence } from '../evidence.ts';
import { genesisBody, textBlob } from '../genesis.ts';
import {
  type ChainEvent,
  type EventName,
  type EventOf,
  eventsOf,
  type History,
  homeOf,
  placeName,
} from '../history.ts';
import { lineOf } from '../lineage.ts';
import { carriedOn, replay } from '../replay.ts';
import { checkStanding } from '../standing.ts';
import { type Check, createTally, type Tally } from './check.ts';

/** What only the deployment in force does: until it is named, and once it has named another, there is none of it. */
const OF_THE_ONE_IN_FORCE: ReadonlySet<EventName> = new Set([
  'Anchored',
  'ForcedWithdrawal',
  'ForcedWithdrawalAcknowledged',
  'SelectionAdmitted',
  'RoundOpened',
  'Committed',
  'SetFinalised',
  'Published',
]);

export const lineageCheck: Check = {
  id: '18',
  title: 'One deployment of the line at a time, each named by the one before and carrying on its logs',
  promises: ['P3', 'P7'],
  meaning:
    'When contracts were replaced, the old ones ended and named the new, and consent records and models went on where they were: no second history runs beside this one. What the old ones answer is what their events come to, and their code is this version’s, or code that the auditor accepted.',
  cannot: 'What an earlier deployment did, beyond what is carried over: it takes an audit of its own.',
  async run(evidence) {
    const { history } = evidence;
    const tally = createTally();
    const line = lineOf(history);
    const earlier = line.slice(0, -1);
    for (const deployment of earlier) checkStanding(deployment, tally, `${deployment.deployment.federation}: `);
    const code = await checkEarlierCode(earlier, evidence, tally);
    for (const [i, deployment] of line.entries()) {
      if (deployment.events.length === 0) continue;
      checkHomes(deployment, tally);
      checkNames(deployment, line[i - 1], tally);
      checkEnd(deployment, tally);
      checkBeginning(deployment, line[i - 1], tally);
    }
    checkLogs(line, tally);
    return tally.result([noteOf(history, line), ...code].join('; '));
  },
};

/** Of a predecessor, too, each event is that of the contract it belongs to: any contract can emit one of any name. */
function checkHomes({ events, deployment }: History, tally: Tally): void {
  const strays = events.filter(({ name, at }) => at.contract !== homeOf(name, deployment));
  tally.holds(`${deployment.federation}: events of its own contracts`, strays.length === 0, {
    got: strays.map(({ name, at }) => `${name} at ${placeName(at)} by ${at.contract}`).join(', '),
  });
}

/** Two that name each other, on one chain, and each of them once. */
function checkNames({ events, deployment }: History, predecessor: History | undefined, tally: Tally): void {
  const { federation } = deployment;
  const predecessors = eventsOf(events, 'PredecessorNamed');
  tally.holds(`${federation}: predecessors named`, predecessors.length <= 1, { got: predecessors.length });
  const named = eventsOf(events, 'SuccessorNamed');
  tally.holds(`${federation}: successors named`, named.length <= 1, { got: named.length });
  const [{ predecessor: said } = { predecessor: undefined }] = predecessors;
  if (said !== undefined && predecessor === undefined)
    tally.unsure(`${federation}: predecessor`, `${said} cannot be read`);
  if (predecessor === undefined) return;
  const { chainId, federation: before } = predecessor.deployment;
  tally.same(`${federation}: chain of its predecessor`, chainId, deployment.chainId);
  tally.same(`${federation}: predecessor`, said, before);
  const [heir] = eventsOf(predecessor.events, 'SuccessorNamed');
  tally.same(`${before}: successor`, heir?.successor, federation);
}

/** Once it has a successor. A withdrawal, too, is the successor's to take: no log may go on in two places. */
function checkEnd({ events, deployment }: History, tally: Tally): void {
  const end = events.findIndex(({ name }) => name === 'SuccessorNamed');
  if (end === -1) return;
  const after = events.slice(end + 1).filter(({ name }) => OF_THE_ONE_IN_FORCE.has(name) || name === 'Unpaused');
  for (const { name, at } of after)
    tally.fails(`${name} at ${placeName(at)}: ${deployment.federation} had a successor`);
  const { paused } = replay(events.slice(0, end + 1));
  tally.holds(`${deployment.federation}: paused for ever`, paused);
}

/** Not before its predecessor has named it. */
function checkBeginning({ events, deployment }: History, predecessor: History | undefined, tally: Tally): void {
  if (predecessor === undefined) return;
  const named = eventsOf(predecessor.events, 'SuccessorNamed').find(
    ({ successor }) => successor === deployment.federation,
  );
  const first = events.find(({ name }) => OF_THE_ONE_IN_FORCE.has(name));
  if (first === undefined) return;
  const what = `${first.name} at ${placeName(first.at)}: ${deployment.federation} had been named`;
  tally.holds(what, named !== undefined && isBefore(named, first));
}

/** A dealer's epochs, the length of its log and its head, over all deployments. */
function checkLogs(line: readonly History[], tally: Tally): void {
  const last = new Map<Hex, EventOf<'Anchored'>>();
  for (const { events } of line) {
    const own = new Set<Hex>();
    for (const event of eventsOf(events, 'Anchored')) {
      const { dealer, epoch } = event;
      const before = last.get(dealer);
      last.set(dealer, event);
      // within one deployment it is check 05's to report
      if (own.has(dealer) || before === undefined) {
        own.add(dealer);
        continue;
      }
      own.add(dealer);
      const what = `${dealer}, epoch ${epoch}, its first under another deployment`;
      tally.same(`${what}: number`, epoch, before.epoch + 1);
      const grows = event.operationCount > before.operationCount;
      const same = event.operationCount === before.operationCount && event.logHead === before.logHead;
      tally.holds(`${what}: the log goes on`, grows || same, {
        expected: `${before.operationCount} operations or more, after ${before.logHead}`,
        got: `${event.operationCount}, ${event.logHead}`,
      });
    }
  }
}

/**
 * What an earlier deployment did hangs on its code, whose sources an audit of a later version does not have.
 * @returns for the note
 */
async function checkEarlierCode(earlier: readonly History[], evidence: Evidence, tally: Tally): Promise<string[]> {
  if (earlier.length === 0) return [];
  const compiled = await tally.needs('the contracts compile', async () => {
    const text = await textBlob(evidence, genesisBody(evidence).verificationKey);
    return evidence.engines.compileContracts(parseVerificationKey(JSON.parse(text)));
  });
  return earlier.map((history) => {
    const { federation } = history.deployment;
    const what = `${federation}: its code is of this version, or accepted by the auditor`;
    const hash = codeHashOf(history.deployment);
    const accepted = evidence.predecessorCode?.includes(hash) === true;
    if (accepted || (compiled !== undefined && isOfThisVersion(history, compiled))) {
      tally.holds(what, true);
      return `code of ${federation}: ${accepted ? `${hash}, which you accept` : 'of this version'}`;
    }
    tally.unsure(what, `another version, or another key: give --predecessor-code ${hash} if you accept that code`);
    return `code of ${federation}: ${hash}, which was compared with nothing`;
  });
}

const isBefore = ({ at: a }: ChainEvent, { at: b }: ChainEvent): boolean =>
  a.block < b.block || (a.block === b.block && a.logIndex < b.logIndex);

function noteOf(history: History, line: readonly History[]): string {
  const [end] = eventsOf(history.events, 'SuccessorNamed');
  const ended = end === undefined ? '' : `; ${end.successor} has carried it on since block ${end.at.block}`;
  if (line.length === 1) return `the first of its line${ended}`;
  const { models, forced } = carriedOn(history);
  const carried = `${models.size} models and ${forced.size} forced withdrawals carried over`;
  const before = line.slice(0, -1).map(({ deployment }) => deployment.federation);
  return `deployment ${line.length} of its line, ${carried}; not audited here: ${before.join(', ')}${ended}`;
}
