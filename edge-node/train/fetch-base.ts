// The model that a round starts from, and what its strategy carries on, from the coordinator. Both are bound on chain: the model
// by its hash, the state by the hash in the model. That they came about rightly is check-base.ts's to show.
import { createHash } from 'node:crypto';
import { request } from '../../kit/http.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf, type Model, type ModelLayout, parameterCount } from '../../protocol/learning/model.ts';
import type { ModelAndState } from '../../protocol/learning/next-model.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import type { StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import { decodeState } from '../../protocol/learning/strategy-state.ts';
import type { Task } from '../../protocol/learning/task.ts';

export interface RoundBase extends Model {
  /** Empty when the dealers of this strategy do not read it. */
  readonly serverState: StrategyState;
}
export type FetchBase = (hash: Hex) => Promise<RoundBase>;

/** Of a transcript's blobs, by their sha256; longer ones than allowed are refused before they are read to their end. */
export type BlobReader = (hash: Hex, maxBytes?: number) => Promise<Uint8Array>;

/** Of the slowest line that a round is worth waiting for, beside what any answer may take. */
const SLOWEST_BYTES_PER_MS = 100;
const ANSWER_MS = 30_000;
/** Beside the numbers of a model or state: names, shapes and tags. */
const MAX_HEAD_BYTES = 262_144;
/** As many as a state may have, of float64. */
const MAX_STATE_VECTORS = 4;

export const blobsOf =
  (coordinatorUrl: string): BlobReader =>
  (hash, maxBytes) => {
    const bound = maxBytes !== undefined && {
      maxBytes,
      timeoutMs: ANSWER_MS + Math.ceil(maxBytes / SLOWEST_BYTES_PER_MS),
    };
    return ask(`${coordinatorUrl}/v1/bundle/blobs/${hash.slice(2)}`, { ...bound });
  };

/** That a model did not come about rightly is for this node to find: an answer that says so is an answer without the file. */
export async function ask(url: string, options: Parameters<typeof request>[1]): Promise<Uint8Array> {
  try {
    return await request(url, options);
  } catch (cause) {
    if (!(cause instanceof ConcordatError) || cause.code !== 'MODEL_UNPROVEN') throw cause;
    throw new ConcordatError(
      'MESSAGE_MALFORMED',
      `${url} answers with an error that is not its to give`,
      { url },
      { cause },
    );
  }
}

/** @throws ConcordatError MODEL_MISMATCH when the coordinator sends anything else, TIMED_OUT */
export const createBaseFetcher = (coordinatorUrl: string, task: Task, contract: DataContract): FetchBase =>
  createBaseReader(blobsOf(coordinatorUrl), task, contract);

/** @throws ConcordatError MODEL_MISMATCH when a blob is not what its hash says */
export function createBaseReader(read: BlobReader, task: Task, contract: DataContract): FetchBase {
  const layout = layoutOf(task, featureCount(contract));
  const { dealersReadState = false } = strategyOf(task);
  return async (hash) => {
    const { model, state } = await readModel(read, hash, layout, dealersReadState);
    return { ...model, serverState: state };
  };
}

/** @throws ConcordatError MODEL_MISMATCH when a blob is not what its hash says */
export async function readModel(
  read: BlobReader,
  hash: Hex,
  layout: ModelLayout,
  withState: boolean,
): Promise<ModelAndState> {
  const parameters = parameterCount(layout);
  const model = decodeModel(await readBlob(read, hash, 4 * parameters + MAX_HEAD_BYTES), layout);
  const maxBytes = MAX_STATE_VECTORS * 8 * parameters + MAX_HEAD_BYTES;
  const state = withState && model.state ? await readBlob(read, model.state, maxBytes) : undefined;
  return { model, state: decodeState(state, parameters) };
}

/** Nothing is looked at before its hash is right. @throws ConcordatError MODEL_MISMATCH */
export async function readBlob(read: BlobReader, hash: Hex, maxBytes: number): Promise<Uint8Array> {
  const bytes = await read(hash, maxBytes);
  if (toHex(createHash('sha256').update(bytes).digest()) === hash) return bytes;
  throw new ConcordatError('MODEL_MISMATCH', `the coordinator sent another file than ${hash}`);
}
