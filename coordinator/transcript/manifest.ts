// The bundle's manifest, kept up with the transcript: a line more for each file, made into a text when somebody asks.
import { join } from 'node:path';
import { writeFileAtomic } from '../../kit/files.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { entryName } from '../../protocol/transcript/bundle.ts';
import { encodeManifest, MANIFEST_NAME, type ManifestEntry } from '../../protocol/transcript/manifest.ts';

export interface LiveManifest {
  addEntry(sha256: Hex, bytes: number): void;
  /** Any number of times for the same blob. */
  addBlob(sha256: Hex, bytes: number): void;
  /** As of now; the same array until something is added. */
  bytes(): Uint8Array;
  /**
   * Brings the file beside the bundle's folders up to date. It serves those who copy the folder; it may be behind after a
   * kill, and is made again from the files at the next start.
   */
  write(): Promise<void>;
}

export function createManifest(directory: string): LiveManifest {
  const entries: ManifestEntry[] = [];
  const blobs = new Map<string, number>();
  let text: Uint8Array | undefined;
  let written: Uint8Array | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  function bytes(): Uint8Array {
    text ??= encodeManifest(
      entries,
      [...blobs].map(([name, length]) => ({ name, bytes: length })),
    );
    return text;
  }

  async function writeNow(): Promise<void> {
    const now = bytes();
    if (now === written) return;
    await writeFileAtomic(join(directory, MANIFEST_NAME), now);
    written = now;
  }

  return {
    addEntry(sha256, length) {
      entries.push({ name: entryName(entries.length), sha256, bytes: length });
      text = undefined;
    },
    addBlob(sha256, length) {
      const name = sha256.slice(2);
      if (blobs.has(name)) return;
      blobs.set(name, length);
      text = undefined;
    },
    bytes,
    write: () => {
      const result = queue.then(writeNow);
      queue = result.catch(() => undefined);
      return result;
    },
  };
}
