// `concordat model`: published models, for those who use them elsewhere.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FORMATS } from '../../protocol/learning/export/manifest.ts';
import { address, url } from '../deploy/arguments.ts';
import { type ExportOptions, exportedText, exportModel } from './export.ts';

export function registerModel(program: Command): void {
  const model = program.command('model').description('published models');
  model
    .command('export')
    .description('write a published model as files that others read, with a manifest (docs/model-export.md)')
    .addOption(new Option('--format <format...>', 'one or more').choices(FORMATS).makeOptionMandatory())
    .requiredOption('--out <dir>', 'folder to write into')
    .option('--run <dir>', 'folder of a finished run')
    .option('--bundle <path>', 'or a transcript: a folder, or a .tar of it')
    .option('--coordinator <url>', 'or the coordinator that serves it', url)
    .option('--rpc <url>', 'chain endpoint: the model’s hash is looked up there', url)
    .option('--federation <address>', 'Federation contract, with --rpc', address)
    .option('--from-block <number>', 'where the federation’s history begins', parseCount)
    .option('--task <name>', 'id, hash, or first digits of the hash (default: the only task)')
    .option('--round <number>', 'as of this round (default: the last that was published)', parseCount)
    .option('--licence <text>', 'licence to state in the manifest')
    .option('--json', 'print the outcome as JSON')
    .action(async ({ json, ...options }: ExportOptions & { readonly json?: true }) => {
      const exported = await exportModel(options);
      const { task, record, files } = exported;
      const outcome = { task: task.hash, round: record.round, chain: record.chain, files };
      process.stdout.write(`${json ? JSON.stringify(outcome) : exportedText(exported, options.out)}\n`);
    });
}

function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number.');
  return Number(text);
}
