// `concordat edge`: reads options, assembles one dealer's node, listens.
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
import { createEdgeNode } from './node.ts';

interface Options {
  readonly dir: string;
  readonly cacheDir: string;
  readonly artifacts?: string;
  readonly rpc: string;
  readonly federation: Hex;
  readonly coordinator: string;
  readonly witness?: string[];
  readonly records: string;
  readonly contract: string;
  readonly task: string;
  readonly rpId: string;
  readonly origin: string[];
  readonly port: string;
  readonly logLevel: string;
}

export function registerEdge(program: Command): void {
  program
    .command('edge')
    .description('run one dealer: its records, its customers\u2019 consent, its part in rounds')
    .requiredOption('--dir <folder>', 'where identity, consent log and journal are kept')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract')
    .requiredOption('--coordinator <url>', 'coordinator')
    .requiredOption('--records <csv>', 'the dealer\u2019s records; they never leave this process')
    .requiredOption('--contract <yaml>', 'data contract of the records')
    .requiredOption('--task <yaml>', 'the task this dealer agrees to')
    .option('--witness <url...>', 'witnesses that co-sign anchors (default: the coordinator)')
    .option('--rp-id <domain>', 'domain that customers\u2019 passkeys are bound to', 'localhost')
    .option('--origin <origin...>', 'page origins that may ask for signatures', ['https://localhost'])
    .option('--artifacts <dir>', 'proving key of a ceremony; without it the embedded chain’s own')
    .option('--cache-dir <folder>', 'compiled circuits', '.concordat/cache')
    .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', '0')
    .option('--log-level <level>', 'trace, debug, info, warn, error', 'info')
    .action(runEdge);
}

async function runEdge(options: Options): Promise<void> {
  const log = createLog('edge', options.logLevel);
  const text = async (path: string) => (await readFileOrExplain(path)).toString('utf8');
  const node = await createEdgeNode(
    {
      directory: options.dir,
      cacheDir: options.cacheDir,
      ...(options.artifacts !== undefined && { artifactsDir: options.artifacts }),
      port: Number(options.port),
      rpcUrl: options.rpc,
      federation: options.federation.toLowerCase() as Hex,
      coordinatorUrl: options.coordinator,
      witnessUrls: options.witness ?? [options.coordinator],
      recordsFile: options.records,
      contract: parseDataContract(await text(options.contract)),
      task: parseTask(await text(options.task)),
      relyingParty: relyingPartyOf(options.rpId, options.origin),
    },
    { clock: systemClock, log },
  );
  stopOnSignals(node.stop);
  announceReady(node.url);
}
