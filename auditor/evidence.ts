// All that an audit looks at: what the chain says, what the bundle holds, and the reference engines to recompute with.

import type { Hex } from '../protocol/bytes.ts';
import type { SignatureVerifier } from '../protocol/consent/assertion.ts';
import type { StructName, StructValues } from '../protocol/messages/typed-data.ts';
import type { RingOpener } from '../protocol/secagg/opener.ts';
import type { Bundle } from '../protocol/transcript/bundle.ts';
import type { EntryBody } from '../protocol/transcript/entry.ts';
import { recoverSigner } from './chain/signer.ts';
import type { CompileContracts } from './compiled-contracts.ts';
import type { History } from './history.ts';
import type { CheckedCeremony } from './proof/ceremony.ts';

/** Reference implementations, passed in so that the checks themselves also run in a browser. */
export interface Engines {
  /** SEAL, never the fast kernel that the coordinator uses. */
  readonly opener: () => Promise<RingOpener>;
  readonly verifyPasskey: SignatureVerifier;
  /** With the pinned compiler, from this repository's sources. */
  readonly compileContracts: CompileContracts;
}

/** How much of a bundle was read, and how long that took. */
export interface BundleSize {
  /** Each once, however often it was read. */
  readonly files: number;
  readonly bytes: number;
  /** In all, repeats included. */
  readonly readMs: number;
}

export interface Evidence {
  readonly history: History;
  readonly bundle: Bundle;
  readonly engines: Engines;
  /** Hashes of the code of earlier deployments, of other versions, that the auditor accepts. */
  readonly predecessorCode?: readonly Hex[];
  /** What a check of the whole ceremony came to, when there was one to check. */
  readonly ceremony?: CheckedCeremony;
  /** Read so far, where it is counted. */
  readonly bundleSize?: () => BundleSize;
}

export type BodyType = EntryBody['type'];
export type BodyOf<T extends BodyType> = Extract<EntryBody, { type: T }>;

export interface Located<T extends BodyType> {
  /** Position in the transcript. */
  readonly seq: number;
  readonly body: BodyOf<T>;
}

/** What was sorted out of a bundle already: checks ask for the same kinds once per round. */
const sorted = new WeakMap<Bundle, Map<BodyType, readonly { readonly seq: number; readonly body: EntryBody }[]>>();

/** Entries of one kind, in order; those that do not decode are check 01's business. */
export function entriesOf<T extends BodyType>(bundle: Bundle, type: T): readonly Located<T>[] {
  const kinds =
    sorted.get(bundle) ?? new Map<BodyType, readonly { readonly seq: number; readonly body: EntryBody }[]>();
  sorted.set(bundle, kinds);
  const found: readonly { readonly seq: number; readonly body: EntryBody }[] =
    kinds.get(type) ??
    bundle.entries.flatMap(({ entry }, seq) => (entry?.body.type === type ? [{ seq, body: entry.body }] : []));
  kinds.set(type, found);
  return found as readonly Located<T>[];
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
    return recoverSigner({ chainId, federation }, name, values, signature);
  } catch {
    return undefined;
  }
}
