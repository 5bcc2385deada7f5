// 13: enough key-holders answered for this very set, on one polynomial, and the sum opens to what is stated. With SEAL.
import { fromHex, type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { RING_DEGREE, VALUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { findOutliers } from '../../protocol/secagg/liars.ts';
import { createNoiseMeter } from '../../protocol/secagg/noise.ts';
import { createPackingProfile, unpackSums } from '../../protocol/secagg/packing.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { decodeShare, type IndexedShare, reconstruct } from '../../protocol/secagg/shamir.ts';
import { type Evidence, entriesOf, signerOf } from '../evidence.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { eventsOf } from '../history.ts';
import { type AuditedRound, payloadBlob, roundsWith, theEntry, wordsOf } from '../rounds.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const openingCheck: Check = {
  id: '13',
  title: 'The key-holders’ answers open the sum to the stated values, and what remains is honest noise',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    const rounds = roundsWith(evidence, 'opened');
    const noise: string[] = [];
    for (const round of rounds) {
      const what = `round ${round.round}`;
      if (genesis === undefined) tally.unsure(`${what}: opening`, 'no task to tell its size');
      else if (round.finalised === undefined) tally.fails(`${what}: opened`, 'no set was fixed on chain');
      else {
        const keySum = await tally.attempt(`${what}: answers`, () => checkAnswers(evidence, round, tally));
        await tally.attempt(`${what}: opening`, async () => {
          noise.push(await checkOpening(evidence, genesis, round, keySum, tally));
        });
      }
    }
    return tally.result(noise.join('; '));
  },
};

/** @returns the sum of the one-time keys as the answers make it; undefined when they do not agree on one */
async function checkAnswers(evidence: Evidence, round: AuditedRound, tally: Tally): Promise<Int32Array | undefined> {
  const what = `round ${round.round}`;
  const { keyHolderThreshold } = evidence.history.deployment.parameters;
  const hash = setHash(round.round, round.finalised?.dealers ?? []);
  const indices = new Map(eventsOf(evidence.history.events, 'KeyHolderRegistered').map((e) => [e.keyHolder, e.index]));
  // by index: a key-holder that answers twice is one, and must have answered the same
  const answers = new Map<number, { readonly share: IndexedShare; readonly answerHash: Hex }>();
  for (const { body } of entriesOf(evidence.bundle, 'answer')) {
    if (body.round !== round.round) continue;
    const { keyHolder, answer: answerHash } = body;
    const signer = signerOf(
      evidence,
      'Answer',
      { keyHolder, round: round.round, setHash: hash, answerHash },
      body.signature,
    );
    tally.same(`${what}, answer of ${keyHolder}: signed for this set by`, signer, keyHolder);
    const index = indices.get(keyHolder);
    tally.holds(`${what}, answer of ${keyHolder}: from a registered key-holder`, index !== undefined);
    if (index === undefined) continue;
    const known = answers.get(index);
    tally.holds(
      `${what}, answer of ${keyHolder}: the only one`,
      known === undefined || known.answerHash === answerHash,
    );
    const bytes = await evidence.bundle.blob(answerHash);
    answers.set(index, { share: { index, share: decodeShare(bytes) }, answerHash });
  }
  const shares = [...answers.values()].map(({ share }) => share).sort((a, b) => a.index - b.index);
  const enough = shares.length >= keyHolderThreshold;
  tally.holds(`${what}: answers`, enough, { expected: `${keyHolderThreshold} or more`, got: shares.length });
  if (!enough) return undefined;
  const { agreeing, outliers } = findOutliers(shares, keyHolderThreshold);
  const agreed = agreeing !== undefined && outliers.length === 0;
  tally.holds(`${what}: all answers lie on one polynomial`, agreed, {
    got: `off it: key-holders ${outliers.join() || 'unknown'}`,
  });
  return agreeing && reconstruct(agreeing.slice(0, keyHolderThreshold));
}

async function checkOpening(
  evidence: Evidence,
  genesis: Genesis,
  round: AuditedRound,
  keySum: Int32Array | undefined,
  tally: Tally,
): Promise<string> {
  const what = `round ${round.round}`;
  const entry = theEntry(evidence, 'opened', round.round);
  if (keySum === undefined) tally.unsure(`${what}: sum of the keys`, 'the answers do not determine it');
  else {
    const stated = wordsOf(await evidence.bundle.blob(entry.keySum), RING_DEGREE);
    const wrong = keySum.findIndex((s, i) => s !== stated.getInt32(4 * i, true));
    tally.holds(`${what}: sum of the keys, against the answers`, wrong === -1, {
      got: `differs from coefficient ${wrong} on`,
    });
  }
  const secretSum = keySum ?? readKeySum(await evidence.bundle.blob(entry.keySum));
  const aggregate = await payloadBlob(evidence, theEntry(evidence, 'aggregate', round.round).aggregate, genesis.blocks);
  const slots = new Uint32Array(genesis.blocks * VALUES_PER_BLOCK);
  const meter = createNoiseMeter(round.members.length);
  const opener = await evidence.engines.opener();
  const seed = fromHex(round.opened?.seed ?? toHex(sha256(new Uint8Array())));
  opener.open({ seed, secretSum, aggregate: aggregate.residues, values: slots, onNoise: (error) => meter.add(error) });
  const report = meter.report();
  const [low, high] = report.sumSquaresAllowed.map((bound) => bound / report.samples);
  const measured = `variance ${(report.sumSquares / report.samples).toFixed(2)}, largest ${report.maxAbs}`;
  tally.holds(
    `${what}: [AGG-1] what is left looks like the noise of ${round.members.length} honest dealers`,
    report.clean,
    {
      expected: `variance ${low?.toFixed(2)} to ${high?.toFixed(2)}, below ${report.maxAbsAllowed}`,
      got: measured,
    },
  );
  tally.same(`${what}: largest noise stated`, entry.maxNoise, report.maxAbs);
  const values = unpackSums(slots, genesis.valueCount, round.members.length, createPackingProfile());
  const stated = wordsOf(await evidence.bundle.blob(entry.values), genesis.valueCount);
  const wrong = values.findIndex((value, i) => value !== stated.getUint32(4 * i, true));
  tally.holds(`${what}: values, against the opening`, wrong === -1, { got: `differ from value ${wrong} on` });
  return `round ${round.round}: ${measured}`;
}

function readKeySum(bytes: Uint8Array): Int32Array {
  const view = wordsOf(bytes, RING_DEGREE);
  return Int32Array.from({ length: RING_DEGREE }, (_, i) => view.getInt32(4 * i, true));
}
