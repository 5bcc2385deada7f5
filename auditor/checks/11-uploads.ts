// 11: what each dealer of a set sent is what it committed to on chain: signed by it, well-formed, used once, and dealt soundly.
import type { Hex } from '../../protocol/bytes.ts';
import { SEALED_SHARE_BYTES, sharesRoot } from '../../protocol/secagg/shares.ts';
import { type Evidence, entriesOf, type Located, signerOf } from '../evidence.ts';
import { type EventOf, eventsOf, holdersAtOpening } from '../history.ts';
import { replay } from '../replay.ts';
import { forEachBlock, openings, roundsGivenUp } from '../rounds.ts';
import { readTasks, type TaskFacts } from '../tasks.ts';
import { type Check, createTally, type Tally } from './check.ts';
import { checkVouches } from './vouches.ts';

type Upload = Located<'upload'>;

export const uploadsCheck: Check = {
  id: '11',
  title:
    'Every upload in a set is the one its dealer committed to, well-formed, used once, and vouched for by key-holders',
  promises: ['P1', 'P2', 'P7'],
  meaning:
    'What was added up is what each dealer sealed and signed itself, used once only, and key-holders found its key soundly shared: nobody’s data was counted twice or copied from another.',
  cannot:
    'What is inside a sealed upload: it stays sealed, so a dealer may have trained badly or on made-up records. A key-holder’s word about its share is signed, and not proven.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    const uploads = entriesOf(evidence.bundle, 'upload');
    const opened = openings(evidence);
    const taskOf = (round: number) => tasks?.of(opened.get(round));
    for (const upload of uploads) await checkUpload(evidence, upload, taskOf(upload.body.round), tally);
    checkSets(evidence, uploads, tally);
    const copies = checkUsedOnce(evidence, uploads, tally);
    const notes = await checkVouches(evidence, taskOf, tally);
    return tally.result([`${uploads.length} uploads`, ...copies, ...notes].join('; '));
  },
};

const nameOf = ({ body }: Upload): string => `round ${body.round}, upload of ${body.dealer}, attempt ${body.attempt}`;

async function checkUpload(
  evidence: Evidence,
  upload: Upload,
  facts: TaskFacts | undefined,
  tally: Tally,
): Promise<void> {
  const { body } = upload;
  const what = nameOf(upload);
  const signed = {
    dealer: body.dealer,
    round: body.round,
    attempt: body.attempt,
    payloadHash: body.payload,
    sharesRoot: sharesRoot(body.sealedShares),
  };
  tally.same(`${what}: signed by`, signerOf(evidence, 'Upload', signed, body.signature), body.dealer);
  if (facts === undefined) tally.unsure(`${what}: payload`, 'no task to tell its size');
  else
    await tally.attempt(`${what}: payload`, () => forEachBlock(evidence, body.payload, facts.blocks, () => undefined));
  for (const [i, hash] of body.sealedShares.entries()) {
    await tally.attempt(`${what}: sealed share ${i + 1}`, async () => {
      const bytes = await evidence.bundle.blob(hash);
      tally.same(`${what}: bytes of sealed share ${i + 1}`, bytes.length, SEALED_SHARE_BYTES);
    });
  }
}

/** Every member of every set has the upload in the transcript that its last commit before the set names. */
function checkSets(evidence: Evidence, uploads: readonly Upload[], tally: Tally): void {
  const { history } = evidence;
  const abandoned = roundsGivenUp(evidence);
  replay(history.events, (event, before) => {
    // a dealer that commits anew at the last moment and uploads nothing has the round given up
    if (event.name !== 'SetFinalised' || abandoned.has(event.round)) return;
    for (const dealer of event.dealers) {
      const commit = before.rounds.get(event.round)?.commits.get(dealer);
      const holders = holdersAtOpening(history, event.round).size;
      if (commit !== undefined) checkMember(commit, holders, uploads, tally);
    }
  });
}

function checkMember(commit: EventOf<'Committed'>, holders: number, uploads: readonly Upload[], tally: Tally): void {
  const { round, dealer, attempt } = commit;
  const own = uploads.filter(({ body }) => body.round === round && body.dealer === dealer && body.attempt === attempt);
  tally.same(`round ${round}: uploads of ${dealer}, attempt ${attempt}, in the transcript`, own.length, 1);
  for (const upload of own) {
    const what = nameOf(upload);
    tally.same(`${what}: payload hash, against the commit`, upload.body.payload, commit.payloadHash);
    tally.same(`${what}: shares root, against the commit`, sharesRoot(upload.body.sealedShares), commit.sharesRoot);
    tally.same(`${what}: one sealed share per key-holder`, upload.body.sealedShares.length, holders);
  }
}

/**
 * A ciphertext that counts twice is somebody's data counted twice, or a copy of somebody else's. Of the commits only those count
 * that stand for members of a set: anybody may write anybody's hash into another.
 * @returns the commits to somebody's payload that count for nothing
 */
function checkUsedOnce(evidence: Evidence, uploads: readonly Upload[], tally: Tally): string[] {
  const { events } = evidence.history;
  const taken = new Map<Hex, string>();
  const isNew = (name: string, payload: Hex): void => {
    tally.holds(`${name}: payload is new`, !taken.has(payload), { got: `also of ${taken.get(payload)}` });
    taken.set(payload, name);
  };
  for (const upload of uploads) isNew(nameOf(upload), upload.body.payload);
  taken.clear();
  const members = standingForMembers(evidence);
  for (const commit of members) isNew(commitName(commit), commit.payloadHash);
  const commits = eventsOf(events, 'Committed');
  const times = new Map<Hex, number>();
  for (const { payloadHash } of commits) times.set(payloadHash, (times.get(payloadHash) ?? 0) + 1);
  return commits
    .filter((commit) => !members.has(commit) && (times.get(commit.payloadHash) ?? 0) > 1)
    .map((commit) => `${commitName(commit)}: names a payload that another commit names too, and counts for nothing`);
}

const commitName = ({ round, dealer, attempt }: EventOf<'Committed'>): string =>
  `round ${round}, commit of ${dealer}, attempt ${attempt}`;

/** What sums were made of: the commits that stood when a set was fixed, unless its round came to nothing. */
function standingForMembers(evidence: Evidence): ReadonlySet<EventOf<'Committed'>> {
  const abandoned = roundsGivenUp(evidence);
  const members = new Set<EventOf<'Committed'>>();
  replay(evidence.history.events, (event, { rounds }) => {
    if (event.name !== 'SetFinalised' || abandoned.has(event.round)) return;
    for (const dealer of event.dealers) {
      const commit = rounds.get(event.round)?.commits.get(dealer);
      if (commit !== undefined) members.add(commit);
    }
  });
  return members;
}
