// All planted faults as one suite over any history: each must be caught by the check that it names.
import { beforeAll, describe, expect, test } from 'vitest';
import { CHECKS, verify } from '../../../auditor/verify.ts';
import type { PlantedFault, ToldInNote } from './fault.ts';
import { BUNDLE_FAULTS } from './faults-bundle.ts';
import { CONSENT_FAULTS } from './faults-consent.ts';
import { KEY_FAULTS } from './faults-keys.ts';
import { ROUND_FAULTS } from './faults-round.ts';
import { SHARING_FAULTS } from './faults-sharing.ts';
import { copyOf, evidenceOf, type RawEvidence } from './raw-evidence.ts';

const PLANTED_FAULTS: readonly PlantedFault[] = [
  ...BUNDLE_FAULTS,
  ...CONSENT_FAULTS,
  ...KEY_FAULTS,
  ...SHARING_FAULTS,
  ...ROUND_FAULTS,
];

/** A finished run may have to be made first. */
const SOURCE_WITHIN_MS = 600_000;

export interface Insiders {
  /** Faults of parties who sign what they tell: only for a history whose private keys are at hand. */
  readonly faults: readonly PlantedFault[];
  readonly told: readonly ToldInNote[];
}

/** @param source an honest history; asked for once */
export function describePlantedFaults(
  name: string,
  source: () => Promise<RawEvidence>,
  insiders: Insiders = { faults: [], told: [] },
): void {
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

    test.each([...PLANTED_FAULTS, ...insiders.faults])(
      'check $caughtBy catches $name',
      async ({ caughtBy, plant, seenAs }) => {
        const raw = copyOf(honest);
        plant(raw);
        const checks = CHECKS.filter(({ id }) => id === caughtBy);
        const report = await verify(await evidenceOf(raw), undefined, checks);
        expect(report.checks.map(({ id, verdict }) => ({ id, verdict }))).toEqual([{ id: caughtBy, verdict: 'fail' }]);
        // caught for what it is: a check that merely broke off has not looked
        const failures = report.checks[0]?.failures.map(({ what }) => what) ?? [];
        expect(failures[0]).not.toBe('the check broke off');
        if (seenAs !== undefined) expect(failures.join('\n')).toMatch(seenAs);
      },
    );

    test.for(insiders.told)('check $toldBy tells $name, and passes', async ({ toldBy, plant, note }) => {
      const raw = copyOf(honest);
      plant(raw);
      const checks = CHECKS.filter(({ id }) => id === toldBy);
      const [report] = (await verify(await evidenceOf(raw), undefined, checks)).checks;
      expect({ verdict: report?.verdict, failures: report?.failures }).toEqual({ verdict: 'pass', failures: [] });
      expect(report?.note).toContain(note(raw));
    });

    test('every check has a fault planted for it', () => {
      const caught = new Set(PLANTED_FAULTS.map(({ caughtBy }) => caughtBy));
      expect(CHECKS.map(({ id }) => id).filter((id) => !caught.has(id))).toEqual([]);
    });
  });
}
