// All that an audit looks at: what the chain says, what the bundle holds, and the reference engines to recompute with.
import { recoverTypedStruct, type StructName, type StructValues } from '../engines/chain/typed-data.ts';
import type { RingOpener } from '../engines/ring/open.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { SignatureVerifier } from '../protocol/consent/assertion.ts';
import type { Bundle } from '../protocol/transcript/bundle.ts';
import type { EntryBody } from '../protocol/transcript/entry.ts';
import type { History } from './history.ts';

/** Reference implementations, passed in so that the checks themselves also run in a browser. */
export interface Engines {
  /** SEAL, never the fast kernel that the coordinator uses. */
  readonly opener: () => Promise<RingOpener>;
  readonly verifyPasskey: SignatureVerifier;
}

export interface Evidence {
  readonly history: History;
  readonly bundle: Bundle;
  readonly engines: Engines;
}

export type BodyType = EntryBody['type'];
export type BodyOf<T extends BodyType> = Extract<EntryBody, { type: T }>;

export interface Located<T extends BodyType> {
  /** Position in the transcript. */
  readonly seq: number;
  readonly body: BodyOf<T>;
}

/** Entries of one kind, in order; those that do not decode are check 01's business. */
export function entriesOf<T extends BodyType>(bundle: Bundle, type: T): Located<T>[] {
  return bundle.entries.flatMap(({ entry }, seq) =>
    entry?.body.type === type ? [{ seq, body: entry.body as BodyOf<T> }] : [],
  );
}

/**
 * Who signed, under the domain that the endpoint's own chain id and the audited federation make; undefined for bytes that
 * are no signature at all.
 */
export function signerOf<N extends StructName>(
  evidence: Evidence,
  name: N,
  values: StructValues[N],
  signature: Hex,
): Hex | undefined {
  const { chainId, federation } = evidence.history.deployment;
  try {
    return recoverTypedStruct({ chainId, federation }, name, values, signature);
  } catch {
    return undefined;
  }
}
