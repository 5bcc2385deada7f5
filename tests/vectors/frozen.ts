// The frozen vectors of secure aggregation, typed by what builds them, and the bytes that they are about.
import { readFileSync } from 'node:fs';
import { createSealer } from '../../edge-node/seal/seal.ts';
import { sealingKeysFrom } from '../../engines/keys/sealing.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { type SealedInMemory, sealInMemory } from '../unit/secagg-fixtures.ts';
import { type buildVectors, VECTORS } from './secagg-build.ts';
import type { BuiltRound } from './secagg-round-build.ts';
import { type VectorRound, vectorKeySeed, vectorStream, vectorValues } from './secagg-rounds.ts';

type Files = Awaited<ReturnType<typeof buildVectors>>;
export type FrozenRound = BuiltRound['frozen'];

export const textOf = (name: string): string => readFileSync(new URL(name, VECTORS), 'utf8');

export const frozen = <Name extends 'secagg.json' | 'secagg-sharings.json' | 'secagg-negative.json'>(
  name: Name,
): Files[Name] => JSON.parse(textOf(name)) as Files[Name];

export const frozenRound = ({ packing }: VectorRound): FrozenRound =>
  JSON.parse(textOf(`secagg-${packing.name}.json`)) as FrozenRound;

export const vectorKeys = (index: number) => sealingKeysFrom(vectorKeySeed(index));

/** The round's updates, sealed by an engine. */
export function sealVectorRound(ring: Ring, round: VectorRound): SealedInMemory[] {
  const keyHolders = Array.from({ length: round.holders }, (_, i) => ({
    index: i + 1,
    publicKey: vectorKeys(i + 1).publicKey,
  }));
  return round.dealers.map((dealer) => {
    const request = {
      ...round,
      dealer,
      dealers: round.dealers.length,
      values: vectorValues(round, dealer),
      keyHolders,
    };
    return sealInMemory(createSealer({ ring, random: vectorStream(round, dealer) }), request);
  });
}
