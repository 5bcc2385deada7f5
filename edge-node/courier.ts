// A courier to one witness: brings it every anchor, in order, however often it is down, and comes back with its signature.
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError, type ErrorCode } from '../protocol/errors.ts';
import type { AnchorProposal } from './consent/anchor-proposal.ts';

export interface CoSigned {
  readonly signer: Hex;
  readonly signature: Hex;
}

export interface CourierParts {
  readonly url: string;
  /** One request; the signature it resolves with was checked. */
  readonly send: (url: string, proposal: AnchorProposal) => Promise<CoSigned>;
  /** What was anchored between the two epochs, neither included, in order. */
  readonly anchoredBetween: (epoch: number, before: number) => Promise<readonly AnchorProposal[]>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface Courier {
  readonly url: string;
  /** Goes on until the witness signs, refuses for good or a newer proposal takes its place. @throws ConcordatError what it refuses with */
  deliver(proposal: AnchorProposal): Promise<CoSigned>;
}

/** What is not the witness's verdict on the proposal, and may be over at the next try. */
const MAY_PASS: readonly ErrorCode[] = ['TIMED_OUT', 'PROCESS_FAILED', 'CHAIN_UNREACHABLE', 'LOG_GAP'];
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

export function createCourier(parts: CourierParts): Courier {
  const { url, send, clock, signal, log } = parts;
  let newest: AnchorProposal | undefined;
  let last: Promise<unknown> = Promise.resolve();

  /** A witness that lags behind says with what; it then gets what the chain has had since. */
  async function catchUp(gap: ConcordatError, proposal: AnchorProposal): Promise<void> {
    const { epoch } = gap.fields;
    if (typeof epoch !== 'number' || !Number.isInteger(epoch) || epoch < 0 || epoch >= proposal.anchor.epoch - 1)
      return;
    for (const missed of await parts.anchoredBetween(epoch, proposal.anchor.epoch)) await send(url, missed);
    log.info({ url, from: epoch + 1, to: proposal.anchor.epoch - 1 }, 'a witness was caught up');
  }

  async function tryOnce(proposal: AnchorProposal): Promise<CoSigned> {
    try {
      return await send(url, proposal);
    } catch (error) {
      if (!(error instanceof ConcordatError) || error.code !== 'LOG_GAP') throw error;
      await catchUp(error, proposal);
      return send(url, proposal);
    }
  }

  async function untilSigned(proposal: AnchorProposal): Promise<CoSigned> {
    for (let waitMs = RETRY_MIN_MS; ; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      if (signal.aborted || newest !== proposal) throw new ConcordatError('TIMED_OUT', `${url}: not asked any longer`);
      try {
        return await tryOnce(proposal);
      } catch (error) {
        if (!(error instanceof ConcordatError) || !MAY_PASS.includes(error.code)) throw error;
        log.debug({ url, err: error }, 'a witness does not sign yet');
      }
      await clock.sleep(waitMs, signal);
    }
  }

  return {
    url,
    deliver(proposal) {
      newest = proposal;
      const result = last.then(() => untilSigned(proposal));
      last = result.catch(() => undefined);
      return result;
    },
  };
}
