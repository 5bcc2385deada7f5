// A payload as it is made again, against the file of the first one.
import { closeSync, openSync, readSync } from 'node:fs';

export interface Comparison {
  readonly write: (part: Uint8Array) => void;
  /** Without a file there is nothing to differ from. */
  readonly result: () => { readonly bytes: number; readonly same: boolean };
  readonly close: () => void;
}

/** Synchronous, as sealing is. */
export function compareWithFile(path: string | undefined): Comparison {
  const file = path === undefined ? undefined : openSync(path, 'r');
  let [bytes, same] = [0, true];
  return {
    write(part) {
      if (file !== undefined) same &&= Buffer.from(part).equals(readNext(file, bytes, part.length));
      bytes += part.length;
    },
    result: () => ({ bytes, same: same && (file === undefined || readNext(file, bytes, 1).length === 0) }),
    close: () => {
      if (file !== undefined) closeSync(file);
    },
  };
}

function readNext(file: number, from: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const n = readSync(file, buffer, read, length - read, from + read);
    if (n === 0) break;
    read += n;
  }
  return buffer.subarray(0, read);
}
