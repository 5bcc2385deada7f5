// The command line: one program, one subcommand per party, and `federate`, which runs them all on one machine.
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { registerAuditCommands } from '../auditor/cli.ts';
import { registerCoordinator } from '../coordinator/main.ts';
import { registerEdge } from '../edge-node/main.ts';
import { registerKeyHolder } from '../key-holder/main.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { doctor } from './doctor.ts';
import { runFederate } from './federate/command.ts';

const whole = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
};

const program = new Command('concordat')
  .description('Federated learning that can prove it had permission.')
  .showHelpAfterError();

program
  .command('federate')
  .description('run a whole federation on this machine: chain, coordinator, dealers, key-holders, auditor')
  .option('--example <name>', 'which example to run', 'coil2000')
  .option('--data <csv>', 'your own records instead (with --contract)')
  .option('--contract <yaml>', 'data contract of --data')
  .option('--dealers <n>', 'edge nodes', whole(3, 32), 8)
  .option('--rounds <n>', 'rounds of training', whole(1, 1_000), 10)
  .option('--seed <n>', 'decides split, simulated rules and who withdraws', whole(0, 2 ** 31), 1)
  .option('--key-holders <n>', 'key-holders', whole(1, 32), 5)
  .option('--threshold <n>', 'key-holders needed to open a sum', whole(1, 32), 4)
  .option('--out <dir>', 'where the run is kept (default: a new folder under .concordat/runs)')
  .option('--json <file>', 'also write the whole result as JSON')
  .option('--keep', 'leave the federation up when done', false)
  .option('--cache-dir <dir>', 'compiled circuits and contracts', resolve('.concordat/cache'))
  .action(runFederate);

registerCoordinator(program);
registerEdge(program);
registerKeyHolder(program);
registerAuditCommands(program.command('audit').description('re-check everything from chain and transcript'));

program
  .command('doctor')
  .description('can this machine run a federation?')
  .option('--cache-dir <dir>', 'compiled circuits and contracts', resolve('.concordat/cache'))
  .option('--rpc <url>', 'also try this chain endpoint')
  .action(async (options: { cacheDir: string; rpc?: string }) => {
    if (!(await doctor(options))) process.exitCode = 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof ConcordatError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
  // a service that failed to start may hold handles; there is nothing left to wait for
  process.exit();
}
