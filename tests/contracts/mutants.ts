// Contracts with one check taken out or moved by one: what the forge tests must notice, and in which property's name.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collectSources } from '../../kit/solidity/sources.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { runSolc } from '../../scripts/forge/forge.ts';
import type { Mutant } from './mutant.ts';
import { SUCCESSION_MUTANTS } from './succession-mutants.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    title: 'anybody removes a dealer',
    contract: 'Federation',
    from: 'function removeDealer(address dealer) external onlyOwner',
    to: 'function removeDealer(address dealer) external',
    property: 'P-01',
    match: 'testFuzz_P01',
    always: true,
  },
  {
    title: 'a cohort of two',
    contract: 'Federation',
    from: 'p.minCohort < Params.MIN_COHORT',
    to: 'p.minCohort + 1 < Params.MIN_COHORT',
    property: 'P-02',
    match: 'testFuzz_P02',
  },
  {
    title: 'the contracts are bound anew',
    contract: 'Federation',
    from: 'if (registry != address(0)) revert ContractsAlreadySet();',
    to: '',
    property: 'P-03',
    match: 'testFuzz_P03',
  },
  {
    title: 'the key in use is taken for a new one',
    contract: 'Federation',
    from: 'if (keyHash == holder.keyHash) revert KeyNotNew(keyHash);',
    to: '',
    property: 'P-04',
    match: 'invariant_P01',
  },
  {
    title: 'a key-holder with a key is replaced',
    contract: 'Federation',
    from: 'if (_keyHolders[index - 1].keyEpoch != 0) revert KeyHolderActive(keyHolder);',
    to: '',
    property: 'P-04',
    match: 'testFuzz_P04',
  },
  {
    title: 'a log is forked at the same length',
    contract: 'ConsentRegistry',
    from: 'operationCount == last.operationCount && last.epoch != 0 && logHead != last.logHead',
    to: 'false',
    property: 'P-05',
    match: 'invariant_P05',
    always: true,
  },
  {
    title: 'one witness less is enough',
    contract: 'ConsentRegistry',
    from: 'if (signatures.length < needed)',
    to: 'if (signatures.length + 1 < needed)',
    property: 'P-06',
    match: 'invariant_P05',
    always: true,
  },
  {
    title: 'one witness signs twice',
    contract: 'ConsentRegistry',
    from: 'if (seen[j] == signer) revert DuplicateWitness(signer);',
    to: '',
    property: 'P-06',
    match: 'testFuzz_P06',
  },
  {
    title: 'a pause holds up withdrawals',
    contract: 'ConsentRegistry',
    from: ') external onlyDealer whenInForce {',
    to: ') external onlyDealer whenInForce whenRunning {',
    property: 'P-07',
    match: 'invariant_P05',
  },
  {
    title: 'the verifier is asked and not heard',
    contract: 'ConsentRegistry',
    from: 'if (!verifier.verifyProof(a, b, c, publicSignals)) revert ProofInvalid();',
    to: 'verifier.verifyProof(a, b, c, publicSignals);',
    property: 'P-08',
    match: 'invariant_P05',
    always: true,
  },
  {
    title: 'a cap of 21 bits',
    contract: 'ConsentRegistry',
    from: '_requireBits(signals, PRIVACY_CAP, Params.PRIVACY_CAP_BITS);',
    to: '_requireBits(signals, PRIVACY_CAP, Params.PRIVACY_CAP_BITS + 1);',
    property: 'P-09',
    match: 'testFuzz_P09',
  },
  {
    title: 'a bucket counts twice',
    contract: 'ConsentRegistry',
    from: 'if (leaf <= previous)',
    to: 'if (leaf < previous)',
    property: 'P-10',
    match: 'testFuzz_P10',
    always: true,
  },
  {
    title: 'the laxest cap counts',
    contract: 'ConsentRegistry',
    from: 'if (claim.privacyCapMilli < selection.privacyCapMilli)',
    to: 'if (i == 0 || claim.privacyCapMilli > selection.privacyCapMilli)',
    property: 'P-10',
    match: 'invariant_P05',
  },
  {
    title: 'an operation is forced again',
    contract: 'ConsentRegistry',
    from: 'if (parsed.seq <= membership.seq)',
    to: 'if (parsed.seq < membership.seq)',
    property: 'P-23',
    match: 'invariant_P23',
  },
  {
    title: 'the passkey is not asked',
    contract: 'ConsentRegistry',
    from: 'if (!Withdrawal.isSigned(operation, assertion, parsed.x, parsed.y)) revert PasskeyRefused();',
    to: '',
    property: 'P-23',
    match: 'testFuzz_P23',
    always: true,
  },
  {
    title: 'a pause holds up forced withdrawals',
    contract: 'ConsentRegistry',
    from: 'Membership calldata membership)\n        external\n        whenInForce\n    {',
    to: 'Membership calldata membership)\n        external\n        whenInForce\n        whenRunning\n    {',
    property: 'P-24',
    match: 'invariant_P23',
  },
  {
    title: 'a selection while a withdrawal is pending',
    contract: 'ConsentRegistry',
    from: '_requireNothingPending(msg.sender);',
    to: '',
    property: 'P-25',
    match: 'invariant_P23',
    always: true,
  },
  {
    title: 'a return by the same operation clears',
    contract: 'ConsentRegistry',
    from: 'if (membership.seq <= seq)',
    to: 'if (membership.seq < seq)',
    property: 'P-26',
    match: 'invariant_P23',
    always: true,
  },
  {
    title: 'a round on any model',
    contract: 'RoundLedger',
    from: '_requireBase(taskHash, baseModelHash);\n\n        round',
    to: 'round',
    property: 'P-11',
    match: 'testFuzz_P11',
  },
  {
    title: 'a round for anything',
    contract: 'RoundLedger',
    from: 'if (!Requirement.isValid(required0, required1, minEvidence)) revert RequirementInvalid();',
    to: '',
    property: 'P-12',
    match: 'invariant_P11',
  },
  {
    title: 'an attempt is repeated',
    contract: 'RoundLedger',
    from: 'if (attempt <= commitment.attempt)',
    to: 'if (attempt < commitment.attempt)',
    property: 'P-13',
    match: 'invariant_P11',
    always: true,
  },
  {
    title: 'the selection of an older root serves',
    contract: 'RoundLedger',
    from: 'if (selection.root != current) revert StaleRoot(selection.root, current);',
    to: '',
    property: 'P-14',
    match: 'invariant_P11',
    always: true,
  },
  {
    title: 'the second of the expiry still counts',
    contract: 'RoundLedger',
    from: 'block.timestamp >= selection.validUntil',
    to: 'block.timestamp > selection.validUntil',
    property: 'P-15',
    match: 'testFuzz_P15',
    always: true,
  },
  {
    title: 'a metric one second too old',
    contract: 'RoundLedger',
    from: 'block.timestamp - attested.attestedAt > maxAge',
    to: 'block.timestamp - attested.attestedAt > maxAge + 1',
    property: 'P-16',
    match: 'testFuzz_P16',
  },
  {
    title: 'a weight of nothing',
    contract: 'RoundLedger',
    from: 'weight == 0 || weight > selection.memberCount',
    to: 'weight > selection.memberCount',
    property: 'P-17',
    match: 'invariant_P11',
  },
  {
    title: 'the set is taken in any order',
    contract: 'RoundLedger',
    from: 'if (dealer <= previous) revert DealersNotAscending(i);',
    to: '',
    property: 'P-18',
    match: 'invariant_P11',
    always: true,
  },
  {
    title: 'a dealer moved to another attempt',
    contract: 'RoundLedger',
    from: 'if (standing != attempts[i]) revert CommitMoved(dealer, attempts[i], standing);',
    to: '',
    property: 'P-18',
    match: 'testFuzz_P18',
  },
  {
    title: 'an overtaken round is published',
    contract: 'RoundLedger',
    from: '_requireBase(taskHash, r.baseModelHash);\n\n        r.modelHash',
    to: 'r.modelHash',
    property: 'P-19',
    match: 'testFuzz_P19',
  },
  {
    title: 'published while paused',
    contract: 'RoundLedger',
    from: 'bytes32 transcriptHead\n    ) external onlyCoordinator whenRunning {',
    to: 'bytes32 transcriptHead\n    ) external onlyCoordinator {',
    property: 'P-20',
    match: 'testFuzz_P20',
  },
  {
    title: 'a commit looks at every customer',
    contract: 'RoundLedger',
    from: 'if (selection.root != current)',
    to: 'for (uint64 i = 0; i < selection.memberCount && i < 100; i++) {}\n        if (selection.root != current)',
    property: 'P-21',
    match: 'testFuzz_P21',
  },
  {
    title: 'a round forgets the keys it opened with',
    contract: 'RoundLedger',
    from: 'r.keysHash = federation.keysHash();',
    to: 'federation.keysHash();',
    property: 'P-22',
    match: 'invariant_P11',
  },
  ...SUCCESSION_MUTANTS,
];

