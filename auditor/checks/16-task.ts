// 16: the rounds are rounds of this task: its hash, what it asks of customers, its first model, and a seed nobody chose.
import { concatBytes, fromHex, keccak256, toHex, uintToBytes } from '../../protocol/bytes.ts';
import { requirementKey, splitGrants } from '../../protocol/consent/policy.ts';
import { encodeModel, initialModel, modelHash } from '../../protocol/learning/model.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import type { Evidence } from '../evidence.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { type EventOf, eventsOf } from '../history.ts';
import { type ChainState, replay } from '../replay.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const taskCheck: Check = {
  id: '16',
  title: 'Every round is of the published task, asks what that task needs, and starts from the right model',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    if (genesis !== undefined) {
      checkGenesis(genesis, tally);
      replay(evidence.history.events, (event, before) => {
        if (event.name === 'RoundOpened') checkRound(evidence, genesis, event, before, tally);
      });
    }
    const rounds = eventsOf(evidence.history.events, 'RoundOpened').length;
    return tally.result(`${rounds} rounds of ${genesis?.task.id ?? 'an unknown task'}`);
  },
};

function checkGenesis({ body, task, contract }: Genesis, tally: Tally): void {
  // equal hashes: the files are the canonical texts, so no second text of the same task can pass
  tally.same('task: hash of its canonical text, against the file', task.hash, body.task);
  tally.same('data contract: hash of its canonical text, against the file', contract.hash, body.dataContract);
  const first = modelHash(encodeModel(initialModel(task, contract)));
  tally.same('initial model, against the one that the task defines', body.initialModel, first);
}

function checkRound(
  evidence: Evidence,
  { body, task, contract }: Genesis,
  event: EventOf<'RoundOpened'>,
  before: ChainState,
  tally: Tally,
): void {
  const what = `round ${event.round}`;
  tally.same(`${what}: task`, event.taskHash, body.task);
  const requirement = requirementOfTask(task, contract);
  tally.same(`${what}: requirement`, event.requirementKey, requirementKey(requirement));
  const base = before.models.get(event.taskHash) ?? body.initialModel;
  tally.same(`${what}: base model`, event.baseModelHash, base);
  const { call } = event;
  if (call === undefined) {
    tally.unsure(`${what}: seed`, 'the transaction does not call the ledger directly');
    return;
  }
  const [required0, required1] = splitGrants(requirement.required);
  tally.same(`${what}: required grants, first word`, call.required0, required0);
  tally.same(`${what}: required grants, second word`, call.required1, required1);
  tally.same(`${what}: least evidence`, call.minEvidence, requirement.minEvidence);
  // keccak256(abi.encode(blockhash(block.number-1), ledger, round))
  const ledger = uintToBytes(BigInt(evidence.history.deployment.ledger), 32);
  const seed = toHex(keccak256(concatBytes(fromHex(call.parentHash), ledger, uintToBytes(event.round, 32))));
  tally.same(`${what}: seed, against the block before`, event.seed, seed);
}
