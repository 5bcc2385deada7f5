// The rules a SIMULATED customer may choose: archetypes, conditions and how often each is chosen.
import { grantsFor } from '../../protocol/consent/grants.ts';
import { EVIDENCE, NO_PRIVACY_CAP, type Policy } from '../../protocol/consent/policy.ts';
import { quarterStart } from '../../protocol/consent/quarter.ts';
import { FIELD_CLASSES, type FieldClassId, SCENE_IDS, type SceneId } from '../../protocol/consent/scenes.ts';

const HARMLESS: readonly FieldClassId[] = FIELD_CLASSES.filter(({ sensitive }) => !sensitive).map(({ id }) => id);
const ADVERTISING: readonly SceneId[] = ['marketing-messages', 'personal-offers', 'third-party-sharing'];
const WORKSHOP: readonly SceneId[] = ['service-reminder', 'repair-diagnosis', 'parts-scheduling'];
const TRAINING: readonly SceneId[] = ['model-training', 'lead-scoring'];

/** Archetype -> the grants it stands for. */
const ARCHETYPES = {
  'all-but-sensitive': grantsFor(SCENE_IDS, HARMLESS),
  'no-marketing': grantsFor(
    SCENE_IDS.filter((scene) => !ADVERTISING.includes(scene)),
    HARMLESS,
  ),
  helpful: grantsFor(
    [...TRAINING, ...WORKSHOP, 'churn-retention', 'synthetic-fit'],
    ['identity', 'contact', 'demographics', 'area-statistics', 'insurance', 'vehicle', 'service-history'],
  ),
  lean: grantsFor(TRAINING, ['demographics', 'area-statistics', 'insurance']),
  'service-only': grantsFor(WORKSHOP, ['identity', 'contact', 'vehicle', 'service-history']),
  'privacy-minded': grantsFor([...TRAINING, 'synthetic-fit'], ['area-statistics']),
  'no-training': grantsFor(
    SCENE_IDS.filter((scene) => scene !== 'model-training'),
    HARMLESS,
  ),
  'statistics-only': grantsFor(['synthetic-fit'], HARMLESS),
  'refuse-all': 0n,
} as const satisfies Record<string, bigint>;

export type Archetype = keyof typeof ARCHETYPES;

export interface CatalogueRule {
  readonly archetype: Archetype;
  readonly policy: Policy;
  /** Share of the customers, in units of the catalogue's sum. */
  readonly weight: number;
}

interface Variation {
  /** The policy ends at the start of this quarter after the current one; 0 = it has ended. */
  readonly quarters: number;
  readonly floorBps?: number;
  readonly capMilli?: number;
  readonly onPaper?: boolean;
}

/**
 * 43 rules. About 80 % of the weight grants model-training and lead-scoring over demographics, area statistics and
 * insurance, by passkey, unexpired and without a privacy cap, on 24 of them: 12 without an accuracy floor (one proof), 12
 * with one (another proof).
 */
export function ruleCatalogue(nowSeconds: number): CatalogueRule[] {
  const rule = (archetype: Archetype, weight: number, variation: Variation): CatalogueRule => ({
    archetype,
    weight,
    policy: {
      grants: ARCHETYPES[archetype],
      conditions: {
        expiry: quarterStart(nowSeconds, variation.quarters),
        accuracyFloorBps: variation.floorBps ?? 0,
        privacyCapMilli: variation.capMilli ?? NO_PRIVACY_CAP,
        evidence: variation.onPaper === true ? EVIDENCE.attested : EVIDENCE.passkey,
      },
    },
  });
  const willing = { 'all-but-sensitive': 220, 'no-marketing': 200, helpful: 130, lean: 90 } as const;
  const expiries = [
    [4, 0.6],
    [8, 0.28],
    [2, 0.12],
  ] as const; // a year, two, half a one; quarters and share
  const floors = [
    [9000, 30],
    [9200, 34],
    [9350, 16],
  ] as const;
  const trainable: readonly Archetype[] = ['all-but-sensitive', 'no-marketing', 'helpful', 'lean'];
  return [
    ...(Object.entries(willing) as [Archetype, number][]).flatMap(([archetype, weight]) =>
      expiries.map(([quarters, share]) => rule(archetype, weight * share, { quarters })),
    ),
    ...floors.flatMap(([floorBps, weight]) => [
      rule('all-but-sensitive', weight, { quarters: 4, floorBps }),
      rule('all-but-sensitive', weight / 4, { quarters: 8, floorBps }),
      rule('no-marketing', weight * 0.7, { quarters: 4, floorBps }),
      rule('helpful', weight / 8, { quarters: 4, floorBps }),
    ]),
    ...trainable.map((archetype) => rule(archetype, 8, { quarters: 4, capMilli: 3000 })),
    rule('no-marketing', 6, { quarters: 4, capMilli: 1000 }),
    rule('lean', 5, { quarters: 4, capMilli: 1000 }),
    rule('no-marketing', 3, { quarters: 4, capMilli: 3000, floorBps: 9200 }),
    rule('all-but-sensitive', 9, { quarters: 0 }),
    rule('helpful', 5, { quarters: 0 }),
    rule('service-only', 3, { quarters: 0 }),
    rule('all-but-sensitive', 14, { quarters: 4, onPaper: true }),
    rule('service-only', 8, { quarters: 4, onPaper: true }),
    rule('service-only', 30, { quarters: 4 }),
    rule('service-only', 12, { quarters: 8 }),
    rule('privacy-minded', 14, { quarters: 4 }),
    rule('privacy-minded', 5, { quarters: 4, floorBps: 9350 }),
    rule('no-training', 22, { quarters: 4 }),
    rule('statistics-only', 8, { quarters: 4 }),
    rule('refuse-all', 18, { quarters: 4 }),
  ];
}
