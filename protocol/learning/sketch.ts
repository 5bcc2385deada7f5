// What is left of a document that breaks its schema: the rules between its parts still run, on whatever is known.

/** Each part may be left out. Lists keep their places. */
export type Sketch<T> = T extends readonly (infer Entry)[]
  ? readonly (Sketch<Entry> | undefined)[]
  : T extends object
    ? string extends keyof T // a record of anything
      ? T
      : { readonly [Key in keyof T]?: Sketch<T[Key]> | undefined }
    : T;

/**
 * The value without what stands at the paths: all of it when one of them is empty.
 * The caller answers for the rest being a T.
 */
export function sketchOf<T>(value: unknown, without: readonly (readonly PropertyKey[])[]): Sketch<T> | undefined {
  return remaining(value, without) as Sketch<T> | undefined;
}

function remaining(value: unknown, without: readonly (readonly PropertyKey[])[]): unknown {
  if (without.some((path) => path.length === 0)) return undefined;
  if (without.length === 0 || typeof value !== 'object' || value === null) return value;
  const below = (key: string | number) =>
    without.filter(([first]) => String(first) === String(key)).map(([, ...rest]) => rest);
  if (Array.isArray(value)) return value.map((inner, i) => remaining(inner, below(i)));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, remaining(inner, below(key))]));
}
