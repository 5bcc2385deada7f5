// `concordat audit`: everything from public data, every check always, exit code 0 only when all of them hold.
import { type Command, InvalidArgumentError } from 'commander';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { SAMPLE_SIZE } from '../protocol/messages/replay-package.ts';
import { type AuditSource, loadEvidence } from './audit.ts';
import { openChain, readFinishedRun } from './chain-at.ts';
import {
  blockHashesOf,
  checkpointText,
  moveCheckpoint,
  readCheckpoint,
  requireSameFederation,
} from './checkpoint-file.ts';
import { checkpointCheck } from './checks/19-checkpoint.ts';
import { checkEquivocationFile } from './equivocation.ts';
import type { FetchSource } from './fetch.ts';
import { fetchedText, fetchWithProgress, withFetched } from './fetch-command.ts';
import { type ReceiptOptions, receiptText, runReceiptAudit } from './receipt-file.ts';
import type { SiteOptions } from './replay-site/command.ts';
import { checkText, headerText, summaryText } from './report.ts';
import { judgeReport, type ReportFiles, readReportFile, writeReport } from './report-command.ts';
import { CHECKS, type Report, subjectOf, verify } from './verify.ts';

export interface AuditOutput {
  write(text: string): void;
  readonly colour: boolean;
}

interface VerifyOptions extends ReportFiles {
  readonly rpc?: readonly string[];
  readonly head?: Hex;
  readonly predecessorCode?: readonly Hex[];
  readonly federation?: Hex;
  readonly bundle?: string;
  readonly fromBlock?: number;
  readonly ceremony?: string;
  readonly out?: string;
  readonly coordinator?: string;
  readonly maxBytes?: number;
  readonly checkpoint?: string;
}

const ONE_OR_MORE = 'chain endpoint; given more than once, all must tell the same';
const TRUSTED_HEAD = 'hash of a block that you know from elsewhere: the last one read, to which everything must lead';

const standardOutput: AuditOutput = {
  write: (text) => process.stdout.write(text),
  colour: process.stdout.isTTY === true,
};

/** Adds the subcommands of `audit` to the given command. */
export function registerAuditCommands(audit: Command, output: AuditOutput = standardOutput): void {
  registerReceipt(audit, output);
  registerReplay(audit, output);
  registerReport(audit, output);
  registerFetch(audit, output);
  audit
    .command('verify', { isDefault: true })
    .description('check a federation’s whole history from the chain and its bundle')
    .option('--rpc <url>', ONE_OR_MORE, collect)
    .option('--head <hash>', TRUSTED_HEAD, parseHash)
    .option('--federation <address>', 'address of the Federation contract', parseAddress)
    .option(
      '--predecessor-code <hash>',
      'code that you accept of a deployment before this one, of another version (check 18 names the hash); may be repeated',
      (text: string, before: readonly Hex[] = []) => [...before, parseHash(text)],
    )
    .option('--bundle <path>', 'the transcript: a folder with entries/ and blobs/, or a .tar of it')
    .option(
      '--coordinator <url>',
      'fetch the transcript from here, into --bundle (default: a folder for this audit only)',
      parseUrl,
    )
    .option('--max-bytes <number>', 'with --coordinator: refuse a bundle that is longer', parseCount)
    .option('--from-block <number>', 'first block to read', parseBlock)
    .option('--out <dir>', 'folder of a finished run, instead of the three above: reads its federation.json')
    .option('--ceremony <dir>', 'the record of the ceremony that made the verification key: check all of it (minutes)')
    .option('--json <file>', 'also write the report as JSON')
    .option('--html <file>', 'also write it as a page to read and print')
    .option('--key <dir>', 'sign both with the auditor’s key in this folder (made there when there is none)')
    .option(
      '--checkpoint <file>',
      'check that the history only grew since the audit that wrote this file; then move it on',
    )
    .action(async (options: VerifyOptions) => {
      const report = await runVerify(options, output);
      if (report.checksFailed > 0) process.exitCode = 1;
    });
  audit
    .command('evidence')
    .description('check a file that shows a dealer or a witness signing two anchors that cannot both be true')
    .argument('<file>', 'as `concordat witness compare` writes it')
    .option('--rpc <url>', 'chain endpoint: also look up whether the federation registered the signer')
    .action(async (file: string, { rpc }: { readonly rpc?: string }) => {
      output.write(`${await checkEquivocationFile(file, rpc)}\n`);
    });
}

