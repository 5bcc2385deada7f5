// Published rounds as a dealer finds them: a synthetic history as the chain tells it, the files of its bundle, and a checker whose
// every download and journal row can be watched, changed or stopped.
import { createBaseChecker } from '../../edge-node/train/check-base.ts';
import { type BeginSum, publishedOpenerOf } from '../../edge-node/train/open-published.ts';
import { createPublishedFiles } from '../../edge-node/train/published-files.ts';
import type { LineLedger } from '../../edge-node/train/published-line.ts';
import { setHashOf } from '../../engines/chain/round-ledger.ts';
import { createSimdOpener } from '../../engines/ring/open-simd.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import type { Store } from '../../engines/store/store.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { decodeModel, encodeModel, initialModel, type Model, modelHash } from '../../protocol/learning/model.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { blobPathOf } from '../../protocol/transcript/bundle.ts';
import {
  blobOf,
  bodiesOf,
  bodyOf,
  changeBodies,
  changeEvents,
  putBlob,
  type RawEvidence,
} from '../helpers/audit/raw-evidence.ts';
import { contract, task, taskText } from '../helpers/audit/small-task.ts';
import { roundsWithoutConsent } from '../helpers/audit/synthetic-federation.ts';
import { SILENT } from './coordinator-world.ts';
import { KERNEL, memoryStore } from './secagg-fixtures.ts';

const eventsOf = <N extends RawEvidence['history']['events'][number]['name']>({ history }: RawEvidence, name: N) =>
  history.events.flatMap((event) => (event.name === name ? [event as Extract<typeof event, { name: N }>] : []));

/** @param roundsBefore the last round of the deployment before this one */
function ledgerOf(raw: RawEvidence, roundsBefore = 0): LineLedger {
  return {
    roundsBefore: async () => roundsBefore,
    lastModelOf: async (taskHash) =>
      eventsOf(raw, 'Published')
        .filter((event) => eventsOf(raw, 'RoundOpened').some((o) => o.round === event.round && o.taskHash === taskHash))
        .at(-1)?.modelHash,
    async attestationOf(taskHash) {
      const ofTask = eventsOf(raw, 'RoundOpened').filter((o) => o.taskHash === taskHash);
      const last = eventsOf(raw, 'Published').findLast(({ round }) => ofTask.some((o) => o.round === round));
      return last && { ...last, attestedAt: 0 };
    },
    async roundOf(round) {
      const opened = eventsOf(raw, 'RoundOpened').find((event) => event.round === round);
      if (opened === undefined) return undefined;
      const modelHash = eventsOf(raw, 'Published').find((event) => event.round === round)?.modelHash;
      const failed = eventsOf(raw, 'RoundFailed').some((event) => event.round === round);
      const { taskHash, requirementKey, baseModelHash, seed, deadline, epsilonAfterMilli, keysHash } = opened;
      const told = { taskHash, requirementKey, baseModelHash, seed, deadline, epsilonAfterMilli, keysHash };
      const status = failed ? 'failed' : modelHash === undefined ? 'open' : 'published';
      return { ...told, status, openedAtBlock: opened.at.block, setHash: undefined, setSize: 0, modelHash };
    },
    async setOf(round) {
      const dealers = eventsOf(raw, 'SetFinalised').find((event) => event.round === round)?.dealers;
      return dealers && { dealers, setHash: setHashOf(round, dealers) };
    },
    commitOf: async (round, dealer) =>
      eventsOf(raw, 'Committed').find((event) => event.round === round && event.dealer === dealer),
  };
}

export const modelOf = (raw: RawEvidence, round: number): Hex =>
  eventsOf(raw, 'Published').find((event) => event.round === round)?.modelHash ?? '0x';

export interface Watched {
  /** Hashes of blobs, in the order in which they were asked for. */
  readonly asked: Hex[];
  /** The most that any of them might have been. */
  readonly allowedBytes: number[];
}

export interface CheckerOptions {
  readonly store?: Pick<Store, 'get' | 'write'>;
  readonly roundsBefore?: number;
  readonly watched?: Watched;
  readonly clock?: Pick<Clock, 'nowMs'>;
  readonly log?: Log;
}

let engine: Promise<BeginSum> | undefined;
async function startEngine(): Promise<BeginSum> {
  return publishedOpenerOf(await createSimdRing(KERNEL), await createSimdOpener(KERNEL));
}

export async function checkerOf(raw: RawEvidence, task: Task, options: CheckerOptions = {}) {
  const { store = memoryStore(), roundsBefore, watched, clock = { nowMs: () => 0 }, log = SILENT } = options;
  const readBlob = async (hash: Hex, maxBytes?: number) => {
    watched?.asked.push(hash);
    watched?.allowedBytes.push(maxBytes ?? Number.POSITIVE_INFINITY);
    const bytes = raw.files.get(blobPathOf(hash));
    if (bytes === undefined) throw new ConcordatError('NOT_FOUND', `no blob ${hash}`);
    return bytes;
  };
  const readOpened = async (round: number) => {
    const body = bodiesOf(raw).find((entry) => entry.type === 'opened' && entry.round === round);
    if (body === undefined) throw new ConcordatError('NOT_FOUND', `no sum of round ${round} was opened`);
    return body;
  };
  engine ??= startEngine();
  return createBaseChecker({
    ...{ task, contract, store, readBlob, clock, log },
    ledger: ledgerOf(raw, roundsBefore),
    files: createPublishedFiles(readOpened, readBlob),
    beginSum: await engine,
  });
}

/** Of a history that is forged below: the last one, and the one that would come. */
export const ROUNDS = 3;
export const NEXT = ROUNDS + 1;
/** Who are in each. */
export const DEALERS = 4;

export const honestRounds = (): Promise<RawEvidence> => roundsWithoutConsent(task, taskText, ROUNDS);

export const initialHash = modelHash(encodeModel(initialModel(task, contract)));

export const watch = (): Watched => ({ asked: [], allowedBytes: [] });
export const payloadsAmong = ({ asked }: Watched, raw: RawEvidence): number =>
  asked.filter((hash) => payloadsOf(raw).includes(hash)).length;

export const published = (raw: RawEvidence, round = ROUNDS): Model => decodeModel(blobOf(raw, modelOf(raw, round)));

/** The last round publishes another model file. */
export function publish(raw: RawEvidence, model: Model): RawEvidence {
  const hash = putBlob(raw, new Uint8Array(encodeModel(model)));
  changeEvents(raw, 'Published', (event) => (event.round === ROUNDS ? { modelHash: hash } : {}));
  return raw;
}

/** The next float32 away from zero. */
export function nudged(weights: Float32Array, at: number): Float32Array {
  const copy = weights.slice();
  const bits = new Uint32Array(copy.buffer);
  bits[at] = (bits[at] ?? 0) + 1;
  return copy;
}

/** Of the last round. */
export function changeKey(raw: RawEvidence, change: (bytes: Uint8Array) => Uint8Array): void {
  const keySum = putBlob(raw, change(blobOf(raw, bodyOf(raw, 'opened', ROUNDS).keySum)));
  changeBodies(raw, 'opened', ({ round }) => (round === ROUNDS ? { keySum } : {}));
}

export const payloadsOf = (raw: RawEvidence): Hex[] =>
  raw.history.events.flatMap((event) => (event.name === 'Committed' ? [event.payloadHash] : []));
