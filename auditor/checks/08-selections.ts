// 08: every selection holds only buckets under the dealer's root of that moment, all claimed before, folded rightly.
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { bucketLeaf } from '../../protocol/consent/bucket.ts';
import { type EvidenceLevel, requirementKey } from '../../protocol/consent/policy.ts';
import { CONSENT } from '../../protocol/params.ts';
import { type ChainEvent, type EventOf, placeName, type SelectionCall } from '../history.ts';
import { type ChainState, carriedOn, foldClaims, forcedAt, replay } from '../replay.ts';
import { type Check, createTally, type Tally } from './check.ts';

const BOUNDS = ['memberCount', 'validUntil', 'accuracyFloorBps', 'privacyCapMilli'] as const;

export const selectionsCheck: Check = {
  id: '08',
  title: 'Every selection holds only proven buckets under the root of its moment',
  promises: ['P3', 'P4'],
  meaning:
    'Whenever a dealer said whom it would train on, only groups of customers counted whose rules were proven to allow it, as they stood at that very moment.',
  cannot:
    'Which customers they are, and that the dealer trained on these and no others: an inspection on site shows it (concordat audit replay).',
  async run(evidence) {
    const tally = createTally();
    let buckets = 0;
    const visit = (event: ChainEvent, before: ChainState): void => {
      if (event.name !== 'SelectionAdmitted') return;
      buckets += event.bucketCount;
      const what = `selection of ${event.dealer} (${placeName(event.at)})`;
      if (event.call === undefined)
        tally.unsure(what, 'the transaction does not call the registry directly: no buckets to read');
      else checkSelection(what, event, event.call, before, tally);
    };
    replay(evidence.history.events, visit, carriedOn(evidence.history));
    return tally.result(`${buckets} buckets selected`);
  },
};

function checkSelection(
  what: string,
  event: EventOf<'SelectionAdmitted'>,
  call: SelectionCall,
  before: ChainState,
  tally: Tally,
): void {
  const { required0, required1, minEvidence, buckets, proof, proofFlags } = call;
  const required = required0 + (required1 << BigInt(CONSENT.grantBitsPerWord));
  const key = requirementKey({ required, minEvidence: minEvidence as EvidenceLevel });
  tally.same(`${what}: requirement`, event.requirementKey, key);
  tally.same(`${what}: number of buckets`, event.bucketCount, buckets.length);
  tally.holds(`${what}: at least one bucket`, buckets.length > 0);
  const forced = forcedAt(before, event.dealer);
  tally.holds(`${what}: no forced withdrawal was pending`, forced.length === 0, { got: forced.join(', ') });

  const leaves = buckets.map((bucket) => toHex(bucketLeaf(bucket)));
  tally.holds(`${what}: each bucket once, in ascending order of leaves`, isAscending(leaves));
  const current = before.anchors.get(event.dealer);
  tally.same(`${what}: root`, event.root, current?.root);
  const under = current !== undefined && provesAll(current.bucketsRoot, leaves, proof, proofFlags);
  tally.holds(`${what}: all buckets lie under the dealer's current root`, under);

  const { bounds, unclaimed } = foldClaims(event.dealer, key, buckets, before);
  tally.holds(`${what}: every policy was claimed before`, unclaimed.length === 0, { got: unclaimed.join(', ') });
  for (const bound of BOUNDS) tally.same(`${what}: ${bound}`, event[bound], bounds[bound]);
}

const isAscending = (leaves: readonly Hex[]): boolean =>
  leaves.every((leaf, i) => i === 0 || leaf > (leaves[i - 1] ?? leaf));

function provesAll(root: Hex, leaves: readonly Hex[], proof: readonly Hex[], proofFlags: readonly boolean[]): boolean {
  try {
    const multiproof = { leaves: [...leaves], proof: [...proof], proofFlags: [...proofFlags] };
    return SimpleMerkleTree.verifyMultiProof(root, multiproof);
  } catch {
    // the library throws on a proof of impossible shape
    return false;
  }
}
