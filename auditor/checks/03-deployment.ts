// 03: the contracts are the ones this history is about, with the code of this repository, and the verification key is theirs and sound.

import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { EMBEDDED_CHAIN_ID } from '../../protocol/embedded-chain.ts';
import { CONSENT, SECAGG } from '../../protocol/params.ts';
import {
  hashVerificationKey,
  parseVerificationKey,
  type VerificationKey,
} from '../../protocol/proof/verification-key.ts';
import { checkDeployedCode, codeHashOf } from '../deployed-code.ts';
import type { Evidence } from '../evidence.ts';
import { genesisBody, textBlob } from '../genesis.ts';
import { eventsOf, homeOf, placeName } from '../history.ts';
import { checkReading, readingNote } from '../reading.ts';
import { checkStanding } from '../standing.ts';
import { type Check, createTally, type Tally } from './check.ts';

/** ctx, required0, required1, minEvidence, validUntil, accuracyFloor, privacyCap, then the digests. */
const SIGNALS = 7 + CONSENT.policiesPerProof;

export const deploymentCheck: Check = {
  id: '03',
  title: 'The contracts belong together and the verification key is theirs and sound',
  promises: ['P3', 'P6'],
  meaning:
    'The rules were enforced by the contracts that this report names, which are this program’s own, byte for byte, set up with limits that protect a dealer, and the key that judges consent proofs is not one that lets anybody forge them. Events read here come to what they answer, none left out, and their blocks bear them out.',
  cannot:
    'That whoever set up the proof system threw the secret of that setup away: the transcript of a ceremony with several parties shows it, a single operator’s setup does not. That the last block read is the chain’s own, if only one endpoint was asked and its hash not known from elsewhere.',
  async run(evidence) {
    const tally = createTally();
    const { deployment } = evidence.history;
    await tally.attempt('genesis entry', () => {
      const { chainId, federation } = genesisBody(evidence);
      tally.same('chain id: of the endpoint, against the genesis entry', deployment.chainId, chainId);
      tally.same('federation: audited, against the genesis entry', deployment.federation, federation);
    });
    checkWiring(evidence, tally);
    checkStanding(evidence.history, tally);
    checkReading(evidence.history, tally);
    checkParameters(evidence, tally);
    const key = await checkVerificationKeyBlob(evidence, tally);
    const code = await checkCode(evidence, key, tally);
    const setup = checkSetup(evidence, tally);
    const where = `chain ${deployment.chainId}, federation ${deployment.federation}`;
    const hash = `code hash ${codeHashOf(deployment)}`;
    const note = [where, code, setup, readingNote(evidence.history), hash].filter((part) => part !== '');
    return tally.result(note.join('; '));
  },
};

function checkWiring({ history: { deployment, events } }: Evidence, tally: Tally): void {
  const bound = eventsOf(events, 'ContractsSet');
  tally.same('times that registry and ledger were bound', bound.length, 1);
  for (const { registry, ledger } of bound) {
    tally.same('registry: bound, against the one in use', registry, deployment.registry);
    tally.same('ledger: bound, against the one in use', ledger, deployment.ledger);
  }
  for (const { name, at } of events) {
    // any contract can emit an event of any name
    tally.same(`${name} at ${placeName(at)}: emitted by`, at.contract, homeOf(name, deployment));
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

async function checkVerificationKeyBlob(evidence: Evidence, tally: Tally): Promise<VerificationKey | undefined> {
  const { verificationKeyHash } = evidence.history.deployment.parameters;
  // a key without a contribution accepts forged proofs; parsing refuses it
  const key = await tally.attempt('verification key: parses, points valid, not forgeable', async () => {
    const text = await textBlob(evidence, genesisBody(evidence).verificationKey);
    const parsed = parseVerificationKey(JSON.parse(text));
    const fileHash = toHex(sha256(utf8ToBytes(text)));
    tally.same('verification key: sha256 of the file, against the contract', fileHash, verificationKeyHash);
    return parsed;
  });
  if (key === undefined) return undefined;
  tally.same('verification key: hash, against the contract', hashVerificationKey(key), verificationKeyHash);
  tally.same('verification key: public signals', key.nPublic, SIGNALS);
  return key;
}

/** @returns the compiler that it was compared with */
async function checkCode({ history, engines }: Evidence, key: VerificationKey | undefined, tally: Tally) {
  const compiled = await tally.attempt('the contracts compile', () => engines.compileContracts(key));
  if (compiled === undefined) return 'nothing to compare the code with';
  checkDeployedCode(history, compiled, tally);
  return `code as ${compiled.compiler} makes it of this program’s sources`;
}

/** Where the key comes from: the record of its ceremony shows it, and on the embedded chain nothing hangs on it. */
function checkSetup({ history, ceremony }: Evidence, tally: Tally): string {
  const { chainId, parameters } = history.deployment;
  const what = 'verification key: made for this circuit';
  if (ceremony !== undefined) {
    if (tally.holds(what, ceremony.fault === undefined, { got: ceremony.fault })) {
      tally.same(`${what}, by this ceremony`, parameters.verificationKeyHash, ceremony.verificationKeyHash);
    }
    return `a ceremony of ${ceremony.contributions} contributions`;
  }
  if (chainId === EMBEDDED_CHAIN_ID) return 'single-operator setup: for development only';
  tally.unsure(what, 'give --ceremony with the folder of its ceremony');
  return 'a key of unknown origin';
}
