// [AGG-13] Sums of more blocks than are opened at once: each block lands where it belongs, and a fault in the last one is seen.
import { beforeAll, describe, expect, test } from 'vitest';
import { sumCheck } from '../../auditor/checks/12-sum.ts';
import { openingCheck } from '../../auditor/checks/13-opening.ts';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { payloadOf, residuesOf } from '../helpers/audit/payload-bytes.ts';
import {
  blobOf,
  bodyOf,
  changeBodies,
  changeEvents,
  copyOf,
  evidenceOf,
  putBlob,
  type RawEvidence,
} from '../helpers/audit/raw-evidence.ts';
import { wideFederation } from '../helpers/audit/synthetic-federation.ts';

const BLOCKS = 17;

let honest: RawEvidence;
beforeAll(async () => {
  honest = await wideFederation();
});

/** A residue of the aggregate up by one, everywhere that its hash stands. */
function nudged(at: number): RawEvidence {
  const raw = copyOf(honest);
  const residues = residuesOf(blobOf(raw, bodyOf(raw, 'aggregate').aggregate));
  residues[at] = (residues[at] ?? 0) + 1;
  const aggregate = putBlob(raw, payloadOf(residues));
  changeBodies(raw, 'aggregate', () => ({ aggregate }));
  changeEvents(raw, 'Published', () => ({ aggregateHash: aggregate }));
  return raw;
}

describe(`a sum of ${BLOCKS} blocks`, () => {
  test('is added, fingerprinted and opened as it was made', async () => {
    const evidence = await evidenceOf(honest);
    expect(residuesOf(blobOf(honest, bodyOf(honest, 'aggregate').aggregate))).toHaveLength(BLOCKS * RESIDUES_PER_BLOCK);
    for (const check of [sumCheck, openingCheck]) {
      expect((await check.run(evidence)).failures).toEqual([]);
    }
  });

  test.each([0, 16 * RESIDUES_PER_BLOCK - 1, 16 * RESIDUES_PER_BLOCK, BLOCKS * RESIDUES_PER_BLOCK - 1])(
    'with residue %i up by one is another sum, and opens to noise',
    async (at) => {
      const evidence = await evidenceOf(nudged(at));
      const summed = await sumCheck.run(evidence);
      expect(summed.failures.map(({ got }) => got)).toContain(`differs from residue ${at} on`);
      const opened = await openingCheck.run(evidence);
      expect(opened.failures.map(({ what }) => what).join()).toContain('looks like the noise');
    },
  );

  test('with a value stated otherwise in the last block', async () => {
    const raw = copyOf(honest);
    const values = blobOf(raw, bodyOf(raw, 'opened').values);
    values[values.length - 4] = (values.at(-4) ?? 0) ^ 1;
    const hash = putBlob(raw, values);
    expect(hash).toBe(toHex(sha256(values)));
    changeBodies(raw, 'opened', () => ({ values: hash }));
    const { failures } = await openingCheck.run(await evidenceOf(raw));
    expect(failures.map(({ got }) => got)).toEqual([`differ from value ${values.length / 4 - 1} on`]);
  });
});
