// The grant matrix as a person can read it: per scene one mark per field class, "+" granted, "-" refused.
import { FIELD_CLASS_IDS, type FieldClassId, grantBit, SCENE_IDS, type SceneId } from './scenes.ts';

/** One 16-character row, in the order of FIELD_CLASSES. Refusals are marks too, never gaps. */
export type GrantRows = Readonly<Record<SceneId, string>>;

/** Names the order of scenes and classes the marks refer to; a new list gets a new name. */
export const GRANT_VOCABULARY = 'concordat/1/scenes-12x16';

export function rowsOfGrants(grants: bigint): GrantRows {
  const row = (scene: SceneId) =>
    FIELD_CLASS_IDS.map((c) => ((grants & grantBit(scene, c)) === 0n ? '-' : '+')).join('');
  return Object.fromEntries(SCENE_IDS.map((scene) => [scene, row(scene)])) as Record<SceneId, string>;
}

export function grantsOfRows(rows: GrantRows): bigint {
  return SCENE_IDS.flatMap((scene) =>
    FIELD_CLASS_IDS.map((c, i) => (rows[scene].charAt(i) === '+' ? grantBit(scene, c) : 0n)),
  ).reduce((a, b) => a | b, 0n);
}

/** The bits of whole scenes over some field classes. */
export function grantsFor(scenes: readonly SceneId[], fieldClasses: readonly FieldClassId[]): bigint {
  return scenes.flatMap((scene) => fieldClasses.map((c) => grantBit(scene, c))).reduce((a, b) => a | b, 0n);
}

/** The same grants with one scene switched off: what "withdraw this" means. */
export const withoutScene = (grants: bigint, scene: SceneId): bigint => grants & ~grantsFor([scene], FIELD_CLASS_IDS);
