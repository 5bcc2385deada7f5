// The grant matrix as a person can read it: per scene one mark per field class, "+" granted, "-" refused.
import { FIELD_CLASS_IDS, type FieldClassId, grantBit, SCENE_IDS, type SceneId } from './scenes.ts';

/** One 16-character row, in the order of FIELD_CLASSES. Refusals are marks too, never gaps. */
export type GrantRows = Readonly<Record<SceneId, string>>;

/** Names the order of scenes and classes the marks refer to; a new list gets a new name. */
export const GRANT_VOCABULARY = 'concordat/1/scenes-12x16';

const WIDTH = FIELD_CLASS_IDS.length;
const BITS = SCENE_IDS.length * WIDTH;
const reversed = (text: string): string => [...text].reverse().join('');

// Bit 16·scene + class is character `class` of row `scene`: the rows, put end to end, are the matrix lowest bit first.
export function rowsOfGrants(grants: bigint): GrantRows {
  const marks = reversed(grants.toString(2).padStart(BITS, '0')).replaceAll('0', '-').replaceAll('1', '+');
  const row = (i: number) => marks.slice(WIDTH * i, WIDTH * (i + 1));
  return Object.fromEntries(SCENE_IDS.map((scene, i) => [scene, row(i)])) as Record<SceneId, string>;
}

export function grantsOfRows(rows: GrantRows): bigint {
  const marks = SCENE_IDS.map((scene) => rows[scene]).join('');
  return BigInt(`0b${reversed(marks).replaceAll('-', '0').replaceAll('+', '1')}`);
}

/** The bits of whole scenes over some field classes. */
export function grantsFor(scenes: readonly SceneId[], fieldClasses: readonly FieldClassId[]): bigint {
  return scenes.flatMap((scene) => fieldClasses.map((c) => grantBit(scene, c))).reduce((a, b) => a | b, 0n);
}

/** The same grants with one scene switched off: what "withdraw this" means. */
export const withoutScene = (grants: bigint, scene: SceneId): bigint => grants & ~grantsFor([scene], FIELD_CLASS_IDS);
