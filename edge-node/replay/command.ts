// `concordat edge replay`: one round again, from the dealer's folder; or opened to an auditor.
import type { Command } from 'commander';
import { createFastestRing } from '../../engines/ring/fastest.ts';
import { postgresPasswords } from '../../kit/config.ts';
import { createLog } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { relyingPartyOf } from '../../protocol/consent/relying-party.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { SAMPLE_SIZE } from '../../protocol/messages/replay-package.ts';
import { type OpenedDealer, openDealer } from './dealer.ts';
import { exportRound } from './export.ts';
import { type ReplayParts, replayRound } from './replay.ts';
import { replayText } from './report.ts';

interface Options {
  readonly dir: string;
  readonly round: string;
  readonly rpc: string;
  readonly federation: Hex;
  readonly coordinator?: string;
  readonly bundle?: string;
  readonly records: string;
  readonly table?: string;
  readonly contract: string;
  readonly task: string;
  readonly endedToo?: true;
  readonly export?: string;
  readonly for?: string;
  readonly sample: string;
  readonly rpId: string;
  readonly origin: string[];
  readonly cacheDir: string;
  readonly json?: true;
}

export function registerEdgeReplay(edge: Command): void {
  edge
    .command('replay')
    .description(
      're-run a round from the journal of a stopped node; exit code 0 only when the payload comes out byte for byte',
    )
    .requiredOption('--dir <folder>', 'of the edge node')
    .requiredOption('--round <number>', 'which round')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract')
    .option('--coordinator <url>', 'where the base model is read')
    .option('--bundle <folder>', 'the coordinator’s bundle, instead of --coordinator')
    .requiredOption('--records <where>', 'the dealer’s records, as for `concordat edge`')
    .option('--table <schema.table>', 'as for `concordat edge`')
    .requiredOption('--contract <yaml>', 'data contract of the records')
    .requiredOption('--task <yaml>', 'the task of the round')
    .option(
      '--ended-too',
      'also use records of customers whose consent has ended since: only with a ground of your own',
    )
    .option('--export <folder>', 'open the round to an auditor instead: writes what `concordat audit replay` reads')
    .option('--for <text>', 'with --export: to whom and why; goes under your signature')
    .option(
      '--sample <number>',
      'with --export: records shown with their consent, drawn by a block hash',
      String(SAMPLE_SIZE),
    )
    .option('--rp-id <domain>', 'domain that customers’ passkeys are bound to', 'localhost')
    .option('--origin <origin...>', 'page origins that may ask for signatures', ['https://localhost'])
    .option('--cache-dir <folder>', 'compiled kernels', '.concordat/cache')
    .option('--json', 'print the report as JSON')
    .action(runReplay);
}

async function runReplay(options: Options): Promise<void> {
  const round = wholeNumber(options.round, '--round');
  const dealer = await openDealer({
    directory: options.dir,
    rpcUrl: options.rpc,
    federation: options.federation.toLowerCase() as Hex,
    modelsFrom: modelsFrom(options),
    records: { records: options.records, table: options.table, passwords: postgresPasswords() },
    contractFile: options.contract,
    taskFile: options.task,
  });
  try {
    const log = createLog('edge', 'warn');
    const parts = { ...dealer, ring: await createFastestRing({ cacheDir: options.cacheDir, log }) };
    if (options.export !== undefined) await openToAuditor(round, dealer, parts, options);
    else await printReplay(round, parts, options);
  } finally {
    await dealer.close();
  }
}

async function printReplay(round: number, parts: ReplayParts, { endedToo, json }: Options): Promise<void> {
  const report = await replayRound(round, parts, { endedToo: endedToo ?? false });
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : replayText(report));
  if (!report.reproduced) process.exitCode = 1;
}

async function openToAuditor(round: number, dealer: OpenedDealer, parts: ReplayParts, options: Options): Promise<void> {
  if (options.for === undefined) {
    throw new ConcordatError('REPLAY_IMPOSSIBLE', 'say with --for to whom you open this round, and why');
  }
  const exported = await exportRound(round, dealer, parts, {
    folder: options.export ?? '',
    openedFor: options.for,
    endedToo: options.endedToo ?? false,
    sample: wholeNumber(options.sample, '--sample'),
    relyingParty: relyingPartyOf(options.rpId, options.origin),
    nowSeconds: Math.floor(Date.now() / 1_000),
  });
  const said = `Round ${round} is in ${exported.folder}: ${exported.records} records in the clear, ${exported.receipts} receipts, and the seed that opens this round's payload. Hand it to nobody but the auditor, and erase it afterwards.\n`;
  process.stdout.write(options.json ? `${JSON.stringify(exported)}\n` : said);
}

function modelsFrom({ coordinator, bundle }: Options) {
  if (bundle !== undefined) return { bundle };
  if (coordinator !== undefined) return { coordinatorUrl: coordinator };
  throw new ConcordatError('FILE_MISSING', 'give --coordinator, or --bundle with the folder of its bundle');
}

function wholeNumber(text: string, option: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new ConcordatError('MESSAGE_MALFORMED', `${option}: a whole number from 1`);
}
