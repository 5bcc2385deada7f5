// Forced withdrawals: what stands on chain, as a log entry, and what a dealer's own log makes of it.
import { concatBytes, fromHex, type Hex } from '../bytes.ts';
import { encodeAssertion } from './assertion.ts';
import type { LogEntry } from './log.ts';
import type { ConsentState } from './state.ts';

/** As `ForcedWithdrawal` carries it. */
export interface ForcedOnChain {
  readonly operation: Hex;
  readonly authenticatorData: Hex;
  readonly clientDataJSON: Hex;
  readonly r: Hex;
  readonly s: Hex;
}

/** Byte for byte the entry that the customer's device would have sent to the dealer. */
export function entryOfForced(forced: ForcedOnChain): LogEntry {
  return {
    operation: fromHex(forced.operation),
    assertion: encodeAssertion({
      authenticatorData: fromHex(forced.authenticatorData),
      clientDataJSON: fromHex(forced.clientDataJSON),
      signature: concatBytes(fromHex(forced.r), fromHex(forced.s)),
    }),
  };
}

/** `take`: the log has to take it in. `gone`: the subject is in no bucket. `returned`: a later operation of its own put it there. */
export type Settlement = 'take' | 'gone' | 'returned';

/**
 * One of the three, whatever the log took in before [CON-4]: so a dealer that means to can always settle what was forced.
 * With `gone` and `returned` under an anchored state the registry has its proof.
 */
export function settlementOf(state: ConsentState, subject: Hex, seq: number): Settlement {
  const known = state.subject(subject);
  if (known === undefined || known.digest === 0n) return 'gone';
  return known.seq > seq ? 'returned' : 'take';
}

/** (subject, 0, nextSubject) under subjectsRoot: as `ConsentRegistry.Departure`. */
export interface Departure {
  readonly subject: Hex;
  readonly nextSubject: Hex;
  readonly proof: readonly Hex[];
}

/** undefined while the subject is in a bucket, or when the log has never seen it. */
export function departureOf(state: ConsentState, subject: Hex): Departure | undefined {
  const found = state.subject(subject)?.digest === 0n ? state.presenceProof(subject) : undefined;
  return found && { subject, nextSubject: found.leaf.next, proof: found.proof };
}
