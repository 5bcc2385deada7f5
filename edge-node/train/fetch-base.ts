// The model that a round starts from, and what its strategy carries on, from the coordinator. Both are bound on chain: the model
// by its hash, the state by the hash in the model.
import { request } from '../../kit/http.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf, type Model } from '../../protocol/learning/model.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import type { StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import { decodeState } from '../../protocol/learning/strategy-state.ts';
import type { Task } from '../../protocol/learning/task.ts';

export interface RoundBase extends Model {
  /** Empty when the dealers of this strategy do not read it. */
  readonly serverState: StrategyState;
}
export type FetchBase = (hash: Hex) => Promise<RoundBase>;

/** Of a transcript's blobs, by their sha256. */
export type BlobReader = (hash: Hex) => Promise<Uint8Array>;

export const blobsOf =
  (coordinatorUrl: string): BlobReader =>
  (hash) =>
    request(`${coordinatorUrl}/v1/bundle/blobs/${hash.slice(2)}`);

/** @throws ConcordatError MODEL_MISMATCH when the coordinator sends anything else, TIMED_OUT */
export const createBaseFetcher = (coordinatorUrl: string, task: Task, contract: DataContract): FetchBase =>
  createBaseReader(blobsOf(coordinatorUrl), task, contract);

/** @throws ConcordatError MODEL_MISMATCH when a blob is not what its hash says */
export function createBaseReader(read: BlobReader, task: Task, contract: DataContract): FetchBase {
  const layout = layoutOf(task, featureCount(contract));
  const { dealersReadState = false } = strategyOf(task);
  const blob = async (hash: Hex): Promise<Uint8Array> => {
    const bytes = await read(hash);
    if (toHex(sha256(bytes)) === hash) return bytes;
    throw new ConcordatError('MODEL_MISMATCH', 'the coordinator sent another file');
  };
  return async (hash) => {
    const model = decodeModel(await blob(hash), layout);
    const state = dealersReadState && model.state ? await blob(model.state) : undefined;
    return { ...model, serverState: decodeState(state, model.weights.length) };
  };
}
