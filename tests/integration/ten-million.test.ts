// A model of ten million parameters through the real coordinator and key-holders, each within a gibibyte.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { featureCount } from '../../protocol/learning/features.ts';
import { layoutOf, parameterCount } from '../../protocol/learning/model.ts';
import { startDealer, type WireDealer } from '../helpers/wire/dealer.ts';
import { openWireWorld, type WireWorld } from '../helpers/wire/world.ts';

const GIBIBYTE_MB = 1_024;

let world: WireWorld;
let dealers: WireDealer[];
beforeAll(async () => {
  world = await openWireWorld((document) => {
    document.model.layers = [
      { units: 4_096, activation: 'relu' },
      { units: 2_048, activation: 'relu' },
      { units: 1, activation: 'sigmoid' },
    ];
    document.update.packing = '4x19';
  });
  dealers = [];
  for (const identity of world.dealers) dealers.push(await startDealer(world, identity));
}, 120_000);
afterAll(async () => {
  for (const dealer of dealers ?? []) dealer.stop();
  await world?.stop();
});

test.runIf(existsSync('/proc/self/status'))(
  'five dealers, 9.8 million parameters: exact, and under 1 GiB',
  async () => {
    expect(parameterCount(layoutOf(world.task, featureCount(world.contract)))).toBeGreaterThan(9_500_000);
    const round = await world.openRound();
    for (const dealer of dealers) await dealer.takePart(round);
    const outcome = await world.outcome(round);
    expect(outcome).toMatchObject({ status: 'published', dealers: 5, suspects: [] });
    const peak = await world.peakRssMb();
    console.log(`peak memory: coordinator ${peak.coordinator} MB, key-holder ${peak.keyHolder} MB`, outcome.timingsMs);
    expect(peak.coordinator).toBeLessThan(GIBIBYTE_MB);
    expect(peak.keyHolder).toBeLessThan(GIBIBYTE_MB);
  },
);
