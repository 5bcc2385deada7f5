// The file of what a strategy carries on. The model file names it by its hash, so it is bound on chain with the model.
import { z } from 'zod';
import { type Hex, sha256, toHex } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../codec.ts';
import { ConcordatError } from '../errors.ts';
import { LIMITS } from '../params.ts';
import { NO_STATE, type StrategyState } from './strategies/strategy.ts';

const TAG = 'concordat/1/strategy-state';
const MAX_VECTORS = 4;
const MAX_FILE_BYTES = MAX_VECTORS * 8 * LIMITS.maxModelParameters + 65_536;

const schema = z.strictObject({
  v: z.literal(TAG),
  vectors: z.record(z.string().min(1).max(64), z.instanceof(Uint8Array)),
});

/** Canonical CBOR; float64, little-endian. undefined for no state: a model then names no file. */
export function encodeState(state: StrategyState): Uint8Array | undefined {
  const entries = Object.entries(state);
  if (entries.length === 0) return undefined;
  const vectors = Object.fromEntries(entries.map(([name, vector]) => [name, float64Bytes(vector)]));
  return encodeCbor({ v: TAG, vectors });
}

/**
 * @param length that every vector must have
 * @throws ConcordatError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE, MODEL_MISMATCH
 */
export function decodeState(bytes: Uint8Array | undefined, length: number): StrategyState {
  if (bytes === undefined) return NO_STATE;
  const { vectors } = decodeCbor(bytes, schema, MAX_FILE_BYTES);
  return Object.fromEntries(
    Object.entries(vectors).map(([name, vector]) => {
      const values = float64s(vector);
      if (values.length === length && values.every(Number.isFinite)) return [name, values];
      throw new ConcordatError('MODEL_MISMATCH', `the state ${name} is not ${length} finite numbers`);
    }),
  );
}

/** sha256 of the file; undefined for no state. */
export function stateHash(state: StrategyState): Hex | undefined {
  const file = encodeState(state);
  return file && toHex(sha256(file));
}

function float64Bytes(vector: Float64Array): Uint8Array {
  const bytes = new Uint8Array(8 * vector.length);
  const view = new DataView(bytes.buffer);
  vector.forEach((x, i) => {
    view.setFloat64(8 * i, x, true);
  });
  return bytes;
}

function float64s(bytes: Uint8Array): Float64Array {
  if (bytes.length % 8 !== 0) throw new ConcordatError('MODEL_MISMATCH', 'the state is not a list of float64');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
}
