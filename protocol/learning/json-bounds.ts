// JSON that came from elsewhere and is handed on: bounded in depth and size before anything walks it, without dangerous keys.

interface Bounds {
  readonly depth: number;
  readonly values: number;
  /** UTF-16 code units of all keys and texts together. */
  readonly characters: number;
}

/** A key of the prototype chain would read or write what no JSON holds. */
const isDangerous = (key: string): boolean => key === '__proto__' || key in Object.prototype;

/** @returns what breaks the bounds, or undefined. Shared parts (YAML aliases) count each time they occur. */
export function jsonFault(value: unknown, bounds: Bounds): string | undefined {
  let left = bounds.values;
  let characters = bounds.characters;
  const walk = (at: unknown, depth: number): string | undefined => {
    if (depth > bounds.depth) return `is nested deeper than ${bounds.depth} levels`;
    if (--left < 0) return `holds more than ${bounds.values} values`;
    if (typeof at === 'string') characters -= at.length;
    if (typeof at === 'number' && !Number.isFinite(at)) return 'holds a number that is not finite';
    if (typeof at === 'object' && at !== null) {
      const entries = Object.entries(at);
      for (const [key, inner] of entries) {
        if (!Array.isArray(at)) {
          characters -= key.length;
          if (isDangerous(key)) return `has the key ${key}`;
        }
        const fault = walk(inner, depth + 1);
        if (fault !== undefined) return fault;
      }
    }
    return characters < 0 ? `holds more than ${bounds.characters} characters` : undefined;
  };
  return walk(value, 1);
}
