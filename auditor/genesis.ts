// What a history stands on, read from its first entry: the task, the data contract, and the layout they make.

import type { z } from 'zod';
import type { Hex } from '../protocol/bytes.ts';
import { decodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../protocol/learning/data-contract.ts';
import { featureCount } from '../protocol/learning/features.ts';
import { layoutOf, type ModelLayout } from '../protocol/learning/model.ts';
import type { Shape } from '../protocol/learning/strategies/strategy.ts';
import { checkTaskContract, packingOf, parseTask, type Task } from '../protocol/learning/task.ts';
import type { Vector } from '../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../protocol/learning/vector.ts';
import { blocksFor, type PackingProfile } from '../protocol/secagg/packing.ts';
import { type BodyOf, type Evidence, entriesOf } from './evidence.ts';

export interface Genesis {
  readonly body: BodyOf<'genesis'>;
  readonly task: Task;
  readonly contract: DataContract;
  readonly layout: ModelLayout;
  readonly shape: Shape;
  readonly vector: Vector;
  /** Values of one dealer's vector. */
  readonly valueCount: number;
  readonly packing: PackingProfile;
  /** Blocks of one payload. */
  readonly blocks: number;
}

/** @throws ConcordatError NOT_FOUND when the history has no readable beginning, TASK_INVALID, CONTRACT_INVALID */
export function genesisBody(evidence: Evidence): BodyOf<'genesis'> {
  const first = entriesOf(evidence.bundle, 'genesis')[0];
  if (first === undefined) throw new ConcordatError('NOT_FOUND', 'the bundle has no genesis entry');
  return first.body;
}

export async function readGenesis(evidence: Evidence): Promise<Genesis> {
  const body = genesisBody(evidence);
  const task = parseTask(await textBlob(evidence, body.task));
  const contract = parseDataContract(await textBlob(evidence, body.dataContract));
  checkTaskContract(task, contract);
  const features = featureCount(contract);
  const [shape, vector] = [shapeOf(task, features), vectorOf(task, features)];
  const layout = layoutOf(task, features);
  const packing = packingOf(task);
  const valueCount = vector.length;
  return { body, task, contract, layout, shape, vector, valueCount, packing, blocks: blocksFor(valueCount, packing) };
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
