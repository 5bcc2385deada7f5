// Faults in who carries on whom, in any history: one that goes on after its end, and one that names a predecessor nobody can read.
import type { ChainEvent } from '../../../auditor/history.ts';
import { addressNamed } from './chronicle.ts';
import { fault, type PlantedFault } from './fault.ts';
import { type RawEvidence, theEvent } from './raw-evidence.ts';

function insertAt(raw: RawEvidence, place: number, event: ChainEvent): void {
  const { events } = raw.history;
  raw.history = { ...raw.history, events: [...events.slice(0, place), event, ...events.slice(place)] };
}

export const LINEAGE_FAULTS: readonly PlantedFault[] = [
  fault(
    '18',
    'a round that goes on after a successor was named',
    (raw) => {
      const { events } = raw.history;
      const place = events.findIndex(({ name }) => name === 'RoundOpened') + 1;
      const { at } = theEvent(raw, 'RoundOpened');
      insertAt(raw, place, { name: 'SuccessorNamed', at, successor: addressNamed('heir') });
    },
    /had a successor/,
  ),
  fault(
    '18',
    'a federation that names two predecessors',
    (raw) => {
      const { at } = theEvent(raw, 'ContractsSet');
      for (const name of ['one', 'another']) {
        insertAt(raw, 0, { name: 'PredecessorNamed', at, predecessor: addressNamed(name) });
      }
    },
    /predecessors named/,
  ),
];
