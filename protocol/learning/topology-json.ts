// Reading JSON whose shape is not known: each step says what it wanted.

export type Json = Readonly<Record<string, unknown>>;

/** Why a topology cannot be trained here, and what to do: for a person. */
export class TopologyFault extends Error {
  /** At least one; the message is the first. */
  readonly all: readonly string[];
  constructor(first: string, ...more: readonly string[]) {
    super(first);
    this.all = [first, ...more];
  }
}

export const fault = (text: string): TopologyFault => new TopologyFault(text);

/** Reads on after a fault: `all` says at the end what was wrong with any part. */
export function createFaultList() {
  const found: string[] = [];
  return {
    /** undefined of what cannot be read. */
    reading<T>(read: () => T): T | undefined {
      try {
        return read();
      } catch (cause) {
        if (!(cause instanceof TopologyFault)) throw cause;
        found.push(...cause.all);
        return undefined;
      }
    },
    /** @throws TopologyFault */
    throwAny(): void {
      const [first, ...more] = found;
      if (first !== undefined) throw new TopologyFault(first, ...more);
    },
  };
}

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
