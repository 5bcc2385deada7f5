// 12: the published aggregate is the sum of exactly the set's payloads: nobody dropped, added, or counted twice.
import { equalBytes, type Hex, toHex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { addResidues } from '../../protocol/secagg/coefficients.ts';
import { createFingerprinter, fingerprintChallenge } from '../../protocol/secagg/fingerprint.ts';
import { nobleShake128, type Xof } from '../../protocol/secagg/public-a.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { type BodyOf, type Evidence, entriesOf, signerOf } from '../evidence.ts';
import { type AuditedRound, forEachBlock, roundsWith, theEntry } from '../rounds.ts';
import { readTasks, type TaskFacts } from '../tasks.ts';
import { type Check, createTally, type Tally, withoutTask } from './check.ts';

export const sumCheck: Check = {
  id: '12',
  title: 'The aggregate is the sum over exactly the finalised set, and dealers’ fingerprints are signed by them for it',
  promises: ['P2', 'P6'],
  meaning:
    'The published sum is the sum of the uploads of that group and of nothing else: recomputed here from every upload. No dealer was left out, put in, or counted twice.',
  cannot: 'What any single upload contains.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    const rounds = roundsWith(evidence, 'aggregate', 'fingerprint');
    const notes = [`${rounds.length} sums`];
    for (const round of rounds) {
      const what = `round ${round.round}`;
      const facts = tasks?.of(round.opened);
      if (facts === undefined) withoutTask(tally, `${what}: sum`, round, 'no task to tell its size');
      else
        await tally.attempt(`${what}: sum`, async () => {
          notes.push(...(await checkSum(evidence, facts, round, tally)));
        });
    }
    return tally.result(notes.join('; '));
  },
};

/** @returns how many dealers gave their word for it, and whose word was false */
async function checkSum(evidence: Evidence, facts: TaskFacts, round: AuditedRound, tally: Tally): Promise<string[]> {
  const what = `round ${round.round}`;
  const { dealers, aggregate } = theEntry(evidence, 'aggregate', round.round);
  tally.same(`${what}: dealers summed, against the set`, dealers.join(), round.finalised?.dealers.join());
  if (round.published !== undefined) {
    tally.same(`${what}: aggregate hash, against the chain`, aggregate, round.published.aggregateHash);
  }
  const challenge = challengeOf(evidence, facts, round, aggregate);
  const words = readFingerprints(evidence, round, aggregate, tally);
  const sum = createSum(facts.blocks);
  const xof = remembering(nobleShake128);
  const liars: Hex[] = [];
  for (const { dealer, payload } of round.members) {
    const word = words.get(dealer);
    const own = word && createFingerprinter(challenge, xof);
    await forEachBlock(evidence, payload, facts.blocks, (index, residues) => {
      sum.add(index, residues);
      own?.addBlock(index, residues);
    });
    if (word !== undefined && own !== undefined && !equalBytes(word, own.finish())) liars.push(dealer);
  }
  await forEachBlock(evidence, aggregate, facts.blocks, (index, residues) => sum.compare(index, residues));
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

/** All dealers of a round are asked under one challenge: what it expands to is computed once for them. */
function remembering(xof: Xof): Xof {
  const known = new Map<string, Uint8Array>();
  return (input, bytes) => {
    const key = `${bytes}/${toHex(input)}`;
    const stream = known.get(key) ?? xof(input, bytes);
    known.set(key, stream);
    return stream;
  };
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
function challengeOf(
  { history }: Evidence,
  { blocks }: TaskFacts,
  round: AuditedRound,
  aggregateHash: Hex,
): Uint8Array {
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
