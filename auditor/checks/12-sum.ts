// 12: the published aggregate is the sum of exactly the set's payloads: nobody dropped, added, or counted twice.
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { addResidues } from '../../protocol/secagg/coefficients.ts';
import type { Evidence } from '../evidence.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { type AuditedRound, payloadBlob, roundsWith, theEntry } from '../rounds.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const sumCheck: Check = {
  id: '12',
  title: 'The aggregate is the sum over exactly the finalised set',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    const rounds = roundsWith(evidence, 'aggregate');
    for (const round of rounds) {
      if (genesis === undefined) tally.unsure(`round ${round.round}: sum`, 'no task to tell its size');
      else await tally.attempt(`round ${round.round}: sum`, () => checkSum(evidence, genesis, round, tally));
    }
    return tally.result(`${rounds.length} sums`);
  },
};

async function checkSum(evidence: Evidence, genesis: Genesis, round: AuditedRound, tally: Tally): Promise<void> {
  const what = `round ${round.round}`;
  const entry = theEntry(evidence, 'aggregate', round.round);
  tally.same(`${what}: dealers summed, against the set`, entry.dealers.join(), round.finalised?.dealers.join());
  if (round.published !== undefined) {
    tally.same(`${what}: aggregate hash, against the chain`, entry.aggregate, round.published.aggregateHash);
  }
  const stated = await payloadBlob(evidence, entry.aggregate, genesis.blocks);
  // no engine at all: plain addition, the operation that the protocol defines
  const sum = new Uint32Array(genesis.blocks * RESIDUES_PER_BLOCK);
  for (const { payload } of round.members) {
    addResidues(sum, (await payloadBlob(evidence, payload, genesis.blocks)).residues);
  }
  const first = sum.findIndex((residue, i) => residue !== stated.residues[i]);
  tally.holds(`${what}: aggregate, against the recomputed sum`, first === -1, {
    got: `differs from residue ${first} on`,
  });
}
