// 07: every admitted proof verifies again, off chain and by another implementation, and says what the chain recorded.

import { claimContext, type EvidenceLevel, requirementKey } from '../../protocol/consent/policy.ts';
import { CONSENT } from '../../protocol/params.ts';
import { parseVerificationKey, type VerificationKey } from '../../protocol/proof/verification-key.ts';
import type { Evidence } from '../evidence.ts';
import { genesisBody, textBlob } from '../genesis.ts';
import { type EventOf, eventsOf, placeName } from '../history.ts';
import { verifyProof } from '../proof/verify.ts';
import { type Check, createTally, type Tally } from './check.ts';

const WORD = BigInt(CONSENT.grantBitsPerWord);

export const policyClaimsCheck: Check = {
  id: '07',
  title: 'Every policy claim on chain is proven, by a proof made for that dealer',
  promises: ['P3', 'P4'],
  meaning:
    'Everything that dealers claimed of their customers’ rules was proven mathematically without showing the rules, and each proof was made for that dealer and not copied.',
  cannot: 'What a rule says beyond what was proven of it: the rules stay with the dealer and its customers, by design.',
  async run(evidence) {
    const tally = createTally();
    const key = await tally.needs('verification key', async () =>
      parseVerificationKey(JSON.parse(await textBlob(evidence, genesisBody(evidence).verificationKey))),
    );
    let policies = 0;
    for (const event of eventsOf(evidence.history.events, 'PoliciesAdmitted')) {
      policies += event.digests.length;
      const what = `claim of ${event.dealer} (${placeName(event.at)})`;
      if (event.call === undefined)
        tally.unsure(what, 'the transaction does not call the registry directly: no proof to read');
      else if (key === undefined) tally.unsure(what, 'no verification key to check it with');
      else checkClaim(evidence, what, event, event.call, key, tally);
    }
    return tally.result(`${policies} policies claimed`);
  },
};

function checkClaim(
  { history: { deployment } }: Evidence,
  what: string,
  event: EventOf<'PoliciesAdmitted'>,
  call: NonNullable<EventOf<'PoliciesAdmitted'>['call']>,
  key: VerificationKey,
  tally: Tally,
): void {
  tally.holds(`${what}: the proof verifies`, verifyProof(key, call));
  const [ctx, required0 = 0n, required1 = 0n, minEvidence = 0n, validUntil, floor, cap, ...digests] =
    call.publicSignals;
  const context = claimContext(deployment.chainId, deployment.registry, event.dealer);
  tally.same(`${what}: made for this chain, registry and dealer`, ctx, context);
  const inWords = required0 >> WORD === 0n && required1 >> WORD === 0n;
  tally.holds(`${what}: required bits fit their words`, inWords);
  if (inWords) {
    const requirement = {
      required: required0 + (required1 << WORD),
      minEvidence: Number(minEvidence) as EvidenceLevel,
    };
    tally.same(`${what}: requirement`, event.requirementKey, requirementKey(requirement));
  }
  tally.same(`${what}: validUntil`, BigInt(event.validUntil), validUntil);
  tally.same(`${what}: accuracy floor`, BigInt(event.accuracyFloorBps), floor);
  tally.same(`${what}: privacy cap`, BigInt(event.privacyCapMilli), cap);
  const used = digests.filter((digest) => digest !== 0n);
  tally.same(`${what}: digests`, event.digests.join(), used.join());
}
