// The rounds whose sum was opened, with what chain and transcript say of each; what checks 12 to 15 walk over.
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { createPayloadParser } from '../protocol/secagg/payload.ts';
import { type BodyOf, type BodyType, type Evidence, entriesOf } from './evidence.ts';
import { type EventOf, eventsOf } from './history.ts';
import { replay } from './replay.ts';

export interface Member {
  readonly dealer: Hex;
  readonly payload: Hex;
  readonly weight: number;
}

export interface AuditedRound {
  readonly round: number;
  readonly opened: EventOf<'RoundOpened'> | undefined;
  /** The finalised set, in its order, each with the commit that stood when it was fixed. */
  readonly members: readonly Member[];
  readonly finalised: EventOf<'SetFinalised'> | undefined;
  readonly published: EventOf<'Published'> | undefined;
}

/** Ascending: every published round, and every round of which the transcript has an entry of one of the given kinds. */
export function roundsWith(evidence: Evidence, ...types: readonly BodyType[]): AuditedRound[] {
  const members = new Map<number, Member[]>();
  const final = replay(evidence.history.events, (event, before) => {
    if (event.name !== 'SetFinalised' || members.has(event.round)) return;
    const commits = before.rounds.get(event.round)?.commits;
    members.set(
      event.round,
      event.dealers.flatMap((dealer) => {
        const commit = commits?.get(dealer);
        return commit === undefined ? [] : [{ dealer, payload: commit.payloadHash, weight: commit.weight }];
      }),
    );
  });
  const published = [...final.rounds].filter(([, state]) => state.published !== undefined).map(([round]) => round);
  const written = types
    .flatMap((type) => entriesOf(evidence.bundle, type))
    .map(({ body }) => ('round' in body ? body.round : 0));
  return [...new Set([...published, ...written])]
    .sort((a, b) => a - b)
    .map((round) => {
      const state = final.rounds.get(round);
      return {
        round,
        opened: state?.opened,
        members: members.get(round) ?? [],
        finalised: state?.finalised,
        published: state?.published,
      };
    });
}

/** How each round was opened; a second opening of the same number is check 10's to report. */
export function openings({ history }: Evidence): ReadonlyMap<number, EventOf<'RoundOpened'>> {
  const opened = eventsOf(history.events, 'RoundOpened');
  return new Map(opened.reverse().map((event) => [event.round, event]));
}

/** Failed on chain, and their sum was never opened: what was wrong with their sets has come to nothing. */
export function roundsGivenUp({ bundle, history }: Evidence): ReadonlySet<number> {
  const opened = new Set(entriesOf(bundle, 'opened').map(({ body }) => body.round));
  const failed = eventsOf(history.events, 'RoundFailed').map(({ round }) => round);
  return new Set(failed.filter((round) => !opened.has(round)));
}

/** The one entry of a kind about a round. @throws ConcordatError NOT_FOUND, CONFLICT when there are several */
export function theEntry<T extends BodyType>(evidence: Evidence, type: T, round: number): BodyOf<T> {
  const found = entriesOf(evidence.bundle, type).filter(({ body }) => 'round' in body && body.round === round);
  const [only] = found;
  if (only === undefined)
    throw new ConcordatError('NOT_FOUND', `the transcript has no ${type} entry of round ${round}`);
  if (found.length > 1) throw new ConcordatError('CONFLICT', `${found.length} ${type} entries of round ${round}`);
  return only.body;
}

/**
 * A payload of the bundle, block by block: never unpacked as a whole, however large the model.
 * @param visit gets the residues of block `index`; the array is used again for the next
 * @throws ConcordatError PAYLOAD_MALFORMED, NOT_FOUND, ARTIFACT_CORRUPT
 */
export async function forEachBlock(
  evidence: Evidence,
  hash: Hex,
  blocks: number,
  visit: (index: number, residues: Uint32Array) => void,
): Promise<void> {
  const parser = createPayloadParser(blocks, (index, _, residues) => visit(index, residues));
  parser.push(await evidence.bundle.blob(hash));
  parser.end();
}

/** @throws ConcordatError MESSAGE_MALFORMED when the bytes are not `count` words */
export function wordsOf(bytes: Uint8Array, count: number): DataView {
  if (bytes.length !== 4 * count) {
    throw new ConcordatError('MESSAGE_MALFORMED', `${bytes.length} bytes, not ${count} words of 4`);
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
