// How far a task's published models are proven: the last one that this node made again. Written after the check and never before
// it: a node killed in between checks once more.
import { keyOf, type Store } from '../../engines/store/store.ts';
import { concatBytes, fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import type { Published } from './published-line.ts';

export interface ProvenJournal {
  read(): Promise<Published | undefined>;
  write(published: Published): Promise<void>;
}

const BUCKET = 'proven-model'; // task -> round (uint32le), model hash
const ROW_BYTES = 4 + 32;

export function createProvenJournal(store: Pick<Store, 'get' | 'write'>, taskHash: Hex): ProvenJournal {
  const key = keyOf(BUCKET, taskHash);
  return {
    async read() {
      const row = await store.get(key);
      if (row?.length !== ROW_BYTES) return undefined;
      const round = new DataView(row.buffer, row.byteOffset).getUint32(0, true);
      return { round, model: toHex(row.subarray(4)) };
    },
    async write({ round, model }) {
      const number = new Uint8Array(4);
      new DataView(number.buffer).setUint32(0, round, true);
      await store.write([{ put: key, value: concatBytes(number, fromHex(model)) }]);
    },
  };
}
