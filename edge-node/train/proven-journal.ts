// How far a task's published models are proven: the last one that this node made again, and one that it found false. Written after
// the check and never before it: a node killed in between checks once more.
import { keyOf, type Store } from '../../engines/store/store.ts';
import { concatBytes, fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import type { Judged } from './published-line.ts';

export interface ProvenJournal {
  proven(): Promise<Judged | undefined>;
  /** None is left once a round from it on is proven. */
  refused(): Promise<Judged | undefined>;
  prove(round: Judged): Promise<void>;
  refuse(round: Judged): Promise<void>;
}

const [PROVEN, REFUSED] = ['proven-model', 'refused-model']; // task -> round (uint32le), seed, model hash
const ROW_BYTES = 4 + 32 + 32;

export function createProvenJournal(store: Pick<Store, 'get' | 'write'>, taskHash: Hex): ProvenJournal {
  const [proven, refused] = [keyOf(PROVEN, taskHash), keyOf(REFUSED, taskHash)];

  async function read(key: string): Promise<Judged | undefined> {
    const row = await store.get(key);
    if (row?.length !== ROW_BYTES) return undefined;
    const round = new DataView(row.buffer, row.byteOffset).getUint32(0, true);
    return { round, seed: toHex(row.subarray(4, 36)), model: toHex(row.subarray(36)) };
  }

  return {
    proven: () => read(proven),
    refused: () => read(refused),
    async prove(judged) {
      const old = await read(refused);
      const isOver = old !== undefined && old.round <= judged.round;
      await store.write([{ put: proven, value: rowOf(judged) }, ...(isOver ? [{ del: refused }] : [])]);
    },
    refuse: (judged) => store.write([{ put: refused, value: rowOf(judged) }]),
  };
}

function rowOf({ round, seed, model }: Judged): Uint8Array {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, round, true);
  return concatBytes(number, fromHex(seed), fromHex(model));
}
