// `concordat deploy succeed`: the operator of a federation hands it over to the deployment that carries it on, for ever.
import type { Command } from 'commander';
import { connectFederation } from '../../engines/chain/connect.ts';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { address, url } from './arguments.ts';

interface Options {
  readonly dir: string;
  readonly rpc: string;
  readonly federation: Hex;
  readonly successor: Hex;
}

export function registerSucceed(deploy: Command): void {
  deploy
    .command('succeed')
    .description('end a federation in favour of a deployment that names it as predecessor; cannot be undone')
    .requiredOption('--dir <folder>', 'folder of the operator of the federation that ends')
    .requiredOption('--rpc <url>', 'chain endpoint', url)
    .requiredOption('--federation <address>', 'the federation that ends', address)
    .requiredOption('--successor <address>', 'the one that carries it on', address)
    .action(runSucceed);
}

async function runSucceed({ dir, rpc, federation, successor }: Options): Promise<void> {
  const operator = await loadOrCreateIdentity(dir);
  const old = await connectFederation(rpc, federation, operator.privateKey);
  const holder = await old.federation.operator();
  if (holder !== operator.address) {
    throw new ConcordatError(
      'CONFLICT',
      `the operator of ${federation} is ${holder}, ${dir} holds ${operator.address}`,
    );
  }
  const missing = await missingIn(await connectFederation(rpc, successor), old.federation);
  const { txHash } = await old.federation.nameSuccessor(successor);
  process.stdout.write(
    [
      `${federation} has ended; ${successor} carries it on (transaction ${txHash}).`,
      ...missing.map(
        (dealer) => `Dealer ${dealer} is not registered there: nobody can train on its customers any more.`,
      ),
      'Every dealer now restarts its edge node with the new address; it anchors anew by itself.',
      '',
    ].join('\n'),
  );
}

/** @throws ConcordatError CHAIN_REVERTED (KeyMissing) while the new one cannot open a round @returns dealers that are members of the old one alone */
async function missingIn(
  { federation }: Awaited<ReturnType<typeof connectFederation>>,
  old: { dealers(): Promise<Hex[]> },
): Promise<Hex[]> {
  await federation.keysHash();
  const [before, after] = await Promise.all([old.dealers(), federation.dealers()]);
  return before.filter((dealer) => !after.includes(dealer));
}
