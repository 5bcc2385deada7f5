// 12: the published aggregate is the sum of exactly the set's payloads: nobody dropped, added, or counted twice.
import { equalBytes, type Hex, toHex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { addResidues } from '../../protocol/secagg/coefficients.ts';
import { createFingerprinter, fingerprintChallenge } from '../../protocol/secagg/fingerprint.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { type BodyOf, type Evidence, entriesOf, signerOf } from '../evidence.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { type AuditedRound, forEachBlock, roundsWith, theEntry } from '../rounds.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const sumCheck: Check = {
  id: '12',
  title: 'The aggregate is the sum over exactly the finalised set, and dealers’ fingerprints are signed by them for it',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    const rounds = roundsWith(evidence, 'aggregate', 'fingerprint');
    const notes = [`${rounds.length} sums`];
    for (const round of rounds) {
      const what = `round ${round.round}`;
      if (genesis === undefined) tally.unsure(`${what}: sum`, 'no task to tell its size');
      else
        await tally.attempt(`${what}: sum`, async () => {
          notes.push(...(await checkSum(evidence, genesis, round, tally)));
        });
    }
    return tally.result(notes.join('; '));
  },
};

/** @returns how many dealers gave their word for it, and whose word was false */
async function checkSum(evidence: Evidence, genesis: Genesis, round: AuditedRound, tally: Tally): Promise<string[]> {
  const what = `round ${round.round}`;
  const { dealers, aggregate } = theEntry(evidence, 'aggregate', round.round);
  tally.same(`${what}: dealers summed, against the set`, dealers.join(), round.finalised?.dealers.join());
  if (round.published !== undefined) {
    tally.same(`${what}: aggregate hash, against the chain`, aggregate, round.published.aggregateHash);
  }
  const challenge = challengeOf(evidence, genesis, round, aggregate);
  const words = readFingerprints(evidence, round, aggregate, tally);
  const sum = createSum(genesis.blocks);
  const liars: Hex[] = [];
  for (const { dealer, payload } of round.members) {
    const word = words.get(dealer);
    const own = word && createFingerprinter(challenge);
    await forEachBlock(evidence, payload, genesis.blocks, (index, residues) => {
      sum.add(index, residues);
      own?.addBlock(index, residues);
    });
    if (word !== undefined && own !== undefined && !equalBytes(word, own.finish())) liars.push(dealer);
  }
  await forEachBlock(evidence, aggregate, genesis.blocks, (index, residues) => sum.compare(index, residues));
  const first = sum.firstDifference();
  const holds = tally.holds(`${what}: aggregate, against the recomputed sum`, first === undefined, {
    got: `differs from residue ${first} on`,
  });
  const notes = [`${what}: ${words.size} of ${round.members.length} dealers signed a fingerprint`];
  // with the whole sum recomputed no fingerprint is needed: false ones may cancel out, which the key-holders cannot see
  if (holds) return [...notes, ...liars.map((dealer) => `${what}: the fingerprint of ${dealer} is not of its payload`)];
  for (const dealer of liars) tally.fails(`${what}: fingerprint of ${dealer}`, 'not of its payload');
  return notes;
}

/** No engine at all: plain addition, the operation that the protocol defines. Holds one sum, however many payloads. */
function createSum(blocks: number) {
  const sum = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  const part = (index: number) => sum.subarray(index * RESIDUES_PER_BLOCK, (index + 1) * RESIDUES_PER_BLOCK);
  let first: number | undefined;
  return {
    add: (index: number, residues: Uint32Array) => addResidues(part(index), residues),
    /** Blocks in order. */
    compare(index: number, residues: Uint32Array): void {
      if (first !== undefined) return;
      const at = part(index).findIndex((residue, i) => residue !== residues[i]);
      if (at !== -1) first = index * RESIDUES_PER_BLOCK + at;
    },
    firstDifference: () => first,
  };
}

/** From chain facts alone, but for the aggregate that it is about. */
function challengeOf({ history }: Evidence, { blocks }: Genesis, round: AuditedRound, aggregateHash: Hex): Uint8Array {
  const { chainId, ledger } = history.deployment;
  return fingerprintChallenge({
    chainId,
    ledger,
    round: round.round,
    setHash: setHash(round.round, round.finalised?.dealers ?? []),
    payloadHashes: round.members.map(({ payload }) => payload),
    aggregateHash,
    blocks,
  });
}

/**
 * What dealers of the set signed for this aggregate. Those who had gone by then have signed nothing: what they sent is
 * summed again all the same.
 */
function readFingerprints(
  evidence: Evidence,
  round: AuditedRound,
  aggregate: Hex,
  tally: Tally,
): ReadonlyMap<Hex, Uint8Array> {
  const words = new Map<Hex, Uint8Array>();
  for (const { body } of entriesOf(evidence.bundle, 'fingerprint')) {
    if (body.round !== round.round) continue;
    const { dealer } = body;
    const what = `round ${round.round}, fingerprint by ${dealer}`;
    const isMember = round.members.some((member) => member.dealer === dealer);
    const isSigned = tally.same(`${what}: signed by`, fingerprintSigner(evidence, body), dealer);
    tally.holds(`${what}: from a dealer of the set`, isMember);
    tally.same(`${what}: of this aggregate`, body.aggregate, aggregate);
    tally.holds(`[TRA-4] ${what}: the only one`, !words.has(dealer));
    if (isMember && isSigned) words.set(dealer, body.fingerprint);
  }
  return words;
}

function fingerprintSigner(evidence: Evidence, body: BodyOf<'fingerprint'>): Hex | undefined {
  const { dealer, round, aggregate: aggregateHash, signature } = body;
  return signerOf(
    evidence,
    'Fingerprint',
    { dealer, round, aggregateHash, fingerprint: toHex(body.fingerprint) },
    signature,
  );
}
