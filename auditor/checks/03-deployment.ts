// 03: the contracts are the ones this history is about, wired to each other, and the verification key is theirs and sound.
import { hashVerificationKey, parseVerificationKey } from '../../engines/proof/verification-key.ts';
import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { CONSENT, SECAGG } from '../../protocol/params.ts';
import type { Evidence } from '../evidence.ts';
import { genesisBody, textBlob } from '../genesis.ts';
import { type EventName, eventsOf, placeName } from '../history.ts';
import { type Check, createTally, type Tally } from './check.ts';

/** ctx, required0, required1, minEvidence, validUntil, accuracyFloor, privacyCap, then the digests. */
const SIGNALS = 7 + CONSENT.policiesPerProof;

export const deploymentCheck: Check = {
  id: '03',
  title: 'The contracts belong together and the verification key is theirs and sound',
  async run(evidence) {
    const tally = createTally();
    const { deployment } = evidence.history;
    await tally.attempt('genesis entry', () => {
      const { chainId, federation } = genesisBody(evidence);
      tally.same('chain id: of the endpoint, against the genesis entry', deployment.chainId, chainId);
      tally.same('federation: audited, against the genesis entry', deployment.federation, federation);
    });
    checkWiring(evidence, tally);
    checkParameters(evidence, tally);
    await checkVerificationKeyBlob(evidence, tally);
    return tally.result(`chain ${deployment.chainId}, federation ${deployment.federation}`);
  },
};

const REGISTRY_EVENTS: ReadonlySet<EventName> = new Set([
  'Anchored',
  'PoliciesAdmitted',
  'SelectionAdmitted',
  'ForcedWithdrawal',
  'ForcedWithdrawalAcknowledged',
]);
const LEDGER_EVENTS: ReadonlySet<EventName> = new Set([
  'RoundOpened',
  'Committed',
  'SetFinalised',
  'RoundFailed',
  'Published',
]);

function checkWiring({ history: { deployment, events } }: Evidence, tally: Tally): void {
  const bound = eventsOf(events, 'ContractsSet');
  tally.same('times that registry and ledger were bound', bound.length, 1);
  for (const { registry, ledger } of bound) {
    tally.same('registry: bound, against the one in use', registry, deployment.registry);
    tally.same('ledger: bound, against the one in use', ledger, deployment.ledger);
  }
  for (const { name, at } of events) {
    // any contract can emit an event of any name
    const home = REGISTRY_EVENTS.has(name)
      ? deployment.registry
      : LEDGER_EVENTS.has(name)
        ? deployment.ledger
        : deployment.federation;
    tally.same(`${name} at ${placeName(at)}: emitted by`, at.contract, home);
  }
  tally.same('federation of the registry', deployment.registryFederation, deployment.federation);
  tally.same('federation of the ledger', deployment.ledgerFederation, deployment.federation);
  tally.same('registry of the ledger', deployment.ledgerRegistry, deployment.registry);
}

/** In a sum over two each dealer learns the other's update; a threshold nobody can reach, or of none, guards nothing. */
function checkParameters({ history: { deployment, events } }: Evidence, tally: Tally): void {
  const { minCohort, keyHolderThreshold, witnessQuorum, metricMaxAgeSeconds } = deployment.parameters;
  const holders = eventsOf(events, 'KeyHolderRegistered');
  tally.holds('smallest cohort', minCohort >= SECAGG.minCohort, {
    expected: `${SECAGG.minCohort} or more`,
    got: minCohort,
  });
  const reachable = keyHolderThreshold >= SECAGG.minThreshold && keyHolderThreshold <= holders.length;
  tally.holds('key-holder threshold', reachable, {
    expected: `${SECAGG.minThreshold} to ${holders.length}`,
    got: keyHolderThreshold,
  });
  tally.holds('witness quorum', witnessQuorum >= 1, { expected: '1 or more', got: witnessQuorum });
  tally.holds('oldest metric', metricMaxAgeSeconds >= 1, { expected: '1 s or more', got: metricMaxAgeSeconds });
  for (const [i, { keyHolder, index }] of holders.entries())
    tally.same(`index of key-holder ${keyHolder}`, index, i + 1);
}

async function checkVerificationKeyBlob(evidence: Evidence, tally: Tally): Promise<void> {
  const { verificationKeyHash } = evidence.history.deployment.parameters;
  // a key without a contribution accepts forged proofs; parsing refuses it
  const key = await tally.attempt('verification key: parses, points valid, not forgeable', async () => {
    const text = await textBlob(evidence, genesisBody(evidence).verificationKey);
    const parsed = parseVerificationKey(JSON.parse(text));
    const fileHash = toHex(sha256(utf8ToBytes(text)));
    tally.same('verification key: sha256 of the file, against the contract', fileHash, verificationKeyHash);
    return parsed;
  });
  if (key === undefined) return;
  tally.same('verification key: hash, against the contract', hashVerificationKey(key), verificationKeyHash);
  tally.same('verification key: public signals', key.nPublic, SIGNALS);
}
