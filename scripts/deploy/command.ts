// `concordat deploy`: a federation's contracts on any chain, and its members registered; run once, by the operator.
import type { Command } from 'commander';
import { createChainClient } from '../../engines/chain/client.ts';
import { compileContracts } from '../../engines/chain/compile.ts';
import { type Deployment, deployFederation } from '../../engines/chain/deploy.ts';
import { createFederation } from '../../engines/chain/federation.ts';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import { createProgress } from '../../kit/progress.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { quorumWords } from '../../protocol/secagg/quorum.ts';
import { address, url } from './arguments.ts';
import { type Members, readMembers } from './members.ts';
import { registerSucceed } from './succeed.ts';

interface Options {
  readonly dir: string;
  readonly rpc: string;
  readonly members: string;
  readonly predecessor?: Hex;
  readonly artifacts?: string;
  readonly cacheDir: string;
  readonly json?: string;
}

export function registerDeploy(program: Command): void {
  const deploy = program
    .command('deploy')
    .description('put a federation on a chain, or hand one over to a new deployment');
  registerSucceed(deploy);
  deploy
    .command('federation', { isDefault: true })
    .description('deploy a federation’s contracts and register its members')
    .requiredOption(
      '--dir <folder>',
      'the operator’s folder: its key is made here if there is none, and pays for everything',
    )
    .requiredOption('--rpc <url>', 'chain endpoint', url)
    .requiredOption('--members <yaml>', 'parameters, coordinator, dealers, key-holders, witnesses')
    .option(
      '--artifacts <dir>',
      'proving key of a ceremony; without it a single-operator key, refused but on the embedded chain',
    )
    .option(
      '--predecessor <address>',
      'a federation on the same chain that this one is to carry on; its operator then runs `concordat deploy succeed`',
      address,
    )
    .option('--cache-dir <folder>', 'compiled circuits', '.concordat/cache')
    .option('--json <file>', 'also write the addresses as JSON')
    .action(runDeploy);
}

async function runDeploy(options: Options): Promise<void> {
  const { artifacts: artifactsDir, cacheDir, predecessor } = options;
  const members = await readMembers(options.members);
  const progress = createProgress();
  const operator = await loadOrCreateIdentity(options.dir);
  const artifacts = await progress.step('policy circuit', () =>
    preparePolicyCircuit({ cacheDir, ...(artifactsDir !== undefined && { artifactsDir }) }),
  );
  const { verifierSource, verificationKeyHash, setup } = artifacts;
  const compiled = await progress.step('contracts', () => compileContracts({ cacheDir, verifierSource }));
  const client = await createChainClient({ rpcUrl: options.rpc, privateKey: operator.privateKey });
  const deployed = await progress.step('deployment', () =>
    deployFederation(client, compiled, {
      operator: operator.address,
      parameters: { ...members.parameters, verificationKeyHash },
      setup,
      ...(predecessor !== undefined && { predecessor }),
    }),
  );
  await progress.step('members', () => register(createFederation(client, deployed.federation), members));
  process.stdout.write(`\n${report(deployed, operator.address, setup, members)}\n`);
  if (predecessor !== undefined) process.stdout.write(`\n${nextStep(predecessor, deployed.federation, options.rpc)}\n`);
  const named = { ...(predecessor !== undefined && { predecessor }) };
  const outcome = {
    chainId: client.chainId,
    operator: operator.address,
    setup,
    verificationKeyHash,
    ...named,
    ...deployed,
  };
  if (options.json !== undefined) await writeFileAtomic(options.json, `${JSON.stringify(outcome, undefined, 2)}\n`);
}

async function register(federation: ReturnType<typeof createFederation>, members: Members): Promise<void> {
  await federation.setCoordinator(members.coordinator);
  for (const witness of members.witnesses) await federation.registerWitness(witness);
  for (const dealer of members.dealers) await federation.registerDealer(dealer);
  // one after the other: the order of registration is a key-holder's index
  for (const keyHolder of members.keyHolders) await federation.registerKeyHolder(keyHolder);
}

const report = (
  { federation, registry, ledger, gasUsed }: Deployment,
  operator: string,
  setup: string,
  { parameters: { keyHolderThreshold: threshold }, keyHolders }: Members,
): string =>
  [
    `Federation       ${federation}`,
    `ConsentRegistry  ${registry}`,
    `RoundLedger      ${ledger}`,
    `operator         ${operator}`,
    `proving key      ${setup}${setup === 'single-operator' ? ' (whoever made it can forge proofs: for the embedded chain only)' : ''}`,
    `key-holders      ${quorumWords({ keyHolders: keyHolders.length, threshold })}`,
    `gas              ${gasUsed.toLocaleString('en')} for the contracts, registrations on top`,
    '',
    'Start the key-holders first: no round opens before each has registered a sealing key.',
  ].join('\n');

/** Until then the new deployment takes members, keys and proofs of policies, and neither an anchor nor a round. */
const nextStep = (predecessor: Hex, federation: Hex, rpc: string): string =>
  [
    'It is not in force yet. When every party is ready, the operator of its predecessor runs, once and for ever:',
    '',
    `  concordat deploy succeed --dir <its folder> --rpc ${rpc} --federation ${predecessor} --successor ${federation}`,
    '',
    'Every dealer then anchors anew under the new federation, before it selects or commits.',
  ].join('\n');
