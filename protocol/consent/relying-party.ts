// The relying party a service is told on its command line.
import { ConcordatError } from '../errors.ts';
import type { RelyingParty } from './assertion.ts';

/** @throws ConcordatError MESSAGE_MALFORMED when an origin is not one of the relying party's */
export function relyingPartyOf(rpId: string, origins: readonly string[]): RelyingParty {
  for (const origin of origins) {
    const host = URL.canParse(origin) ? new URL(origin).hostname : '';
    if (host !== rpId && !host.endsWith(`.${rpId}`)) {
      throw new ConcordatError('MESSAGE_MALFORMED', `origin ${origin} does not belong to ${rpId}`, { origin, rpId });
    }
  }
  return { rpId, origins };
}
