// 06: every anchor was co-signed by enough different witnesses, registered at that time, none of them the dealer itself.
import { type Evidence, signerOf } from '../evidence.ts';
import { type EventOf, placeName } from '../history.ts';
import { type ChainState, replay } from '../replay.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const witnessesCheck: Check = {
  id: '06',
  title: 'Every anchor carries a quorum of distinct registered witnesses',
  promises: ['P3'],
  meaning:
    'No dealer could change its consent records alone: each state was seen and signed by as many other registered parties as the contract asks for.',
  cannot:
    'That the witnesses are independent of the dealer and of each other: they are addresses that the operator registered.',
  async run(evidence) {
    const tally = createTally();
    replay(evidence.history.events, (event, before) => {
      if (event.name === 'Anchored') checkAnchor(evidence, event, before, tally);
    });
    return tally.result(`quorum ${evidence.history.deployment.parameters.witnessQuorum}`);
  },
};

function checkAnchor(evidence: Evidence, event: EventOf<'Anchored'>, before: ChainState, tally: Tally): void {
  const what = `${event.dealer}, epoch ${event.epoch} (${placeName(event.at)})`;
  if (event.call === undefined) {
    tally.unsure(`${what}: witnesses`, 'the transaction does not call the registry directly: no signatures to read');
    return;
  }
  const { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount } = event;
  const anchor = { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount };
  // first make distinct, then count: a signature repeated is one witness
  const valid = new Set<string>();
  for (const [i, signature] of event.call.witnessSignatures.entries()) {
    const signer = signerOf(evidence, 'Anchor', anchor, signature);
    const known = signer !== undefined && before.witnesses.has(signer) && signer !== dealer;
    tally.holds(`${what}: signature ${i + 1} is a registered witness's`, known, { got: signer });
    if (known) valid.add(signer);
  }
  const quorum = evidence.history.deployment.parameters.witnessQuorum;
  tally.holds(`${what}: distinct witnesses`, valid.size >= quorum, { expected: `${quorum} or more`, got: valid.size });
}
