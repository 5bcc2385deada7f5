// All planted faults as one suite over any history: each must be caught by the check that it names.
import { beforeAll, describe, expect, test } from 'vitest';
import { CHECKS, verify } from '../../../auditor/verify.ts';
import { type Insiders, PLANTED_FAULTS } from './all-faults.ts';
import type { PlantedFault } from './fault.ts';
import { copyOf, evidenceOf, type RawEvidence } from './raw-evidence.ts';

/** A finished run may have to be made first. */
const SOURCE_WITHIN_MS = 600_000;

/** @param source an honest history; asked for once */
export function describePlantedFaults(
  name: string,
  source: () => Promise<RawEvidence>,
  insiders: Insiders = { faults: [], told: [] },
): void {
  describe(`faults planted in ${name}`, () => {
    const honest = madeOnce(source);

    test('without a fault every check holds', async () => {
      const report = await verify(await evidenceOf(honest()));
      const broken = report.checks.filter(({ verdict }) => verdict !== 'pass');
      expect(broken.map(({ id, failures }) => ({ id, failures }))).toEqual([]);
    });

    test.each([...PLANTED_FAULTS, ...insiders.faults])('check $caughtBy catches $name', (one) =>
      catches(honest(), one),
    );

    test.for(insiders.told)('check $toldBy tells $name, and passes', async ({ toldBy, plant, note }) => {
      const raw = copyOf(honest());
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

function madeOnce(source: () => Promise<RawEvidence>): () => RawEvidence {
  let made: RawEvidence | undefined;
  beforeAll(async () => {
    made = await source();
  }, SOURCE_WITHIN_MS);
  return () => {
    if (made === undefined) throw new Error('asked for before it was made');
    return made;
  };
}

/** Faults for one kind of history, which need not be a whole one: the checks that catch them hold on it before. */
export function describeFaults(
  name: string,
  source: () => Promise<RawEvidence>,
  faults: readonly PlantedFault[],
): void {
  describe(`faults planted in ${name}`, () => {
    const honest = madeOnce(source);

    test.each([...new Set(faults.map(({ caughtBy }) => caughtBy))])('without a fault check %s holds', async (id) => {
      const { checks } = await verify(await evidenceOf(honest()), undefined, checkOf(id));
      expect(checks.map(({ verdict, failures }) => ({ verdict, failures }))).toEqual([
        { verdict: 'pass', failures: [] },
      ]);
    });

    test.each([...faults])('check $caughtBy catches $name', (one) => catches(honest(), one));
  });
}

const checkOf = (id: string) => CHECKS.filter((check) => check.id === id);

async function catches(honest: RawEvidence, { caughtBy, plant, seenAs }: PlantedFault): Promise<void> {
  const raw = copyOf(honest);
  plant(raw);
  const report = await verify(await evidenceOf(raw), undefined, checkOf(caughtBy));
  expect(report.checks.map(({ id, verdict }) => ({ id, verdict }))).toEqual([{ id: caughtBy, verdict: 'fail' }]);
  // caught for what it is: a check that merely broke off has not looked
  const failures = report.checks[0]?.failures.map(({ what }) => what) ?? [];
  expect(failures[0]).not.toBe('the check broke off');
  if (seenAs !== undefined) expect(failures.join('\n')).toMatch(seenAs);
}
