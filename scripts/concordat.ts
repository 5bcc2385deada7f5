// The command line: one program, one subcommand per party, and `federate`, which runs them all on one machine.
import { Command } from 'commander';
import { ConcordatError } from '../protocol/errors.ts';

/** A service loads what it needs and nothing else: fourteen processes start on one machine. */
const COMMANDS: Readonly<Record<string, (program: Command) => Promise<void>>> = {
  federate: async (program) => (await import('./federate/command.ts')).registerFederate(program),
  coordinator: async (program) => (await import('../coordinator/main.ts')).registerCoordinator(program),
  edge: async (program) => (await import('../edge-node/main.ts')).registerEdge(program),
  'key-holder': async (program) => (await import('../key-holder/main.ts')).registerKeyHolder(program),
  witness: async (program) => {
    const witness = program
      .command('witness')
      .description('co-sign consent anchors, and compare what witnesses signed');
    (await import('../witness/main.ts')).registerWitnessCommands(witness);
  },
  audit: async (program) => {
    const audit = program.command('audit').description('re-check everything from chain and transcript');
    (await import('../auditor/cli.ts')).registerAuditCommands(audit);
  },
  task: async (program) => (await import('./task/command.ts')).registerTask(program),
  model: async (program) => (await import('./model/command.ts')).registerModel(program),
  deploy: async (program) => (await import('./deploy/command.ts')).registerDeploy(program),
  ceremony: async (program) => (await import('./ceremony/command.ts')).registerCeremony(program),
  consent: async (program) => (await import('./consent/command.ts')).registerConsent(program),
  doctor: async (program) => (await import('./doctor.ts')).registerDoctor(program),
};

const program = new Command('concordat')
  .description('Federated learning that can prove it had permission.')
  .showHelpAfterError();
const asked = COMMANDS[process.argv[2] ?? ''];
for (const register of asked ? [asked] : Object.values(COMMANDS)) await register(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof ConcordatError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
  // a service that failed to start may hold handles; there is nothing left to wait for
  process.exit();
}
