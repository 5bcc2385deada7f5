// The terms of a round, as the contract will check them when this dealer commits.
import type { ChainConnection } from '../engines/chain/connect.ts';
import type { Hex } from '../protocol/bytes.ts';
import { type Access, freshAccuracy } from '../protocol/consent/evaluate.ts';
import type { Requirement } from '../protocol/consent/policy.ts';

export interface AccessParts {
  readonly chain: {
    readonly ledger: Pick<ChainConnection['ledger'], 'attestationOf'>;
    readonly federation: Pick<ChainConnection['federation'], 'parameters'>;
  };
  readonly requirement: Requirement;
  readonly chainNowSeconds: () => Promise<number>;
}

/** Of the task's round in progress, or of the one that would open now. */
export async function accessNow(
  { taskHash, epsilonAfterMilli }: { readonly taskHash: Hex; readonly epsilonAfterMilli: number },
  { chain, requirement, chainNowSeconds }: AccessParts,
): Promise<Access> {
  const [attestation, { metricMaxAgeSeconds }, nowSeconds] = await Promise.all([
    chain.ledger.attestationOf(taskHash),
    chain.federation.parameters(),
    chainNowSeconds(),
  ]);
  const metric = attestation && { accuracyBps: attestation.accuracyBps, attestedAtSeconds: attestation.attestedAt };
  const attestedAccuracyBps = freshAccuracy(metric, nowSeconds, metricMaxAgeSeconds);
  return { requirement, nowSeconds, attestedAccuracyBps, epsilonAfterMilli };
}
