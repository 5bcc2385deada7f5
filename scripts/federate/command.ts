// `concordat federate`: runs the story, shows the result, and stops every process however it ends.
import { join, relative, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { OPERATOR_TOKEN_FILE } from '../../engines/keys/operator-token.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { quorumFault } from '../../protocol/secagg/quorum.ts';
import { exampleFiles } from './examples.ts';
import { type FinishedRun, federate } from './federate.ts';
import { type FederateOptions, witnessQuorumOf } from './options.ts';
import type { Stoppable } from './run.ts';
import { resultScreen } from './screen.ts';

const whole = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
};

export function registerFederate(program: Command): void {
  program
    .command('federate')
    .description('run a whole federation on this machine: chain, coordinator, dealers, key-holders, auditor')
    .option('--example <name>', 'which example to run: coil2000 or telco', 'coil2000')
    .option('--data <csv>', 'your own records instead (with --contract)')
    .option('--contract <yaml>', 'data contract of --data')
    .option('--task <yaml>', 'another task, such as one of examples/coil2000/tasks or examples/telco/tasks')
    .option('--dealers <n>', 'edge nodes', whole(3, 32), 8)
    .option('--rounds <n>', 'rounds of training (default: those of the task)', whole(1, 1_000))
    .option('--seed <n>', 'decides split, simulated rules and who withdraws', whole(0, 2 ** 31), 1)
    .option('--key-holders <n>', 'key-holders', whole(1, 32), 5)
    .option('--threshold <n>', 'key-holders needed to open a sum', whole(1, 32), 4)
    .option('--witnesses <n>', 'witnesses beside the coordinator, each its own process', whole(0, 16), 0)
    .option(
      '--witness-quorum <n>',
      'witnesses that must sign an anchor (default: all, the coordinator too)',
      whole(1, 17),
    )
    .option('--out <dir>', 'where the run is kept (default: a new folder under .concordat/runs)')
    .option('--json <file>', 'also write the whole result as JSON')
    .option('--keep', 'leave the federation up when done', false)
    .option('--cache-dir <dir>', 'compiled circuits and contracts', resolve('.concordat/cache'))
    .action(runFederate);
}

type CommandOptions = Omit<FederateOptions, 'out'> & { readonly out?: string };

async function runFederate(given: CommandOptions): Promise<void> {
  const options: FederateOptions = { ...given, out: resolve(given.out ?? newRunFolder(given.seed)) };
  checkOptions(options);
  const started: Stoppable[] = [];
  let stopping: Promise<void> | undefined;
  const stopAll = (): Promise<void> => {
    // last started, first stopped; the chain writes its state when it ends
    stopping ??= [...started]
      .reverse()
      .reduce((before, part) => before.then(() => part.stop().catch(() => undefined)), Promise.resolve());
    return stopping;
  };
  const onSignal = (): void => {
    process.stdout.write('\nstopping every process …\n');
    void stopAll().finally(() => process.exit(130));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const finished = await federate(options, started);
    process.stdout.write(`${resultScreen(finished.report, process.stdout.isTTY === true)}\n`);
    if (options.json !== undefined) await writeFileAtomic(options.json, JSON.stringify(finished.report, undefined, 2));
    if (options.keep) await keepUp(finished);
    if (finished.report.audit.failed > 0) process.exitCode = 1;
  } finally {
    await stopAll();
  }
  const out = relative(process.cwd(), options.out);
  process.stdout.write(`\nAudit this run again, now that everything has stopped: npx concordat audit --out ${out}\n`);
}

function newRunFolder(seed: number): string {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-').slice(0, 19);
  return join('.concordat', 'runs', `${stamp}-seed-${seed}`);
}

/** @throws ConcordatError NOT_FOUND, SHARES_INSUFFICIENT, QUORUM_MISSING */
function checkOptions(options: FederateOptions): void {
  exampleFiles(options.example);
  const fault = quorumFault(options);
  if (fault !== undefined) throw new ConcordatError('SHARES_INSUFFICIENT', `--threshold: ${fault}`);
  if (witnessQuorumOf(options) > 1 + options.witnesses) {
    const asked = `--witness-quorum ${options.witnessQuorum} of ${1 + options.witnesses} witnesses`;
    throw new ConcordatError('QUORUM_MISSING', asked);
  }
}

/** Says how to reach everything, then waits for Ctrl-C. */
async function keepUp({ running }: FinishedRun): Promise<void> {
  const lines = [
    '',
    'The federation stays up. Ctrl-C stops it.',
    `  chain        ${running.chain.rpcUrl}  (chain id ${running.chain.chainId})`,
    `  federation   ${running.federation}`,
    `  coordinator  ${running.coordinator.url}/v1/status`,
    ...running.dealers.map((dealer) => `  ${dealer.name}     ${dealer.url}/v1/status`),
    ...running.keyHolders.map((holder) => `  ${holder.name} ${holder.url}/v1/identity`),
    ...running.witnesses.map((witness) => `  ${witness.name}    ${witness.url}/v1/witness/heads`),
    `  submit       concordat task submit FILE --coordinator ${running.coordinator.url} --token-file ${join(running.coordinator.directory, OPERATOR_TOKEN_FILE)} --watch`,
    `  audit        concordat audit --rpc ${running.chain.rpcUrl} --federation ${running.federation} --bundle ${join(running.coordinator.directory, 'bundle')}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  await new Promise(() => undefined);
}
