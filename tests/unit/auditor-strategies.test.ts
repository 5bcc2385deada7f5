// The auditor makes every strategy's models again from the opened sums, and what the strategies carry with them.
import { describe, expect, test } from 'vitest';
import { modelCheck } from '../../auditor/checks/14-model.ts';
import { decodeModel } from '../../protocol/learning/model.ts';
import { decodeState } from '../../protocol/learning/strategy-state.ts';
import { blobPathOf } from '../../protocol/transcript/bundle.ts';
import { blobOf, bodyOf, copyOf, evidenceOf, type RawEvidence } from '../helpers/audit/raw-evidence.ts';
import { smallTaskOf } from '../helpers/audit/small-task.ts';
import { roundsWithoutConsent } from '../helpers/audit/synthetic-federation.ts';

const SGD = { localEpochs: 1, batchSize: 8, learningRate: 0.5 };
const ADAPTIVE = { ...SGD, serverLearningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 };
const ROUNDS = 2;

async function historyOf(strategy: object, model?: object): Promise<RawEvidence> {
  const { task, text } = smallTaskOf(strategy, model);
  return roundsWithoutConsent(task, text, ROUNDS);
}

const failuresOf = async (raw: RawEvidence) => (await modelCheck.run(await evidenceOf(raw))).failures;
const stateOf = (raw: RawEvidence) => decodeModel(blobOf(raw, bodyOf(raw, 'model', ROUNDS).model)).state;

describe('[LRN-1] two rounds, recomputed', () => {
  test.each([
    [{ name: 'fedavg', ...SGD }, []],
    [{ name: 'fedprox', ...SGD, proximal: 0.1 }, []],
    [{ name: 'fedavgm', ...SGD, serverLearningRate: 0.5, momentum: 0.9 }, ['velocity']],
    [{ name: 'fedadam', ...ADAPTIVE }, ['m', 'v']],
    [{ name: 'fedyogi', ...ADAPTIVE }, ['m', 'v']],
    [{ name: 'scaffold', ...SGD, serverLearningRate: 1, controlClipNorm: 2, dealers: 5 }, ['control']],
  ])('$name', async (strategy, carried) => {
    const raw = await historyOf(strategy);
    expect(await failuresOf(raw)).toEqual([]);
    const state = stateOf(raw);
    expect(Object.keys(decodeState(state && blobOf(raw, state), 5))).toEqual(carried);
    if (state === undefined) return;
    const gone = copyOf(raw);
    gone.files.delete(blobPathOf(state));
    expect((await failuresOf(gone)).map(({ what }) => what)).toEqual([`round ${ROUNDS}: state file`]);
  });

  test('ridge', async () => {
    const ridge = { name: 'ridge', featureBound: 4, entryBits: 42 };
    expect(await failuresOf(await historyOf(ridge, { loss: 'squared', l2: 0.1 }))).toEqual([]);
  });
});
