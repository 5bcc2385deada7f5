// Reaching the key-holders: all at once, each known by the address it registered; one that is away holds nobody up.
import type { KeyHolder } from '../../engines/chain/federation.ts';
import { requestJson } from '../../kit/http.ts';
import type { Log } from '../../kit/log.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { AnswerRequest } from '../../protocol/messages/answer.ts';
import type { Domain } from '../../protocol/messages/typed-data.ts';
import type { AdmittedUpload } from '../intake/uploads.ts';
import type { Blobs } from '../transcript/blobs.ts';

export interface ReachParts {
  readonly transcript: Pick<Blobs, 'getBlob' | 'blobFile'>;
  readonly keyHolders: readonly KeyHolder[];
  /** One endpoint per key-holder process; which is whose it says itself, and proves with what it signs. */
  readonly urls: readonly string[];
  readonly domain: Domain;
  readonly log: Log;
}

export interface Reached {
  readonly url: string;
  readonly keyHolder: KeyHolder;
}

const IDENTIFY_WITHIN_MS = 10_000;
/** When enough have answered, the others get as long again as those took, and this much more. */
const GRACE_MS = 2_000;

/**
 * What the key-holders answer that are not in `skip`, one each. Whoever is away, refuses or answers wrongly is left out and
 * logged; once `enough` have answered, whoever is much slower too, and all who take longer than `withinMs`.
 */
export async function askEach<T extends { readonly index: number }>(
  what: {
    readonly round: number;
    readonly asking: string;
    readonly enough: number;
    readonly skip: ReadonlySet<number>;
    /** At most; each request has a limit of its own. */
    readonly withinMs?: number;
  },
  parts: ReachParts,
  ask: (reached: Reached) => Promise<T>,
): Promise<T[]> {
  const { round, asking, enough, skip, withinMs } = what;
  const answers = new Map<number, T>();
  const startedMs = performance.now();
  const patience = lateness(() => answers.size + skip.size >= enough, withinMs);
  const asked = parts.urls.map(async (url) => {
    try {
      const reached = await identify(url, parts.keyHolders);
      if (skip.has(reached.keyHolder.index)) return;
      const answer = await ask(reached);
      if (!answers.has(answer.index)) answers.set(answer.index, answer);
      patience.look(performance.now() - startedMs);
    } catch (error) {
      const code = error instanceof ConcordatError ? error.code : 'PROCESS_FAILED';
      parts.log.warn({ url, round, asking, code, detail: (error as Error).message }, 'key-holder did not answer');
    }
  });
  await Promise.race([Promise.all(asked), patience.over]);
  patience.stop();
  return [...answers.values()].sort((a, b) => a.index - b.index);
}

/** `over` resolves some time after `look` first found that there are enough, and `withinMs` from now at the latest. */
function lateness(isEnough: () => boolean, withinMs: number | undefined) {
  let timer: NodeJS.Timeout | undefined;
  const latest = withinMs === undefined ? undefined : setTimeout(() => end(), withinMs);
  let end = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    over,
    look: (tookMs: number): void => {
      if (isEnough()) timer ??= setTimeout(end, tookMs + GRACE_MS);
    },
    stop: (): void => {
      clearTimeout(timer);
      clearTimeout(latest);
    },
  };
}

async function identify(url: string, keyHolders: readonly KeyHolder[]): Promise<Reached> {
  const identity = await requestJson<{ address?: unknown }>(`${url}/v1/identity`, { timeoutMs: IDENTIFY_WITHIN_MS });
  const keyHolder = keyHolders.find(({ address }) => address === identity.address);
  if (keyHolder === undefined) throw new ConcordatError('NOT_A_MEMBER', `${url} is no registered key-holder`);
  return { url, keyHolder };
}

/** Of each upload, the share that is sealed to this key-holder, and what ties it to the commit. */
export function sharesFor(
  { index }: KeyHolder,
  uploads: readonly AdmittedUpload[],
  { transcript }: Pick<ReachParts, 'transcript'>,
): Promise<AnswerRequest['shares']> {
  return Promise.all(
    uploads.map(async ({ dealer, shareHashes, signature }) => {
      const hash = shareHashes[index - 1];
      if (hash === undefined) throw new ConcordatError('NOT_FOUND', `${dealer} dealt no share to key-holder ${index}`);
      return { dealer, sealedShare: await transcript.getBlob(hash), shareHashes: [...shareHashes], signature };
    }),
  );
}
