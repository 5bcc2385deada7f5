// All planted faults as one suite over any history: each must be caught by the check that it names.
import { beforeAll, describe, expect, test } from 'vitest';
import { CHECKS, verify } from '../../../auditor/verify.ts';
import type { PlantedFault } from './fault.ts';
import { BUNDLE_FAULTS } from './faults-bundle.ts';
import { CONSENT_FAULTS } from './faults-consent.ts';
import { ROUND_FAULTS } from './faults-round.ts';
import { copyOf, evidenceOf, type RawEvidence } from './raw-evidence.ts';

const PLANTED_FAULTS: readonly PlantedFault[] = [...BUNDLE_FAULTS, ...CONSENT_FAULTS, ...ROUND_FAULTS];

/** A finished run may have to be made first. */
const SOURCE_WITHIN_MS = 600_000;

/** @param source an honest history; asked for once */
export function describePlantedFaults(name: string, source: () => Promise<RawEvidence>): void {
  describe(`faults planted in ${name}`, () => {
    let honest: RawEvidence;
    beforeAll(async () => {
      honest = await source();
    }, SOURCE_WITHIN_MS);

    test('without a fault every check holds', async () => {
      const report = await verify(await evidenceOf(honest));
      const broken = report.checks.filter(({ verdict }) => verdict !== 'pass');
      expect(broken.map(({ id, failures }) => ({ id, failures }))).toEqual([]);
    });

    test.each(PLANTED_FAULTS)('check $caughtBy catches $name', async ({ caughtBy, plant }) => {
      const raw = copyOf(honest);
      plant(raw);
      const checks = CHECKS.filter(({ id }) => id === caughtBy);
      const report = await verify(await evidenceOf(raw), undefined, checks);
      expect(report.checks.map(({ id, verdict }) => ({ id, verdict }))).toEqual([{ id: caughtBy, verdict: 'fail' }]);
      // caught for what it is: a check that merely broke off has not looked
      expect(report.checks[0]?.failures[0]?.what).not.toBe('the check broke off');
    });

    test('every check has a fault planted for it', () => {
      const caught = new Set(PLANTED_FAULTS.map(({ caughtBy }) => caughtBy));
      expect(CHECKS.map(({ id }) => id).filter((id) => !caught.has(id))).toEqual([]);
    });
  });
}
