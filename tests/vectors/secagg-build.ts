// Builds protocol/vectors/secagg*.json. Everything in them comes from plain references; nothing that they test is used.
// Rebuild: npx tsx tests/vectors/secagg-build.ts (only with a new protocol version).
import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { buildCommon, buildSharings } from './secagg-common-build.ts';
import { buildNegative } from './secagg-negative-build.ts';
import { buildRound } from './secagg-round-build.ts';
import { VECTOR_ROUNDS } from './secagg-rounds.ts';

export const VECTORS = new URL('../../protocol/vectors/', import.meta.url);

/** File name -> what is in it. */
export async function buildVectors() {
  const rounds = [];
  for (const round of VECTOR_ROUNDS) rounds.push(await buildRound(round));
  const [first] = rounds;
  if (first === undefined) throw new Error('no round');
  return {
    'secagg.json': buildCommon(),
    'secagg-sharings.json': buildSharings(first),
    'secagg-negative.json': buildNegative(first),
    ...Object.fromEntries(rounds.map(({ round, frozen }) => [`secagg-${round.packing.name}.json`, frozen])),
  };
}

/** Numbers of one list on one line: most of the files is lists. */
export const toText = (vectors: unknown): string =>
  `${JSON.stringify(vectors, undefined, 2).replaceAll(/\[\s+([^[\]{}]*?)\s+\]/g, (_, list: string) => `[${list.replaceAll(/\s*\n\s*/g, ' ')}]`)}\n`;

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [name, vectors] of Object.entries(await buildVectors())) {
    await writeFile(new URL(name, VECTORS), toText(vectors));
  }
}
