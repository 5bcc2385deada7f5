// 13: enough key-holders answered for this very set and sum, on one polynomial, and it opens to what is stated. With SEAL.
import { fromHex, type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { SHARE_PRIME } from '../../protocol/secagg/field.ts';
import { createNoiseMeter } from '../../protocol/secagg/noise.ts';
import { unpackSums } from '../../protocol/secagg/packing.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { decodeAnswer, type IndexedShare } from '../../protocol/secagg/shamir.ts';
import { whoAgrees } from '../agreement.ts';
import { type BodyOf, type Evidence, entriesOf, signerOf } from '../evidence.ts';
import { holdersAtOpening } from '../history.ts';
import { type AuditedRound, forEachBlock, roundsWith, theEntry, wordsOf } from '../rounds.ts';
import { readTasks, type TaskFacts } from '../tasks.ts';
import { type Check, createTally, type Tally, withoutTask } from './check.ts';
import { whoVouchedForAll } from './vouches.ts';

export const openingCheck: Check = {
  id: '13',
  title: 'The key-holders’ answers open the sum to the stated values, and what remains is honest noise',
  promises: ['P2', 'P6'],
  meaning:
    'Enough key-holders agreed to open this one sum, and opened correctly it gives the numbers stated; what is left over is the small noise of honest sealing. Opened again here by an independent implementation.',
  cannot:
    'That key-holders did not open anything else in secret: the threshold of them together can open what was sealed to keys which they still have.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    const rounds = roundsWith(evidence, 'opened', 'answer');
    const opened = new Set(entriesOf(evidence.bundle, 'opened').map(({ body }) => body.round));
    const notes: string[] = [];
    for (const round of rounds) {
      const what = `round ${round.round}`;
      const facts = tasks?.of(round.opened);
      if (facts === undefined) withoutTask(tally, `${what}: opening`, round, 'no task to tell its size');
      else if (round.finalised === undefined) tally.fails(`${what}: opened`, 'no set was fixed on chain');
      else if (round.published === undefined && !opened.has(round.round)) {
        // given up while it was being answered, or still under way: what was answered must be for this set all the same
        const given = await tally.attempt(`${what}: answers`, () => readAnswers(evidence, round, tally));
        notes.push(`${what}: ${given?.answers.length ?? 0} answers, and no opening`);
      } else {
        const secretSum = await tally.attempt(`${what}: sum of the keys`, () => readKeySum(evidence, round));
        if (secretSum === undefined) continue;
        await tally.attempt(`${what}: answers`, async () => {
          notes.push(...(await checkAnswers(evidence, round, secretSum, tally)));
        });
        await tally.attempt(`${what}: opening`, async () => {
          notes.push(await checkOpening(evidence, facts, round, secretSum, tally));
        });
      }
    }
    return tally.result(notes.join('; '));
  },
};

/** Beyond half the field of the shares no sum of keys can be, and SEAL is never given what cannot be. */
async function readKeySum(evidence: Evidence, { round }: AuditedRound): Promise<Int32Array> {
  const view = wordsOf(await evidence.bundle.blob(theEntry(evidence, 'opened', round).keySum), RING_DEGREE);
  const keySum = Int32Array.from({ length: RING_DEGREE }, (_, i) => view.getInt32(4 * i, true));
  const wide = keySum.findIndex((s) => Math.abs(s) > SHARE_PRIME / 2);
  if (wide !== -1)
    throw new ConcordatError('MESSAGE_MALFORMED', `coefficient ${wide} of the sum of the keys: ${keySum[wide]}`);
  return keySum;
}

/** @returns the key-holders whose answers are off: the sum stands without them */
async function checkAnswers(
  evidence: Evidence,
  round: AuditedRound,
  secretSum: Int32Array,
  tally: Tally,
): Promise<string[]> {
  const what = `round ${round.round}`;
  const { keyHolderThreshold } = evidence.history.deployment.parameters;
  const { answers, malformed } = await readAnswers(evidence, round, tally);
  const enough = answers.length >= keyHolderThreshold;
  tally.holds(`${what}: answers`, enough, { expected: `${keyHolderThreshold} or more`, got: answers.length });
  if (!enough) return [];
  const agreement = whoAgrees(answers, keyHolderThreshold, secretSum);
  tally.holds(`${what}: answers that make the sum of the keys`, agreement !== undefined, {
    expected: `${keyHolderThreshold} or more on one polynomial`,
    got: `none so among those of key-holders ${answers.map(({ index }) => index).join()}`,
  });
  const off = [...malformed, ...(agreement?.off ?? [])].sort((a, b) => a - b);
  if (off.length === 0) return [];
  const agreeing = agreement?.agreeing.map(({ index }) => index) ?? [];
  const isLiar = await whoVouchedForAll(evidence, round.round, agreeing);
  const names = new Map([...holdersAtOpening(evidence.history, round.round)].map(([holder, index]) => [index, holder]));
  return off.map((index) => {
    const isAnswer = !malformed.includes(index);
    const how = isAnswer ? 'is off the polynomial' : 'is none';
    const why = isAnswer && !isLiar(index) ? 'it lied, or a dealer gave it a false share' : 'it answered falsely';
    return `${what}: the answer of key-holder ${index} (${names.get(index)}) ${how}: ${why}`;
  });
}

