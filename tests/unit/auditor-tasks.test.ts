// The auditor follows several tasks: each round is judged by its own, and a task that no entry names is nobody's.
import { beforeAll, describe, expect, test } from 'vitest';
import { setCheck } from '../../auditor/checks/10-set.ts';
import { uploadsCheck } from '../../auditor/checks/11-uploads.ts';
import { sumCheck } from '../../auditor/checks/12-sum.ts';
import { openingCheck } from '../../auditor/checks/13-opening.ts';
import { modelCheck } from '../../auditor/checks/14-model.ts';
import { metricsCheck } from '../../auditor/checks/15-metrics.ts';
import { taskCheck } from '../../auditor/checks/16-task.ts';
import { privacyCheck } from '../../auditor/checks/17-privacy.ts';
import type { Check } from '../../auditor/checks/check.ts';
import type { EntryBody } from '../../protocol/transcript/entry.ts';
import { bodyOf, copyOf, evidenceOf, type RawEvidence, rewriteTranscript } from '../helpers/audit/raw-evidence.ts';
import { smallTaskOf, task, taskText, wideTask, wideTaskText } from '../helpers/audit/small-task.ts';
import { roundsInTurn } from '../helpers/audit/synthetic-federation.ts';

const FIRST = { task, text: taskText };
const RIDGE = smallTaskOf({ name: 'ridge', featureBound: 4, entryBits: 42 }, { loss: 'squared', l2: 0.1 });
/** A sum of 17 blocks, where the others have one. */
const WIDE = { task: wideTask, text: wideTaskText };
const CHECKS = [setCheck, uploadsCheck, sumCheck, openingCheck, modelCheck, metricsCheck, taskCheck, privacyCheck];

let honest: RawEvidence;
beforeAll(async () => {
  honest = await roundsInTurn([FIRST, RIDGE, FIRST, WIDE, RIDGE]);
}, 60_000);

/** The honest history with its transcript rewritten. */
function forged(change: (bodies: EntryBody[]) => EntryBody[]): RawEvidence {
  const raw = copyOf(honest);
  rewriteTranscript(raw, change);
  return raw;
}

/** Each entry, with what comes behind it. */
const followed = (bodies: EntryBody[], by: (body: EntryBody) => EntryBody[]): EntryBody[] =>
  bodies.flatMap((body) => [body, ...by(body)]);

const isTask = (body: EntryBody, hash: string): boolean => body.type === 'task' && body.task === hash;
const run = async (check: Check, raw: RawEvidence) => check.run(await evidenceOf(raw));

async function failures(check: Check, raw: RawEvidence): Promise<string[]> {
  const { failures: found, inconclusive } = await run(check, raw);
  return [...found.map(({ what }) => what), ...(inconclusive > 0 ? [`${inconclusive} undecided`] : [])];
}

describe('five rounds of three tasks in turn', () => {
  test.each(CHECKS.map((check) => [check.id, check] as const))('hold under check %s', async (_, check) => {
    expect(await failures(check, honest)).toEqual([]);
  });

  test('are told apart in the note', async () => {
    expect((await run(taskCheck, honest)).note).toBe(
      '2 rounds of small-task; 2 rounds of small-task; 1 rounds of small-task',
    );
  });
});

describe('check 16 catches', () => {
  test('rounds of a task that no entry names, which no other check passes', async () => {
    const raw = forged((bodies) => bodies.filter((body) => !isTask(body, RIDGE.task.hash)));
    expect(await failures(taskCheck, raw)).toEqual(['round 2: task', 'round 5: task']);
    for (const check of CHECKS.filter(({ id }) => id !== '16')) {
      expect((await run(check, raw)).inconclusive, check.id).toBeGreaterThan(0);
    }
  });

  test('a task named after its first round', async () => {
    const raw = forged((bodies) => {
      const rest = bodies.filter((body) => !isTask(body, RIDGE.task.hash));
      const after = rest.findIndex((body) => body.type === 'model' && body.round === 2) + 1;
      return [...rest.slice(0, after), ...bodies.filter((body) => isTask(body, RIDGE.task.hash)), ...rest.slice(after)];
    });
    expect(await failures(taskCheck, raw)).toEqual(['[TRA-5] round 2: its task is named before anything of it']);
  });

  test('a task named twice, and the first one named again', async () => {
    const twice = forged((bodies) => followed(bodies, (body) => (body.type === 'task' ? [body] : [])));
    expect(await failures(taskCheck, twice)).toEqual(['[TRA-5] tasks named, each once']);
    const { task: first, dataContract, initialModel } = bodyOf(honest, 'genesis');
    const again: EntryBody = { type: 'task', task: first, dataContract, initialModel };
    const genesisTwice = forged((bodies) => followed(bodies, ({ type }) => (type === 'genesis' ? [again] : [])));
    expect(await failures(taskCheck, genesisTwice)).toEqual(['[TRA-5] tasks named, each once']);
  });

  test('a first model that is not the task’s', async () => {
    const { initialModel } = bodyOf(honest, 'genesis');
    const other = { ...bodyOf(honest, 'genesis'), initialModel };
    const raw = forged((bodies) =>
      bodies.map(
        (body) => (isTask(body, WIDE.task.hash) ? { ...body, initialModel: other.initialModel } : body) as EntryBody,
      ),
    );
    expect(await failures(taskCheck, raw)).toEqual([
      `task ${WIDE.task.hash}: initial model, against the one that the task defines`,
      'round 4: base model',
    ]);
  });

  test('a later task whose documents are gone, and the first task’s rounds still hold', async () => {
    const raw = copyOf(honest);
    raw.files.delete(`blobs/${WIDE.task.hash.slice(2)}`);
    expect(await failures(taskCheck, raw)).toEqual([`task ${WIDE.task.hash}: documents`, 'round 4: task']);
    expect(await failures(modelCheck, raw)).toEqual(['undecided: round 4: model', '1 undecided']);
  });
});

test('check 14 catches a round that goes on from another task’s model', async () => {
  const { model } = bodyOf(honest, 'model', 2);
  const raw = forged((bodies) =>
    bodies.map((body) => (body.type === 'model' && body.round === 3 ? { ...body, baseModel: model } : body)),
  );
  expect((await failures(modelCheck, raw)).join()).toContain('round 3: base model, against the model published last');
});
