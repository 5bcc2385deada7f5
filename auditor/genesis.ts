// What a history stands on, its first entry, and how the blobs that entries name are read.

import type { z } from 'zod';
import type { Hex } from '../protocol/bytes.ts';
import { decodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type BodyOf, type Evidence, entriesOf } from './evidence.ts';

/** @throws ConcordatError NOT_FOUND when the history has no readable beginning */
export function genesisBody(evidence: Evidence): BodyOf<'genesis'> {
  const first = entriesOf(evidence.bundle, 'genesis')[0];
  if (first === undefined) throw new ConcordatError('NOT_FOUND', 'the bundle has no genesis entry');
  return first.body;
}

export async function textBlob(evidence: Evidence, hash: Hex): Promise<string> {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await evidence.bundle.blob(hash));
}

export async function cborBlob<T extends z.ZodType>(
  evidence: Evidence,
  hash: Hex,
  schema: T,
  maxBytes: number,
): Promise<z.output<T>> {
  return decodeCbor(await evidence.bundle.blob(hash), schema, maxBytes);
}
