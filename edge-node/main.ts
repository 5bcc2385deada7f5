// `concordat edge`: reads options, assembles one dealer's node, listens.
import { type Command, InvalidArgumentError } from 'commander';
import { announceReady } from '../kit/child.ts';
import { systemClock } from '../kit/clock.ts';
import { postgresPasswords } from '../kit/config.ts';
import { readFileOrExplain } from '../kit/files.ts';
import { stopOnSignals } from '../kit/lifecycle.ts';
import { createLog } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { relyingPartyOf } from '../protocol/consent/relying-party.ts';
import { parseDataContract } from '../protocol/learning/data-contract.ts';
import { parseTask } from '../protocol/learning/task.ts';
import { createEdgeNode } from './node.ts';
import { registerPersonalModel } from './personal/command.ts';
import { registerEdgeReplay } from './replay/command.ts';
import { parseAcceptPolicy } from './tasks/policy.ts';

interface Options {
  readonly dir: string;
  readonly cacheDir: string;
  readonly artifacts?: string;
  readonly rpc: string;
  readonly federation: Hex;
  readonly coordinator: string;
  readonly witness?: string[];
  readonly records: string;
  readonly table?: string;
  readonly contract: string;
  readonly task: string;
  readonly accept?: string;
  readonly rpId: string;
  readonly origin: string[];
  readonly replayDays: number;
  readonly port: string;
  readonly logLevel: string;
}

export function registerEdge(program: Command): void {
  const edge = program
    .command('edge')
    .description('run one dealer: its records, its customers\u2019 consent, its part in rounds');
  registerEdgeReplay(edge);
  registerPersonalModel(edge);
  const node = edge
    .command('run', { isDefault: true })
    .description('the node itself; what `concordat edge` does without another word')
    .requiredOption('--dir <folder>', 'where identity, consent log and journal are kept')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract')
    .requiredOption('--coordinator <url>', 'coordinator')
    .requiredOption(
      '--records <where>',
      'the dealer\u2019s records, which never leave this process: a file ending in .csv, .csv.gz, .parquet or .duckdb, or ' +
        'postgres://user@host/database with its password in ~/.pgpass (docs/data-sources.md)',
    )
    .option('--table <schema.table>', 'table or view of the records, in a .duckdb file or PostgreSQL')
    .requiredOption('--contract <yaml>', 'data contract of the records')
    .requiredOption('--task <yaml>', 'the task this dealer agrees to')
    .option('--accept <yaml>', 'standing policy: which other tasks to take part in (docs/tasks.md); none without it')
    .option('--witness <url...>', 'witnesses that co-sign anchors (default: the coordinator)')
    .option('--rp-id <domain>', 'domain that customers\u2019 passkeys are bound to', 'localhost')
    .option('--origin <origin...>', 'page origins that may ask for signatures', ['https://localhost'])
    .option(
      '--replay-days <days>',
      'how long a round can be replayed, and its payload opened by whoever steals this folder',
      daysOf,
      30,
    )
    .option('--artifacts <dir>', 'proving key of a ceremony; without it the embedded chain’s own')
    .option('--cache-dir <folder>', 'compiled circuits', '.concordat/cache')
    .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', '0')
    .option('--log-level <level>', 'trace, debug, info, warn, error', 'info')
    .action(runEdge);
  edge.addHelpText('after', () => `\n${node.helpInformation()}`);
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
      replayDays: options.replayDays,
      rpcUrl: options.rpc,
      federation: options.federation.toLowerCase() as Hex,
      coordinatorUrl: options.coordinator,
      witnessUrls: options.witness ?? [options.coordinator],
      records: { records: options.records, table: options.table, passwords: postgresPasswords() },
      contract: parseDataContract(await text(options.contract)),
      task: parseTask(await text(options.task)),
      ...(options.accept !== undefined && { accept: parseAcceptPolicy(await text(options.accept)) }),
      relyingParty: relyingPartyOf(options.rpId, options.origin),
    },
    { clock: systemClock, log },
  );
  stopOnSignals(node.stop);
  announceReady(node.url);
}

function daysOf(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A whole number of days; 0 keeps nothing.');
}
