// Quotes: the digest a policy has at this dealer, with the salt that lets the customer's device recompute it.
import { type Policy, packConditions, policyDigest } from '../../protocol/consent/policy.ts';
import { saltOf } from './salts.ts';

export interface Quote {
  readonly salt: bigint;
  readonly digest: bigint;
}

/** What a prover needs to know about a digest. */
export interface Opening {
  readonly policy: Policy;
  readonly salt: bigint;
}

export interface Quotes {
  /** A Poseidon hash (0.4 ms) the first time, a look-up after. */
  quote(policy: Policy): Quote;
  /** Quotes, and keeps the opening for as long as the process lives: for policies that customers have signed. */
  remember(policy: Policy): Quote;
  /** The opening of a remembered digest. */
  openingOf(digest: bigint): Opening | undefined;
}

// Whoever plays with the switches asks for quotes; only signed policies are worth the memory.
const MAX_UNSIGNED_QUOTES = 4096;

/** `dealerSecret`: 32 bytes that stay on the edge node; losing it means every customer signs anew. */
export function createQuotes(dealerSecret: Uint8Array): Quotes {
  const quoted = new Map<string, Quote>();
  const openings = new Map<bigint, Opening>();

  const quote = (policy: Policy): Quote => {
    const key = `${policy.grants}/${packConditions(policy.conditions)}`;
    const known = quoted.get(key);
    if (known !== undefined) return known;
    const salt = saltOf(dealerSecret, policy);
    const fresh = { salt, digest: policyDigest(policy, salt) };
    if (quoted.size >= MAX_UNSIGNED_QUOTES) quoted.clear();
    quoted.set(key, fresh);
    return fresh;
  };

  return {
    quote,
    remember(policy) {
      const { salt, digest } = quote(policy);
      openings.set(digest, { policy, salt });
      return { salt, digest };
    },
    openingOf: (digest) => openings.get(digest),
  };
}
