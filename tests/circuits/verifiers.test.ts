// Three verifiers, one verdict: snarkjs (the prover's), noble (the auditor's) and the Solidity contract on a real EVM.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Interface, JsonRpcProvider } from 'ethers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyProof } from '../../auditor/proof/verify.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import type { PolicyArtifacts } from '../../engines/proof/artifacts.ts';
import type { PolicyProof } from '../../engines/proof/policy-proof.ts';
import { verifyPolicyProof } from '../../engines/proof/verify.ts';
import { honestProof, malleated, spoiled } from './proofs.ts';

const ADDRESS = '0x00000000000000000000000000000000000c0de0';

let honest: PolicyProof;
let artifacts: PolicyArtifacts;
let dir: string;
let chain: EmbeddedChain;
let provider: JsonRpcProvider;
let abi: Interface;

beforeAll(async () => {
  ({ proof: honest, artifacts } = await honestProof());
  dir = await mkdtemp(join(tmpdir(), 'concordat-verifiers-'));
  chain = await startEmbeddedChain({ dir });
  provider = new JsonRpcProvider(chain.rpcUrl, undefined, { staticNetwork: true });
  const contract = compileVerifier(artifacts.verifierSource);
  abi = new Interface(contract.abi);
  await provider.send('anvil_setCode', [ADDRESS, `0x${contract.runtime}`]);
}, 180_000);

afterAll(async () => {
  provider?.destroy();
  await chain?.stop();
  await rm(dir, { recursive: true, force: true });
});

const onSnarkjs = (proof: PolicyProof): Promise<boolean> => verifyPolicyProof(artifacts.verificationKey, proof);
const onNoble = (proof: PolicyProof): boolean => verifyProof(artifacts.verificationKey, proof);

/** The contract answers false, also when it is starved of gas; a malformed call it reverts. */
async function onChain({ a, b, c, publicSignals }: PolicyProof): Promise<boolean> {
  if (publicSignals.length !== artifacts.verificationKey.nPublic) return false; // no such ABI
  const data = abi.encodeFunctionData('verifyProof', [a, b, c, publicSignals]);
  return abi.decodeFunctionResult('verifyProof', await provider.call({ to: ADDRESS, data }))[0] as boolean;
}

const verdicts = async (proof: PolicyProof) => ({
  snarkjs: await onSnarkjs(proof),
  noble: onNoble(proof),
  chain: await onChain(proof),
});

test('all accept an honest proof', async () => {
  expect(await verdicts(honest)).toEqual({ snarkjs: true, noble: true, chain: true });
});

test('all accept (-A, -B, C): a proof’s bytes are no identifier', async () => {
  expect(await verdicts(malleated(honest))).toEqual({ snarkjs: true, noble: true, chain: true });
});

test('none accepts a spoiled proof', async () => {
  const cases = Object.entries(spoiled(honest));
  expect(cases.length).toBeGreaterThan(20);
  for (const [name, proof] of cases) {
    expect(await verdicts(proof), name).toEqual({ snarkjs: false, noble: false, chain: false });
  }
});

describe('the context binds', () => {
  test('changed after proving, to another dealer’s, the proof is nobody’s', async () => {
    const moved = { ...honest, publicSignals: honest.publicSignals.with(0, 123n) };
    expect(await verdicts(moved)).toEqual({ snarkjs: false, noble: false, chain: false });
  });
});

test('starved of gas the contract says false and does not revert: callers must require the result', async () => {
  const { a, b, c, publicSignals } = honest;
  const data = abi.encodeFunctionData('verifyProof', [a, b, c, publicSignals]);
  const result = await provider.call({ to: ADDRESS, data, gasLimit: 60_000n });
  expect(abi.decodeFunctionResult('verifyProof', result)[0]).toBe(false);
});

function compileVerifier(source: string): { abi: string; runtime: string } {
  const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string };
  const input = {
    language: 'Solidity',
    sources: { 'Groth16Verifier.sol': { content: source } },
    settings: {
      outputSelection: { '*': { '*': ['abi', 'evm.deployedBytecode.object'] } },
      optimizer: { enabled: true },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as {
    contracts: Record<string, Record<string, { abi: unknown; evm: { deployedBytecode: { object: string } } }>>;
  };
  const contract = output.contracts['Groth16Verifier.sol']?.Groth16Verifier;
  if (contract === undefined) throw new Error('no contract Groth16Verifier in the source');
  return { abi: JSON.stringify(contract.abi), runtime: contract.evm.deployedBytecode.object };
}
