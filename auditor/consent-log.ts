// The consent log as the bundle carries it: one blob of operations per dealer and epoch.
import { z } from 'zod';
import { type DecodedEntry, decodeEntry } from '../protocol/consent/log.ts';
import type { BodyOf, Evidence } from './evidence.ts';
import { cborBlob } from './genesis.ts';

const bytes = z.instanceof(Uint8Array);
/** `[operation bytes, assertion bytes]`, in log order. */
const operationsSchema = z.array(z.tuple([bytes, bytes]));

/** 65,535 customers who all move at once, at their largest. */
const MAX_OPERATIONS_BYTES = 65_535 * 2_600;

/** @throws ConcordatError for a missing blob, or anything in it that is not canonical */
export async function readOperations(evidence: Evidence, body: BodyOf<'consent'>): Promise<DecodedEntry[]> {
  const pairs = await cborBlob(evidence, body.operations, operationsSchema, MAX_OPERATIONS_BYTES);
  return pairs.map(([operation, assertion]) => decodeEntry({ operation, assertion }));
}
