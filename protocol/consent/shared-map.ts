// A map that is cheap to copy: copies share what they had in common, and each keeps what it has written since.

/** Written keys above this share of the common ones are put together with them at the next copy. */
const MERGE_ABOVE = 1 / 16;
const MERGE_ABOVE_COUNT = 256;

/** Grows and changes, never shrinks. Iterates in the order in which keys were first set, as `Map` does. */
export class SharedMap<K, V extends NonNullable<unknown>> {
  #common: ReadonlyMap<K, V> = new Map(); // never written: copies share it
  #own = new Map<K, V>();
  #added = 0; // keys of #own that #common does not have

  get size(): number {
    return this.#common.size + this.#added;
  }

  get(key: K): V | undefined {
    return this.#own.get(key) ?? this.#common.get(key);
  }

  set(key: K, value: V): void {
    if (!this.#own.has(key) && !this.#common.has(key)) this.#added += 1;
    this.#own.set(key, value);
  }

  *entries(): Generator<[K, V]> {
    for (const [key, value] of this.#common) yield [key, this.#own.get(key) ?? value];
    for (const [key, value] of this.#own) if (!this.#common.has(key)) yield [key, value];
  }

  clone(): SharedMap<K, V> {
    if (this.#own.size > Math.max(MERGE_ABOVE_COUNT, this.#common.size * MERGE_ABOVE)) {
      this.#common = new Map(this.entries());
      this.#own = new Map();
      this.#added = 0;
    }
    const copy = new SharedMap<K, V>();
    copy.#common = this.#common;
    copy.#own = new Map(this.#own);
    copy.#added = this.#added;
    return copy;
  }
}
