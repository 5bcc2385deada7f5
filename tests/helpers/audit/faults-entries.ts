// A flipped bit in an entry of every kind: whatever it says, the next entry names another hash.

import { entryName } from '../../../protocol/transcript/bundle.ts';
import { fault, first, type PlantedFault } from './fault.ts';
import { bodiesOf, flipped } from './raw-evidence.ts';

const KINDS = [
  'genesis',
  'consent',
  'upload',
  'vouch',
  'aggregate',
  'fingerprint',
  'answer',
  'opened',
  'model',
] as const;

export const ENTRY_FAULTS: readonly PlantedFault[] = KINDS.map((kind) =>
  fault(
    '02',
    `a flipped bit in an entry: ${kind}`,
    (raw) => {
      const at = bodiesOf(raw).flatMap(({ type }, seq) => (type === kind ? [seq] : []));
      const path = `entries/${entryName(first(at, kind))}`;
      raw.files.set(path, flipped(raw.files.get(path) ?? new Uint8Array()));
    },
    /\[TRA-1\]|\[TRA-2\]/,
  ),
);