/** Adds `audit receipt`. */
function registerReceipt(audit: Command, output: AuditOutput): void {
  audit
    .command('receipt')
    .description('check a customer’s receipt against the chain; exit code 0 only when everything it says holds')
    .argument('<file>', 'the receipt, JSON')
    .requiredOption('--rpc <url>', ONE_OR_MORE, collect)
    .option('--head <hash>', TRUSTED_HEAD, parseHash)
    .option('--federation <address>', 'the federation you know (default: the one that the receipt names)', parseAddress)
    .option('--rp-id <domain>', 'where the customer signed (default: as the receipt says)')
    .option('--origin <origin...>', 'page origins of --rp-id')
    .option('--json', 'print the report as JSON')
    .action(async (file: string, { json, ...options }: ReceiptOptions & { readonly json?: true }) => {
      const report = await runReceiptAudit(file, options);
      output.write(json ? `${JSON.stringify(report)}\n` : receiptText(report));
      if (report.checksFailed > 0) process.exitCode = 1;
    });
}

/** Adds `audit fetch`. */
function registerFetch(audit: Command, output: AuditOutput): void {
  audit
    .command('fetch')
    .description(
      'fetch a coordinator’s transcript, every file checked as it arrives; run it again to go on or to catch up',
    )
    .requiredOption('--coordinator <url>', 'where the coordinator listens', parseUrl)
    .requiredOption('--bundle <dir>', 'folder to fetch into')
    .option('--tar <file>', 'also write the bundle as one file: the same bundle makes the same bytes')
    .option('--max-bytes <number>', 'refuse a bundle that is longer (default: 64 GiB)', parseCount)
    .action(async (source: FetchSource) => {
      output.write(fetchedText(await fetchWithProgress(source), source));
    });
}

/** Adds `audit replay`. */
function registerReplay(audit: Command, output: AuditOutput): void {
  audit
    .command('replay')
    .description('on site: re-run a round that a dealer opened with `concordat edge replay --export`')
    .requiredOption('--edge <folder>', 'what the dealer opened')
    .requiredOption('--rpc <url>', ONE_OR_MORE, collect)
    .option('--head <hash>', TRUSTED_HEAD, parseHash)
    .option('--round <number>', 'the round you asked for (default: the one that was opened)', parseCount)
    .option('--federation <address>', 'the federation you know (default: the one that the package names)', parseAddress)
    .option('--sample <number>', 'records shown with their consent, drawn by a block hash', parseCount, SAMPLE_SIZE)
    .option('--show-records', 'also print the field values of the sample')
    .option('--rp-id <domain>', 'where customers sign (default: as the receipts say)')
    .option('--origin <origin...>', 'page origins of --rp-id')
    .option('--json', 'print the report as JSON')
    .action(async ({ json, ...options }: SiteOptions & { readonly json?: true }) => {
      // training engine and all: loaded when it is needed
      const { runSiteAudit, siteText } = await import('./replay-site/command.ts');
      const report = await runSiteAudit(options);
      output.write(json ? `${JSON.stringify(report)}\n` : siteText(report));
      if (report.checksFailed > 0) process.exitCode = 1;
    });
}

/** Adds `audit report`. */
function registerReport(audit: Command, output: AuditOutput): void {
  audit
    .command('report')
    .description(
      'check who signed a report, and that its page shows what was signed; exit code 0 only when it also says that all holds',
    )
    .argument('<file>', 'as `audit verify --html` or `--json` writes it')
    .option('--signer <address>', 'the auditor that you expect', parseAddress)
    .action(async (file: string, { signer }: { readonly signer?: Hex }) => {
      const { text, holds } = judgeReport(await readReportFile(file), signer);
      output.write(text);
      if (!holds) process.exitCode = 1;
    });
}

