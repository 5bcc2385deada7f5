// `concordat audit`: everything from public data, every check always, exit code 0 only when all of them hold.
import { type Command, InvalidArgumentError } from 'commander';
import { writeFileAtomic } from '../kit/files.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type AuditSource, loadEvidence } from './audit.ts';
import { openChain, readFinishedRun } from './chain-at.ts';
import { checkEquivocationFile } from './equivocation.ts';
import { type ReceiptOptions, receiptText, runReceiptAudit } from './receipt-file.ts';
import { checkText, headerText, reportJson, summaryText } from './report.ts';
import { type Report, subjectOf, verify } from './verify.ts';

export interface AuditOutput {
  write(text: string): void;
  readonly colour: boolean;
}

interface VerifyOptions {
  readonly rpc?: string;
  readonly federation?: Hex;
  readonly bundle?: string;
  readonly fromBlock?: number;
  readonly out?: string;
  readonly json?: string;
}

const standardOutput: AuditOutput = {
  write: (text) => process.stdout.write(text),
  colour: process.stdout.isTTY === true,
};

/** Adds the subcommands of `audit` to the given command. */
export function registerAuditCommands(audit: Command, output: AuditOutput = standardOutput): void {
  registerReceipt(audit, output);
  audit
    .command('verify', { isDefault: true })
    .description('check a federation’s whole history from the chain and its bundle')
    .option('--rpc <url>', 'chain endpoint')
    .option('--federation <address>', 'address of the Federation contract', parseAddress)
    .option('--bundle <dir>', 'folder with the transcript: entries/ and blobs/')
    .option('--from-block <number>', 'first block to read', parseBlock)
    .option('--out <dir>', 'folder of a finished run, instead of the three above: reads its federation.json')
    .option('--json <file>', 'also write the report as JSON')
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
    .requiredOption('--rpc <url>', 'chain endpoint')
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

/** @throws ConcordatError when there is nothing to audit: no chain, no contract, no folder */
export async function runVerify(options: VerifyOptions, output: AuditOutput): Promise<Report> {
  if (options.out === undefined) return auditAndPrint(explicitSource(options), options, output);
  const run = await readFinishedRun(options.out);
  const chain = await openChain(run);
  try {
    if (chain.startedFrom !== undefined) {
      output.write(`${run.rpcUrl} does not answer: the chain was started from ${chain.startedFrom} for this audit.\n`);
    }
    const { federation, bundle } = run;
    return await auditAndPrint({ rpcUrl: chain.rpcUrl, federation, bundle }, options, output);
  } finally {
    await chain.close();
  }
}

async function auditAndPrint(source: AuditSource, options: VerifyOptions, output: AuditOutput): Promise<Report> {
  const evidence = await loadEvidence(source);
  output.write(`${headerText(subjectOf(evidence))}\n`);
  const report = await verify(evidence, (check) => output.write(checkText(check, output)));
  output.write(`\n${summaryText(report)}`);
  if (options.json !== undefined) await writeFileAtomic(options.json, reportJson(report));
  return report;
}

function explicitSource({ rpc, federation, bundle, fromBlock }: VerifyOptions): AuditSource {
  if (rpc === undefined || federation === undefined || bundle === undefined) {
    throw new ConcordatError(
      'FILE_MISSING',
      'give --rpc, --federation and --bundle, or --out with the folder of a run',
    );
  }
  return { rpcUrl: rpc, federation, bundle, ...(fromBlock !== undefined && { fromBlock }) };
}

function parseAddress(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError('An address is 0x and 40 hex digits.');
  return text.toLowerCase() as Hex;
}

function parseBlock(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A block is a whole number.');
  return Number(text);
}
