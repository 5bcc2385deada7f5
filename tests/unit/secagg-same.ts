// Comparing long arrays: a memory comparison first, because the assertion walks ten thousand words in tens of milliseconds.
import { expect } from 'vitest';

type Words = Uint16Array | Uint32Array | Int32Array;

const bytesOf = ({ buffer, byteOffset, byteLength }: Words): Buffer => Buffer.from(buffer, byteOffset, byteLength);

/** As expect(actual).toEqual(expected), which is what says where they differ. */
export function expectSame<Array extends Words>(actual: Array, expected: Array): void {
  if (actual.constructor === expected.constructor && bytesOf(actual).equals(bytesOf(expected))) return;
  expect(actual).toEqual(expected);
  throw new Error('the bytes differ, and the assertion does not see it');
}
