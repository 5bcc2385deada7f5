// Seeds of attempts: drawn fresh, on disk before their first use, kept for replays as long as the dealer says, then erased.
import { randomFillSync } from 'node:crypto';
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type AttemptRandom, createAttemptRandom } from '../../engines/keys/attempt-random.ts';
import type { Clock } from '../../kit/clock.ts';
import { eraseFile, syncFolder, writeFileAtomic } from '../../kit/files.ts';
import type { Log } from '../../kit/log.ts';
import { fromHex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import { stageTracesSchema } from '../../protocol/messages/replay-package.ts';
import { LIMITS } from '../../protocol/params.ts';
import {
  ATTEMPT_SEED_BYTES,
  attemptContext,
  type SealContext,
  type StageTraces,
} from '../../protocol/secagg/attempt.ts';

/** What a replay needs beside the seed, the records and what chain and coordinator have. */
export interface AttemptTrace {
  /** The dealer's own state before the round, as its file; absent for a strategy without memory. */
  readonly dealerState?: Uint8Array;
  readonly stages: StageTraces;
}

export interface KeptAttempt {
  readonly seed: Uint8Array;
  readonly trace: AttemptTrace;
}

export interface AttemptSeeds {
  /**
   * A fresh seed, never one from disk: so no crash can bring two messages under one. On disk, name and all, when it resolves,
   * unless none are kept. @throws ConcordatError KEY_REUSED when the attempt has a seed already
   */
  draw(context: SealContext): Promise<AttemptRandom>;
  /** The highest attempt of the round that a seed is kept of; 0 for none. It may have been begun and no more. */
  lastAttempt(round: number): Promise<number>;
  /** The last one with anything kept of it. */
  lastRoundBefore(round: number): Promise<number | undefined>;
  writeTrace(context: SealContext, trace: AttemptTrace): Promise<void>;
  /**
   * For a replay. undefined when it was never kept, is erased, or the attempt was never finished.
   * @throws ConcordatError STATE_CORRUPT when it is of another context
   */
  recall(context: SealContext): Promise<KeptAttempt | undefined>;
  /** What can never be asked for again goes now: all attempts of the round but the one that is, or may be, on chain. */
  keepOnly(round: number, attempt: number): Promise<void>;
  /** Those past their days. */
  eraseExpired(): Promise<void>;
}

export interface AttemptSeedParts {
  readonly directory: string;
  /** 0: nothing is kept, and no round can be replayed. */
  readonly replayDays: number;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const DAY_SECONDS = 86_400;
const NAME = /^(\d+)-(\d+)-(\d+)\.(seed|trace)$/;
const MAX_TRACE_BYTES = 4 * 8 * LIMITS.maxModelParameters + 65_536;

const bytes = z.instanceof(Uint8Array);
const traceSchema = z.strictObject({
  v: z.literal(1),
  context: hashField,
  dealerState: bytes.optional(),
  stages: stageTracesSchema,
});

interface KeptFile {
  readonly name: string;
  readonly round: number;
  readonly attempt: number;
  readonly drawnAtSeconds: number;
}

/** Takes over the folder: what a kill left half-written is erased. */
export async function openAttemptSeeds({ directory, replayDays, clock }: AttemptSeedParts): Promise<AttemptSeeds> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const nowSeconds = () => Math.floor(clock.nowMs() / 1_000);

  async function kept(): Promise<KeptFile[]> {
    return (await readdir(directory)).flatMap((name) => {
      const [, round, attempt, seconds] = NAME.exec(name) ?? [];
      if (seconds === undefined) return [];
      return [{ name, round: Number(round), attempt: Number(attempt), drawnAtSeconds: Number(seconds) }];
    });
  }

  async function erase(which: (file: KeptFile) => boolean): Promise<void> {
    for (const file of (await kept()).filter(which)) await eraseFile(join(directory, file.name));
  }

  async function find({ round, attempt }: SealContext, kind: 'seed' | 'trace'): Promise<string | undefined> {
    const found = (await kept()).find((file) => {
      return file.round === round && file.attempt === attempt && file.name.endsWith(kind);
    });
    return found && join(directory, found.name);
  }

  for (const name of await readdir(directory)) if (!NAME.test(name)) await eraseFile(join(directory, name));

  return {
    async draw(context) {
      const { round, attempt } = context;
      if ((await find(context, 'seed')) !== undefined) {
        throw new ConcordatError('KEY_REUSED', `attempt ${attempt} of round ${round} has a seed already`);
      }
      const seed = randomFillSync(new Uint8Array(ATTEMPT_SEED_BYTES));
      if (replayDays > 0) {
        await createFile(join(directory, `${round}-${attempt}-${nowSeconds()}.seed`), contextBytes(context), seed);
        await syncFolder(directory);
      }
      return createAttemptRandom(seed, attemptContext(context));
    },
    async lastAttempt(round) {
      return Math.max(0, ...(await kept()).filter((file) => file.round === round).map(({ attempt }) => attempt));
    },
    async lastRoundBefore(round) {
      const before = (await kept()).map((file) => file.round).filter((other) => other < round);
      return before.length === 0 ? undefined : Math.max(...before);
    },
    async writeTrace(context, trace) {
      const seedFile = await find(context, 'seed');
      if (seedFile === undefined) return; // none is kept
      const value = encodeCbor({ v: 1, context: attemptContext(context), ...trace });
      await writeFileAtomic(seedFile.replace(/seed$/, 'trace'), value, 0o600);
    },
    async recall(context) {
      const [seedFile, traceFile] = [await find(context, 'seed'), await find(context, 'trace')];
      if (seedFile === undefined || traceFile === undefined) return undefined;
      const [stored, written] = [await readFile(seedFile), await readFile(traceFile)];
      const { context: traced, v: _, ...trace } = decodeCbor(new Uint8Array(written), traceSchema, MAX_TRACE_BYTES);
      const whole = stored.length === 32 + ATTEMPT_SEED_BYTES && contextBytes(context).equals(stored.subarray(0, 32));
      if (!whole || traced !== attemptContext(context)) {
        throw new ConcordatError('STATE_CORRUPT', `${seedFile} is not the seed of this attempt`, { path: seedFile });
      }
      const seed = new Uint8Array(stored.subarray(32));
      stored.fill(0);
      const { dealerState, stages } = trace;
      return { seed, trace: { stages, ...(dealerState && { dealerState }) } };
    },
    keepOnly: (round, attempt) => erase((file) => file.round === round && file.attempt !== attempt),
    eraseExpired: () => erase(({ drawnAtSeconds }) => drawnAtSeconds + replayDays * DAY_SECONDS <= nowSeconds()),
  };
}

const contextBytes = (context: SealContext): Buffer => Buffer.from(fromHex(attemptContext(context)));

/** Context, then seed. Exclusive: an attempt gets one seed for ever. */
async function createFile(path: string, ...parts: readonly Uint8Array[]): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  const whole = Buffer.concat(parts);
  try {
    await handle.writeFile(whole);
    await handle.sync();
  } finally {
    whole.fill(0);
    await handle.close();
  }
}

const LOOK_EVERY_MS = 3_600_000;

/** Also a node without rounds lets go of what it has kept long enough. */
export function watchRetention(seeds: AttemptSeeds, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
  const stopping = new AbortController();
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await seeds.eraseExpired().catch((err) => log.error({ err }, 'seeds past their days were not erased'));
      await clock.sleep(LOOK_EVERY_MS, stopping.signal);
    }
  };
  const watching = watch();
  return {
    stop: async () => {
      stopping.abort();
      await watching;
    },
  };
}