/** @throws ConcordatError when there is nothing to audit: no chain, no contract, no folder */
export async function runVerify(options: VerifyOptions, output: AuditOutput): Promise<Report> {
  const { coordinator } = options;
  if (coordinator !== undefined) {
    requireSource(options);
    return withFetched({ ...options, coordinator }, (bundle, fetchAgain) =>
      auditAndPrint(explicitSource({ ...options, bundle }), options, output, fetchAgain),
    );
  }
  if (options.out === undefined) return auditAndPrint(explicitSource(options), options, output);
  const run = await readFinishedRun(options.out);
  const chain = await openChain(run);
  try {
    if (chain.startedFrom !== undefined) {
      output.write(`${run.rpcUrl} does not answer: the chain was started from ${chain.startedFrom} for this audit.\n`);
    }
    const { federation, bundle } = run;
    return await auditAndPrint({ rpc: chain.rpcUrl, federation, bundle, ...trusted(options) }, options, output);
  } finally {
    await chain.close();
  }
}

async function auditAndPrint(
  source: AuditSource,
  options: VerifyOptions,
  output: AuditOutput,
  fetchAgain?: () => Promise<unknown>,
): Promise<Report> {
  const { checkpoint } = options;
  const before = checkpoint === undefined ? undefined : await readCheckpoint(checkpoint);
  const evidence = await loadEvidence(source, fetchAgain);
  if (before !== undefined) requireSameFederation(before, evidence);
  const hashOf = blockHashesOf(source.rpc);
  const checks = before === undefined ? CHECKS : [...CHECKS, checkpointCheck(before, hashOf)];
  output.write(`${headerText(subjectOf(evidence))}\n`);
  const made = await verify(evidence, (check) => output.write(checkText(check, output)), checks);
  const report = await writeReport(made, options);
  output.write(`\n${summaryText(report, output)}`);
  if (checkpoint !== undefined) {
    // last: it names the report that was written
    const moved = await moveCheckpoint(checkpoint, evidence, report, hashOf);
    output.write(`${checkpointText(checkpoint, moved, before)}\n`);
  }
  return report;
}

/** Before anything is fetched: a long download must not end in a question. */
function requireSource({ rpc, federation, bundle, out }: VerifyOptions): void {
  explicitSource({ bundle: '.', ...(rpc !== undefined && { rpc }), ...(federation !== undefined && { federation }) });
  if (out === undefined && bundle?.endsWith('.tar') !== true) return;
  throw new ConcordatError('FILE_MISSING', '--coordinator goes with a folder as --bundle, and without --out');
}

/** What the auditor brings along. */
function trusted({ ceremony, head, predecessorCode }: VerifyOptions): Partial<AuditSource> {
  return {
    ...(ceremony !== undefined && { ceremony }),
    ...(head !== undefined && { head }),
    ...(predecessorCode !== undefined && { predecessorCode }),
  };
}

function explicitSource({ rpc, federation, bundle, fromBlock, ...options }: VerifyOptions): AuditSource {
  if (rpc === undefined || federation === undefined || bundle === undefined) {
    throw new ConcordatError(
      'FILE_MISSING',
      'give --rpc, --federation and --bundle or --coordinator, or --out with the folder of a run',
    );
  }
  return {
    ...{ rpc, federation, bundle, ...trusted(options) },
    ...(fromBlock !== undefined && { fromBlock }),
  };
}

function parseAddress(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError('An address is 0x and 40 hex digits.');
  return text.toLowerCase() as Hex;
}

function parseHash(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new InvalidArgumentError('A hash is 0x and 64 hex digits.');
  return text.toLowerCase() as Hex;
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

function parseUrl(text: string): string {
  if (!/^https?:\/\/[^\s?#]+$/.test(text)) throw new InvalidArgumentError('A URL begins with http:// or https://.');
  return text;
}

function parseBlock(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A block is a whole number.');
  return Number(text);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('A whole number from 1.');
  return Number(text);
}