interface Answers {
  /** As they stand in the transcript, which is how the coordinator tried them. */
  readonly answers: readonly IndexedShare[];
  /** Signed, and yet no answer at all. */
  readonly malformed: readonly number[];
}

async function readAnswers(evidence: Evidence, round: AuditedRound, tally: Tally): Promise<Answers> {
  const { aggregate } = theEntry(evidence, 'aggregate', round.round);
  const indices = holdersAtOpening(evidence.history, round.round);
  // a key-holder that answers twice is one
  const known = new Map<number, IndexedShare | undefined>();
  for (const { body } of entriesOf(evidence.bundle, 'answer')) {
    if (body.round !== round.round) continue;
    const what = `round ${round.round}, answer of ${body.keyHolder}`;
    const signed = tally.same(`${what}: signed for this set by`, answerSigner(evidence, round, body), body.keyHolder);
    const ofThis = tally.same(`${what}: for this aggregate`, body.aggregate, aggregate);
    const index = indices.get(body.keyHolder);
    tally.holds(`${what}: from a registered key-holder`, index !== undefined);
    if (index === undefined || !signed || !ofThis) continue;
    tally.holds(`[TRA-4] ${what}: the only one`, !known.has(index));
    known.set(index, decoded(index, await evidence.bundle.blob(body.answer)));
  }
  return {
    answers: [...known.values()].flatMap((share) => share ?? []),
    malformed: [...known].flatMap(([index, share]) => (share === undefined ? [index] : [])),
  };
}

function answerSigner(evidence: Evidence, round: AuditedRound, body: BodyOf<'answer'>): Hex | undefined {
  const { keyHolder, aggregate: aggregateHash, answer: answerHash, signature } = body;
  const hash = setHash(round.round, round.finalised?.dealers ?? []);
  const statement = { keyHolder, round: round.round, setHash: hash, aggregateHash, answerHash };
  return signerOf(evidence, 'Answer', statement, signature);
}

function decoded(index: number, bytes: Uint8Array): IndexedShare | undefined {
  try {
    return { index, share: decodeAnswer(bytes) };
  } catch (cause) {
    if (cause instanceof ConcordatError && cause.code === 'MESSAGE_MALFORMED') return undefined;
    throw cause;
  }
}

async function checkOpening(
  evidence: Evidence,
  facts: TaskFacts,
  round: AuditedRound,
  secretSum: Int32Array,
  tally: Tally,
): Promise<string> {
  const what = `round ${round.round}`;
  const entry = theEntry(evidence, 'opened', round.round);
  const { slots, noise } = await openSum(evidence, facts, round, secretSum);
  const [low, high] = noise.sumSquaresAllowed.map((bound) => bound / noise.samples);
  const measured = `variance ${(noise.sumSquares / noise.samples).toFixed(2)}, largest ${noise.maxAbs}`;
  tally.holds(
    `${what}: [AGG-1] what is left looks like the noise of ${round.members.length} honest dealers`,
    noise.clean,
    {
      expected: `variance ${low?.toFixed(2)} to ${high?.toFixed(2)}, below ${noise.maxAbsAllowed}`,
      got: measured,
    },
  );
  tally.same(`${what}: largest noise stated`, entry.maxNoise, noise.maxAbs);
  const values = unpackSums(slots, facts.valueCount, round.members.length, facts.packing);
  const stated = wordsOf(await evidence.bundle.blob(entry.values), facts.valueCount);
  const wrong = values.findIndex((value, i) => value !== stated.getUint32(4 * i, true));
  tally.holds(`${what}: values, against the opening`, wrong === -1, { got: `differ from value ${wrong} on` });
  return `round ${round.round}: ${measured}`;
}

/** SEAL keeps the key loaded for a run of blocks; so many at once are 800 KB. */
const BLOCKS_AT_ONCE = 16;

async function openSum(evidence: Evidence, { blocks, packing }: TaskFacts, round: AuditedRound, secretSum: Int32Array) {
  const { aggregate } = theEntry(evidence, 'aggregate', round.round);
  const { valuesPerBlock } = packing;
  const slots = new Uint32Array(blocks * valuesPerBlock);
  const meter = createNoiseMeter(round.members.length);
  const opener = await evidence.engines.opener();
  const seed = fromHex(round.opened?.seed ?? toHex(sha256(new Uint8Array())));
  const run = new Uint32Array(BLOCKS_AT_ONCE * RESIDUES_PER_BLOCK);
  await forEachBlock(evidence, aggregate, blocks, (index, residues) => {
    const inRun = index % BLOCKS_AT_ONCE;
    run.set(residues, inRun * RESIDUES_PER_BLOCK);
    if (inRun + 1 < BLOCKS_AT_ONCE && index + 1 < blocks) return;
    const firstBlock = index - inRun;
    opener.open({
      seed,
      secretSum,
      packing,
      firstBlock,
      aggregate: run.subarray(0, (inRun + 1) * RESIDUES_PER_BLOCK),
      values: slots.subarray(firstBlock * valuesPerBlock, (index + 1) * valuesPerBlock),
      onNoise: (error) => meter.add(error),
    });
  });
  return { slots, noise: meter.report() };
}
