// Reading JSON whose shape is not known: each step says what it wanted.

export type Json = Readonly<Record<string, unknown>>;

/** Why a topology cannot be trained here, and what to do: for a person. */
export class TopologyFault extends Error {}

export const fault = (text: string): TopologyFault => new TopologyFault(text);

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws TopologyFault */
export function objectOf(value: unknown, what: string): Json {
  if (!isObject(value)) throw fault(`${what} is not an object`);
  return value;
}

/** @throws TopologyFault */
export function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw fault(`${what} is not a list`);
  return value;
}
