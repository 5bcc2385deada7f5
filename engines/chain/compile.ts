// The contracts as they are deployed: ABI and bytecode, compiled from contracts/src.
import type { InterfaceAbi } from 'ethers';
import { type EntryName, readBuild } from '../../kit/solidity/build.ts';
import { type CompileEvent, compileSolidity } from '../../kit/solidity/solc.ts';
import { collectSources, type Sources } from '../../kit/solidity/sources.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export const CONTRACT_NAMES = ['Federation', 'ConsentRegistry', 'RoundLedger'] as const;
export type ContractName = (typeof CONTRACT_NAMES)[number] | 'Groth16Verifier';

export interface Artifact {
  readonly abi: InterfaceAbi & readonly AbiEntry[];
  readonly bytecode: Hex;
}

export interface AbiEntry {
  readonly type: string;
  readonly name?: string;
}

export type Artifacts = Readonly<Record<ContractName, Artifact>>;

interface CompileOptions {
  readonly cacheDir: string;
  /** Solidity text whose one deployable contract with `verifyProof` is the verifier (snarkjs' template). */
  readonly verifierSource: string;
  readonly onEvent?: (event: CompileEvent) => void;
}

/** @throws ConcordatError FILE_UNREADABLE with the compiler's first complaint */
export async function compileContracts(options: CompileOptions): Promise<Artifacts> {
  const output = await compile(await collectSources(options.verifierSource), options);
  return {
    Federation: await deployable(output, 'Federation'),
    ConsentRegistry: await deployable(output, 'ConsentRegistry'),
    RoundLedger: await deployable(output, 'RoundLedger'),
    Groth16Verifier: await verifierOf(output),
  };
}

/** ABIs alone, without a verifier: what protocol/abi is generated from. */
export async function compileAbis(cacheDir: string): Promise<Record<(typeof CONTRACT_NAMES)[number], Artifact['abi']>> {
  const output = await compile(await collectSources(), { cacheDir });
  return {
    Federation: (await deployable(output, 'Federation')).abi,
    ConsentRegistry: (await deployable(output, 'ConsentRegistry')).abi,
    RoundLedger: (await deployable(output, 'RoundLedger')).abi,
  };
}

interface SolcContract {
  readonly abi: Artifact['abi'];
  readonly evm: { readonly bytecode: { readonly object: string } };
}

const compile = (sources: Sources, options: Pick<CompileOptions, 'cacheDir' | 'onEvent'>) =>
  compileSolidity<SolcContract>(sources, { ...options, outputs: { contract: ['abi', 'evm.bytecode.object'] } });

type Output = Awaited<ReturnType<typeof compile>>;

async function deployable(output: Output, name: EntryName): Promise<Artifact> {
  const contract = output.contracts?.[(await readBuild()).entries[name]]?.[name];
  if (contract === undefined) throw new ConcordatError('FILE_UNREADABLE', `solc wrote no ${name}`, { name });
  return { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
}

async function verifierOf(output: Output): Promise<Artifact> {
  const contracts = Object.values(output.contracts?.[(await readBuild()).verifier] ?? {});
  const contract = contracts.find(
    ({ abi, evm }) => evm.bytecode.object !== '' && abi.some((entry) => entry.name === 'verifyProof'),
  );
  if (contract === undefined) throw new ConcordatError('FILE_UNREADABLE', 'the verifier source has no verifyProof');
  return { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
}
