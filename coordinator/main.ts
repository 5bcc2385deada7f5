// `concordat coordinator`: reads options, assembles, listens.
import type { Command } from 'commander';
import { announceReady } from '../kit/child.ts';
import { systemClock } from '../kit/clock.ts';
import { readFileOrExplain } from '../kit/files.ts';
import { stopOnSignals } from '../kit/lifecycle.ts';
import { createLog } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { relyingPartyOf } from '../protocol/consent/relying-party.ts';
import { parseDataContract } from '../protocol/learning/data-contract.ts';
import { parseTask } from '../protocol/learning/task.ts';
import { createCoordinator } from './coordinator.ts';

interface Options {
  readonly dir: string;
  readonly cacheDir: string;
  readonly rpc: string;
  readonly federation: Hex;
  readonly task: string;
  readonly contract: string;
  readonly verificationKey: string;
  readonly keyHolder: string[];
  readonly predecessorBundle?: string;
  readonly rpId: string;
  readonly origin: string[];
  readonly port: string;
  readonly logLevel: string;
}

export function registerCoordinator(program: Command): void {
  program
    .command('coordinator')
    .description('drive rounds over ciphertexts, witness consent, keep the public transcript')
    .requiredOption('--dir <folder>', 'where identity, store and transcript are kept')
    .requiredOption('--cache-dir <folder>', 'compiled ring engine')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract')
    .requiredOption('--task <yaml>', 'what is learnt')
    .requiredOption('--contract <yaml>', 'data contract of the task')
    .requiredOption('--verification-key <json>', 'verification key of the policy circuit')
    .requiredOption('--key-holder <url...>', 'key-holders to ask')
    .option(
      '--predecessor-bundle <folder>',
      'bundle of the deployment that this one carries on: its last models are taken from there, once',
    )
    .option('--rp-id <domain>', 'domain that customers\u2019 passkeys are bound to', 'localhost')
    .option('--origin <origin...>', 'page origins that may ask for signatures', ['https://localhost'])
    .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', '0')
    .option('--log-level <level>', 'trace, debug, info, warn, error', 'info')
    .action(runCoordinator);
}

async function runCoordinator(options: Options): Promise<void> {
  const log = createLog('coordinator', options.logLevel);
  const text = async (path: string) => (await readFileOrExplain(path)).toString('utf8');
  const task = parseTask(await text(options.task));
  const coordinator = await createCoordinator(
    {
      directory: options.dir,
      cacheDir: options.cacheDir,
      port: Number(options.port),
      rpcUrl: options.rpc,
      federation: options.federation.toLowerCase() as Hex,
      task,
      contract: parseDataContract(await text(options.contract)),
      verificationKeyJson: await text(options.verificationKey),
      keyHolderUrls: options.keyHolder,
      relyingParty: relyingPartyOf(options.rpId, options.origin),
      predecessorBundle: options.predecessorBundle,
    },
    { clock: systemClock, log },
  );
  stopOnSignals(coordinator.stop);
  announceReady(coordinator.url);
}
