// 19: what an earlier audit saw still stands, and everything newer comes after it. Only asked with that audit's checkpoint.
import type { Hex } from '../../protocol/bytes.ts';
import type { Checkpoint } from '../checkpoint.ts';
import type { Evidence } from '../evidence.ts';
import { eventsOf } from '../history.ts';
import { eventsOfLine } from '../lineage.ts';
import { type Check, createTally, messageOf, type Tally } from './check.ts';

/** undefined when the chain has no block of this number. */
export type BlockHashes = (block: number) => Promise<Hex | undefined>;

export const checkpointCheck = (before: Checkpoint, hashOf: BlockHashes): Check => ({
  id: '19',
  title: 'The history only grew since the last audit',
  promises: ['P6', 'P7'],
  meaning:
    'Nothing that the earlier audit had seen was changed or taken back since: for whoever audits again, and for whoever relied on that audit.',
  cannot:
    'It knows only what the checkpoint remembers: the last block, entry, models and anchors of that audit, which stand for all before them. A checkpoint kept where others can write proves nothing.',
  async run(evidence) {
    const tally = createTally();
    await checkBlock(before, evidence, hashOf, tally);
    checkTranscript(before, evidence, tally);
    checkModels(before, evidence, tally);
    checkAnchors(before, evidence, tally);
    return tally.result(noteOf(before, evidence));
  },
});

async function checkBlock({ block }: Checkpoint, { history }: Evidence, hashOf: BlockHashes, tally: Tally) {
  tally.holds(`block ${block.number} is not after the last one`, block.number <= history.headBlock, {
    expected: `${block.number} or later`,
    got: history.headBlock,
  });
  const what = `block ${block.number}: hash`;
  try {
    tally.same(what, await hashOf(block.number), block.hash);
  } catch (cause) {
    tally.unsure(what, messageOf(cause));
  }
}

/** The hash of one entry stands for all before it: check 02 follows the chain of them. */
function checkTranscript({ transcript }: Checkpoint, { bundle }: Evidence, tally: Tally): void {
  const { entries, head } = transcript;
  tally.holds('number of transcript entries', bundle.entries.length >= entries, {
    expected: `${entries} or more`,
    got: bundle.entries.length,
  });
  tally.same(`transcript entry ${entries - 1}: hash`, bundle.entries[entries - 1]?.hash, head);
}

function checkModels({ models }: Checkpoint, { history }: Evidence, tally: Tally): void {
  const published = eventsOf(eventsOfLine(history), 'Published');
  for (const { task, round, model } of models) {
    const now = published.find((event) => event.taskHash === task && event.round === round);
    tally.same(`task ${task}, round ${round}: published model`, now?.modelHash, model);
  }
}

function checkAnchors({ anchors }: Checkpoint, { history }: Evidence, tally: Tally): void {
  const anchored = eventsOf(eventsOfLine(history), 'Anchored');
  for (const { dealer, epoch, root, logHead } of anchors) {
    const now = anchored.find((event) => event.dealer === dealer && event.epoch === epoch);
    tally.same(`dealer ${dealer}, epoch ${epoch}: anchored root`, now?.root, root);
    tally.same(`dealer ${dealer}, epoch ${epoch}: head of the log`, now?.logHead, logHead);
  }
}

function noteOf({ block, transcript }: Checkpoint, { history, bundle }: Evidence): string {
  const blocks = history.headBlock - block.number;
  return `${blocks} blocks and ${bundle.entries.length - transcript.entries} entries since block ${block.number}`;
}
