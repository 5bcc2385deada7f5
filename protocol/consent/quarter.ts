// Calendar quarters (UTC): policies expire on their edges, so that many people share one expiry, and one policy.
import { ConcordatError } from '../errors.ts';

/** Unix seconds of the start of the quarter `quarters` after the one that `seconds` lies in. */
export function quarterStart(seconds: number, quarters = 0): number {
  const date = new Date(seconds * 1000);
  const index = date.getUTCFullYear() * 4 + Math.floor(date.getUTCMonth() / 3) + quarters;
  return Date.UTC(Math.floor(index / 4), 3 * (index % 4), 1) / 1000;
}

/** Down to the start of the quarter: a rule may end earlier than the customer asked, never later. Unix seconds. */
export const roundExpiryDown = (expirySeconds: number): number => quarterStart(expirySeconds);

/** "2027-01-01T00:00:00Z" of unix seconds. */
export const isoOfSeconds = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

/** Unix seconds of "2027-01-01T00:00:00Z", that form only. @throws ConcordatError MESSAGE_MALFORMED */
export function secondsOfIso(iso: string): number {
  const seconds = Date.parse(iso) / 1000;
  if (!Number.isSafeInteger(seconds) || isoOfSeconds(seconds) !== iso) {
    throw new ConcordatError('MESSAGE_MALFORMED', `"${iso}" is not a time of the form 2027-01-01T00:00:00Z`);
  }
  return seconds;
}
