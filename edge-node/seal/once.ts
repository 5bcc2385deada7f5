// One payload per attempt, for ever: an attempt is journaled before it is sealed, and what was sealed is what is re-sent.
import { z } from 'zod';
import { keyOf, type Store } from '../../engines/store/store.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import { attemptContext, type SealContext } from '../../protocol/secagg/attempt.ts';
import type { PayloadFiles, StoredPayload } from './payload-files.ts';
import type { SealedUpdate, Sealer, SealRequest } from './seal.ts';

/** What the journal needs of a store: `write` is atomic and on disk when it resolves. */
export type SealJournal = Pick<Store, 'get' | 'write' | 'list'>;

export type StoredUpdate = SealedUpdate & { readonly payload: StoredPayload };

export interface OneTimeSealer {
  /**
   * Seals, or returns the identical bytes sealed before for this attempt; `values` are then not looked at.
   * @throws ConcordatError KEY_REUSED when the attempt was begun but nothing was stored: it is burnt, take nextAttempt
   * @throws ConcordatError STATE_CORRUPT when the journal holds this attempt for another chain, ledger, dealer or seed
   */
  seal(request: SealRequest): Promise<StoredUpdate>;
  /** What was sealed for the attempt, if anything. Same errors as `seal`. */
  recall(context: SealContext): Promise<StoredUpdate | undefined>;
  /** 1 + the highest attempt ever begun in the round. */
  nextAttempt(round: number): Promise<number>;
  /** Payloads of earlier rounds go; that their attempts were used stays in the journal for ever. */
  forgetBefore(round: number): Promise<void>;
}

const hex32 = z.templateLiteral(['0x', z.string().regex(/^[0-9a-f]{64}$/)]);
const bytes = z.instanceof(Uint8Array);
const sealedSchema = z.strictObject({
  payloadHash: hex32,
  sealedShares: z.array(bytes).min(1).max(LIMITS.maxKeyHolders),
  sharesRoot: hex32,
});
/** `sealed` is absent between begin and finish; a process that finds it so died in between. */
const entrySchema = z.strictObject({ v: z.literal(1), context: hex32, sealed: sealedSchema.optional() });
const MAX_ENTRY_BYTES = 1_048_576;

const BUCKET = 'seal';

export interface OneTimeSealerParts {
  readonly sealer: Sealer;
  readonly journal: SealJournal;
  readonly files: PayloadFiles;
}

export function createOneTimeSealer({ sealer, journal, files }: OneTimeSealerParts): OneTimeSealer {
  const running = new Map<string, Promise<unknown>>();

  async function recall(context: SealContext): Promise<StoredUpdate | undefined> {
    const written = await journal.get(keyOf(BUCKET, context.round, context.attempt));
    if (written === undefined) return undefined;
    const entry = decodeCbor(written, entrySchema, MAX_ENTRY_BYTES);
    const { round, attempt } = context;
    if (entry.context !== attemptContext(context)) {
      throw new ConcordatError('STATE_CORRUPT', `attempt ${attempt} of round ${round} was sealed in another context`);
    }
    if (entry.sealed === undefined) {
      throw new ConcordatError('KEY_REUSED', `attempt ${attempt} of round ${round} was begun and never finished`, {
        round,
        attempt,
      });
    }
    return stored(context, entry.sealed);
  }

  async function stored({ round, attempt }: SealContext, sealed: SealedUpdate): Promise<StoredUpdate> {
    const payload = await files.find(round, attempt);
    if (payload !== undefined) return { ...sealed, payload };
    throw new ConcordatError('STATE_CORRUPT', `the payload of attempt ${attempt} of round ${round} is gone`);
  }

  async function sealOnce(request: SealRequest): Promise<StoredUpdate> {
    const before = await recall(request);
    if (before !== undefined) return before;
    const key = keyOf(BUCKET, request.round, request.attempt);
    const context = attemptContext(request);
    await journal.write([{ put: key, value: encodeCbor({ v: 1, context }) }]);
    const { round, attempt } = request;
    // the payload is on disk before the journal says so: a kill in between burns the attempt
    const sealed = files.create(round, attempt, (write) => sealer.seal(request, write));
    await journal.write([{ put: key, value: encodeCbor({ v: 1, context, sealed }) }]);
    return stored(request, sealed);
  }

  return {
    recall,
    forgetBefore: files.removeBefore,
    seal(request) {
      // callers of one attempt in one process go one after the other; the later ones get what is stored
      const key = keyOf(request.round, request.attempt);
      const before = running.get(key) ?? Promise.resolve();
      const started = before.then(
        () => sealOnce(request),
        () => sealOnce(request),
      );
      running.set(key, started);
      return started.finally(() => {
        if (running.get(key) === started) running.delete(key);
      });
    },
    async nextAttempt(round) {
      const rows = await journal.list(`${keyOf(BUCKET, round)}/`);
      return 1 + rows.reduce((last, { key }) => Math.max(last, Number(key.split('/').at(-1))), 0);
    },
  };
}
