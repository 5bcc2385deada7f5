// What this repository's contracts, and the verifier of a key, compile to: runtime code, and where its immutables stand.
import { type EntryName, readBuild } from '../../kit/solidity/build.ts';
import { compileSolidity, solcVersion } from '../../kit/solidity/solc.ts';
import { collectSources, type Sources } from '../../kit/solidity/sources.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { VerificationKey } from '../../protocol/proof/verification-key.ts';
import type { CompiledContracts, RuntimeCode } from '../compiled-contracts.ts';
import { verifierSource } from './verifier-source.ts';

interface SolcContract {
  readonly abi: readonly { readonly name?: string }[];
  readonly evm: {
    readonly deployedBytecode: {
      readonly object: string;
      /** Id of the declaration in the AST -> where its value stands. */
      readonly immutableReferences?: Readonly<
        Record<string, readonly { readonly start: number; readonly length: number }[]>
      >;
    };
  };
}

interface SolcFile {
  readonly ast: unknown;
}

const CODE = ['abi', 'evm.deployedBytecode.object', 'evm.deployedBytecode.immutableReferences'];

/**
 * About 4 s, then from the cache; the verifier is compiled apart, so that another key costs a second.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, ARTIFACT_CORRUPT
 */
export async function compileDeployed(cacheDir: string, key: VerificationKey | undefined): Promise<CompiledContracts> {
  return {
    ...(await compileAsDeployed(cacheDir, await collectSources())),
    verifier: key && (await compileVerifier(cacheDir, await verifierSource(key))),
  };
}

/** Of any sources: those of an earlier version, or of a forger. */
export async function compileAsDeployed(
  cacheDir: string,
  sources: Sources,
): Promise<Omit<CompiledContracts, 'verifier'>> {
  const { entries } = await readBuild();
  const outputs = { contract: CODE, file: ['ast'] };
  const output = await compileSolidity<SolcContract, SolcFile>(sources, { cacheDir, outputs });
  const names = immutableNames(Object.values(output.sources ?? {}));
  const contractOf = (name: EntryName): RuntimeCode => {
    const found = output.contracts?.[entries[name]]?.[name];
    if (found === undefined) throw new ConcordatError('FILE_UNREADABLE', `solc wrote no ${name}`, { name });
    return runtimeOf(found, names);
  };
  return {
    compiler: `solc ${await solcVersion()}`,
    federation: contractOf('Federation'),
    registry: contractOf('ConsentRegistry'),
    ledger: contractOf('RoundLedger'),
  };
}

async function compileVerifier(cacheDir: string, source: string): Promise<RuntimeCode> {
  const { verifier } = await readBuild();
  const output = await compileSolidity<SolcContract>({ [verifier]: source }, { cacheDir, outputs: { contract: CODE } });
  const [found] = Object.values(output.contracts?.[verifier] ?? {});
  if (found === undefined) throw new ConcordatError('FILE_UNREADABLE', 'solc wrote no verifier');
  return runtimeOf(found, new Map());
}

function runtimeOf({ evm: { deployedBytecode } }: SolcContract, names: ReadonlyMap<string, string>): RuntimeCode {
  const code: Hex = `0x${deployedBytecode.object}`;
  const immutables = Object.entries(deployedBytecode.immutableReferences ?? {}).map(([id, at]) => ({
    name: names.get(id) ?? `number ${id}`,
    at,
  }));
  return { code, immutables };
}

/** Id -> name, of every immutable that any file declares. */
function immutableNames(files: readonly SolcFile[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('mutability' in node && node.mutability === 'immutable' && 'id' in node && 'name' in node) {
      names.set(String(node.id), String(node.name));
    }
    for (const child of Object.values(node)) visit(child);
  };
  for (const { ast } of files) visit(ast);
  return names;
}