/** No more than keeps the stack within its depth: a mutant's size and gas do not matter. */
const OPTIMIZER = {
  enabled: false,
  details: { yul: true, yulDetails: { stackAllocation: true, optimizerSteps: 'u:' } },
};

/** Creation bytecode of each, from one run of solc. */
export async function compileMutants(mutants: readonly Mutant[]): Promise<readonly string[]> {
  const sources: Record<string, { content: string }> = {};
  for (const [path, content] of Object.entries(await collectSources())) sources[path] = { content };
  const outputSelection: Record<string, Record<string, string[]>> = {};
  for (const [i, mutant] of mutants.entries()) {
    const path = pathOf(mutant, i);
    sources[path] = { content: await mutated(mutant) };
    outputSelection[path] = { [mutant.contract]: ['evm.bytecode.object'] };
  }
  const settings = { optimizer: OPTIMIZER, evmVersion: 'cancun', outputSelection };
  const output = JSON.parse(await runSolc(JSON.stringify({ language: 'Solidity', sources, settings }))) as {
    readonly contracts?: Record<string, Record<string, { evm: { bytecode: { object: string } } }>>;
    readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  };
  return mutants.map((mutant, i) => {
    const contract = output.contracts?.[pathOf(mutant, i)]?.[mutant.contract];
    if (contract === undefined) {
      const fault = output.errors?.find(({ severity }) => severity === 'error');
      throw new Error(`${mutant.title}: ${fault?.formattedMessage ?? 'no bytecode'}`);
    }
    return `0x${contract.evm.bytecode.object}`;
  });
}

/** Beside the original, so that its imports lead where they led. */
const pathOf = (mutant: Mutant, i: number): string => `contracts/src/${mutant.contract}.mutant-${i}.sol`;

async function mutated({ title, contract, from, to }: Mutant): Promise<string> {
  const text = await readFile(join(PACKAGE_ROOT, `contracts/src/${contract}.sol`), 'utf8');
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${title}: the text to mutate stands ${parts.length - 1} times, not once`);
  return parts.join(to);
}
