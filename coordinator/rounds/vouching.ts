// Before a set is fixed: the key-holders' word on every upload's sharing, written down, and who is left out for it.
import { z } from 'zod';
import type { KeyHolder } from '../../engines/chain/federation.ts';
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import { encodeVouches, MAX_VOUCH_BYTES, vouchField } from '../../protocol/messages/vouch.ts';
import { type AdmittedUpload, isUploadOf, type Uploads } from '../intake/uploads.ts';
import type { VouchQuestion } from '../key-holders/vouches.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { judgeUploads, speaksOf, type UploadsVerdict, type Vouched } from './verdict.ts';

export interface VouchingParts {
  readonly ledger: Pick<RoundLedger, 'commitOf'>;
  readonly uploads: Pick<Uploads, 'matching'>;
  readonly transcript: Transcript;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly broadcast: (event: CoordinatorEvent) => void;
  readonly keyHolders: readonly KeyHolder[];
  readonly threshold: number;
  /** The smallest set that may be fixed. */
  readonly least: number;
  readonly ask: (question: VouchQuestion) => Promise<readonly Vouched[]>;
}

/** How long a round waits for enough key-holders before it is given up. */
const PATIENCE_MS = 120_000;
const ASK_AGAIN_MS = 500;

/**
 * The uploads that may be in the set: vouched for as they stand on chain, and of one secret each as far as that tells.
 * @throws ConcordatError SHARES_INSUFFICIENT
 */
export async function vouchedUploads(
  round: number,
  collected: readonly AdmittedUpload[],
  parts: VouchingParts,
): Promise<AdmittedUpload[]> {
  const { threshold, least, clock, signal } = parts;
  const recorded = await readVouches(round, parts);
  const skip = new Set(recorded.map(({ index }) => index));
  // what stands in the transcript stays: whoever it does not speak of came too late
  let uploads = collected.filter((upload) => recorded.every((vouched) => speaksOf(vouched, upload)));
  const askedAgain = new Set<Hex>();
  const giveUpAtMs = clock.nowMs() + PATIENCE_MS;
  while (uploads.length > 0) {
    const enough = recorded.length >= threshold;
    const fresh = enough ? [] : await parts.ask({ round, uploads, enough: threshold, skip });
    const { unchanged, moved } = await lookAgain(round, uploads, parts);
    // a dealer that committed again is asked about once more, and is then left out; nothing is written down before
    const again = recorded.length > 0 ? [] : moved.filter(({ dealer }) => !askedAgain.has(dealer));
    const vouched = [...recorded, ...fresh];
    if (vouched.length >= threshold && again.length === 0) {
      await record(round, vouched, parts);
      const refused = announceRefused(round, judgeUploads(vouched, threshold, least), parts);
      return unchanged.filter(({ dealer }) => !refused.has(dealer));
    }
    const missing = `${vouched.length} of ${threshold} key-holders vouched`;
    if (clock.nowMs() >= giveUpAtMs || signal.aborted) throw new ConcordatError('SHARES_INSUFFICIENT', missing);
    for (const { dealer } of again) askedAgain.add(dealer);
    uploads = [...unchanged, ...again].sort((a, b) => (a.dealer < b.dealer ? -1 : 1));
    if (again.length === 0) await clock.sleep(ASK_AGAIN_MS, signal);
  }
  return [];
}

/** What the dealers' commits say by now. */
async function lookAgain(round: number, uploads: readonly AdmittedUpload[], parts: VouchingParts) {
  const standing = await Promise.all(
    uploads.map(async ({ dealer }) => {
      const commit = await parts.ledger.commitOf(round, dealer);
      return commit && parts.uploads.matching(round, dealer, commit);
    }),
  );
  const stands = uploads.map((upload, i) => {
    const now = standing[i];
    return now !== undefined && isUploadOf(upload, now);
  });
  return {
    unchanged: uploads.filter((_, i) => stands[i]),
    moved: standing.flatMap((now, i) => (now === undefined || stands[i] ? [] : [now])),
  };
}

async function record(round: number, vouched: readonly Vouched[], { transcript }: VouchingParts): Promise<void> {
  for (const { keyHolder, vouches, signature } of vouched) {
    const blob = await transcript.putBlob(encodeVouches(vouches));
    await transcript.appendOnce({ type: 'vouch', round, keyHolder, vouches: blob, signature });
  }
}

/** The vouches of a round as written down, also by a coordinator that was killed since. */
export async function readVouches(
  round: number,
  { transcript, keyHolders }: Pick<VouchingParts, 'transcript' | 'keyHolders'>,
): Promise<Vouched[]> {
  const entries = transcript
    .entries()
    .flatMap(({ body }) => (body.type === 'vouch' && body.round === round ? [body] : []));
  return Promise.all(
    entries.map(async ({ keyHolder, vouches, signature }) => {
      const index = keyHolders.find(({ address }) => address === keyHolder)?.index;
      if (index === undefined) throw new ConcordatError('STATE_CORRUPT', `${keyHolder} vouched and is no key-holder`);
      const told = decodeCbor(await transcript.getBlob(vouches), z.array(vouchField), MAX_VOUCH_BYTES);
      return { index, keyHolder, vouches: told, signature };
    }),
  );
}

function announceRefused(round: number, { refused, disregarded, undecided }: UploadsVerdict, parts: VouchingParts) {
  const { log, broadcast } = parts;
  if (disregarded.length > 0) {
    log.error(
      { round, keyHolders: disregarded },
      'most shares do not open at these key-holders: their keys are not right',
    );
  }
  if (undecided)
    log.error({ round }, 'so many sharings fail their test that a key-holder may lie; the opening will tell');
  for (const [dealer, reason] of refused) {
    log.warn({ round, dealer, reason }, 'upload left out of the set');
    broadcast({ type: 'upload-refused', round, dealer, reason });
  }
  return refused;
}
