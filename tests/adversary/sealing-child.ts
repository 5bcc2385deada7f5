// A dealer's process that seals one attempt and kills itself at a named point, for secagg-once.test.ts to pick up after.
import { join } from 'node:path';
import { createSealRing } from '../../auditor/ring/seal.ts';
import { createOneTimeSealer, type SealJournal } from '../../edge-node/seal/once.ts';
import { createPayloadFiles, type PayloadFiles } from '../../edge-node/seal/payload-files.ts';
import { createSealer } from '../../edge-node/seal/seal.ts';
import { openStore } from '../../engines/store/store.ts';
import { sealRound } from '../unit/secagg-fixtures.ts';

/** In the order in which a sealing passes them. */
export const KILL_POINTS = [
  'before the journal begins',
  'after the journal began',
  'half-way through the payload',
  'before the file has its name',
  'after the file has its name',
  'before the journal ends',
  'after the journal ended',
] as const;
export type KillPoint = (typeof KILL_POINTS)[number];

/** Small: two blocks, so that half of the payload is one. */
export const SHAPE = { dealers: 1, holders: 3, threshold: 2, valueCount: 13_000 } as const;

async function sealAndDie(directory: string, point: KillPoint): Promise<void> {
  const die = (at: KillPoint): void => {
    if (at === point) process.kill(process.pid, 'SIGKILL');
  };
  const ring = await createSealRing();
  const request = sealRound(ring, SHAPE).requests[0];
  if (request === undefined) throw new Error('no request');
  const store = await openStore(join(directory, 'store'));
  const real = createPayloadFiles(join(directory, 'payloads'));
  let writes = 0;
  const journal: SealJournal = {
    ...store,
    write: async (rows) => {
      writes += 1;
      die(writes === 1 ? 'before the journal begins' : 'before the journal ends');
      await store.write(rows);
      die(writes === 1 ? 'after the journal began' : 'after the journal ended');
    },
  };
  const files: PayloadFiles = {
    ...real,
    create: (round, attempt, fill) => {
      const result = real.create(round, attempt, (write) => {
        const filled = fill((part) => {
          const half = Math.floor(part.length / 2);
          write(part.subarray(0, half));
          if (part.length > 8) die('half-way through the payload');
          write(part.subarray(half));
        });
        die('before the file has its name');
        return filled;
      });
      die('after the file has its name');
      return result;
    },
  };
  await createOneTimeSealer({ sealer: createSealer({ ring }), journal, files }).seal(request);
}

const [, script = '', directory = '', point = ''] = process.argv;
if (script.endsWith('sealing-child.ts')) await sealAndDie(directory, point as KillPoint);
