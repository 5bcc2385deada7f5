// The store: level behind numbered buckets. Values are bytes; writes that belong together go in one synced batch.
import { mkdir } from 'node:fs/promises';
import { Level } from 'level';
import { ConcordatError } from '../../protocol/errors.ts';

/** A key is `bucket/part/part`; numbers inside keys are padded so that they sort. */
export type Key = string;

export type Write = { readonly put: Key; readonly value: Uint8Array } | { readonly del: Key };

/** A part of a list, so that a long one is never read whole. */
export interface Range {
  /** Only keys behind this one. */
  readonly after?: Key;
  readonly limit?: number;
  /** From the last key on. */
  readonly reverse?: boolean;
}

export interface Store {
  get(key: Key): Promise<Uint8Array | undefined>;
  /** Atomic and synced to disk before it resolves. */
  write(writes: readonly Write[]): Promise<void>;
  /** Values under a prefix, in key order. */
  list(prefix: string, range?: Range): Promise<{ key: Key; value: Uint8Array }[]>;
  close(): Promise<void>;
}

export const keyOf = (...parts: readonly (string | number)[]): Key =>
  parts.map((part) => (typeof part === 'number' ? String(part).padStart(12, '0') : part)).join('/');

/** @throws ConcordatError STATE_CORRUPT when the folder is locked by another process or damaged */
export async function openStore(directory: string): Promise<Store> {
  await mkdir(directory, { recursive: true });
  const db = new Level<string, Uint8Array>(directory, { keyEncoding: 'utf8', valueEncoding: 'view' });
  try {
    await db.open();
  } catch (cause) {
    throw new ConcordatError('STATE_CORRUPT', `cannot open the store in ${directory}`, { directory }, { cause });
  }
  return {
    get: (key) => db.get(key),
    write: async (writes) => {
      await db.batch(
        writes.map((w) =>
          'put' in w ? { type: 'put' as const, key: w.put, value: w.value } : { type: 'del' as const, key: w.del },
        ),
        { sync: true },
      );
    },
    list: async (prefix, { after, limit, reverse = false } = {}) => {
      const rows: { key: Key; value: Uint8Array }[] = [];
      const from = after !== undefined && after >= prefix ? { gt: after } : { gte: prefix };
      const range = { ...from, lt: `${prefix}\uffff`, reverse, ...(limit !== undefined && { limit }) };
      for await (const [key, value] of db.iterator(range)) rows.push({ key, value });
      return rows;
    },
    close: () => db.close(),
  };
}
