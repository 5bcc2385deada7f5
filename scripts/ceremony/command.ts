// `concordat ceremony`: a proving key made by several parties, for chains that more than one party uses.
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { beginCeremony, type CeremonyOptions, contribute, verifyCeremony } from '../../engines/proof/ceremony.ts';
import { finaliseCeremony } from '../../engines/proof/ceremony-finalise.ts';
import { beaconIterations, beaconValue, contributorName } from '../../engines/proof/ceremony-log.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import { createProgress } from '../../kit/progress.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type Outcome, outcomeText } from './outcome.ts';

interface CommonOptions {
  readonly dir: string;
  readonly json?: string;
  readonly circuitsDir?: string;
}

export function registerCeremony(program: Command): void {
  const ceremony = program.command('ceremony').description('make the proving key together: phase 2 of Groth16');
  const command = (name: string, description: string): Command =>
    ceremony
      .command(name)
      .description(description)
      .option('--json <file>', 'also write the outcome as JSON')
      .addOption(new Option('--circuits-dir <dir>', 'another copy of circuits/, to try it out').hideHelp());

  command('init', 'begin one: a folder that goes from contributor to contributor')
    .requiredOption('--ptau <file>', 'powers of tau, prepared for phase 2')
    .requiredOption('--out <dir>', 'the folder to make')
    .option('--beacon-source <text>', 'where the closing beacon will come from: say it now, before anyone contributes')
    .action(({ ptau, out, beaconSource, ...rest }: InitOptions) =>
      run({ ...rest, dir: out }, (common) =>
        beginCeremony({ ...common, ptauFile: ptau, ...(beaconSource !== undefined && { beaconSource }) }),
      ),
    );
  command('contribute', 'check everything so far, then add a secret of this machine and forget it')
    .requiredOption('--dir <dir>', 'folder of the ceremony')
    .requiredOption('--name <name>', 'under which you are listed', as(contributorName, 'Up to 48 letters and digits.'))
    .option('--entropy-file <file>', 'mixed with the system’s randomness (dice, a noise recording)')
    .action(({ name, entropyFile, ...rest }: ContributeOptions) =>
      run(rest, (common) => contribute({ ...common, name, ...(entropyFile !== undefined && { entropyFile }) })),
    );
  command('verify', 'check circuit, powers of tau, every contribution and every hash')
    .requiredOption('--dir <dir>', 'folder of the ceremony')
    .action((options: CommonOptions) => run(options, verifyCeremony));
  command('finalise', 'close it with the beacon, and write what a federation runs on')
    .requiredOption('--dir <dir>', 'folder of the ceremony')
    .requiredOption('--beacon <hex>', 'the value from the source named at init', beaconHex)
    .requiredOption('--iterations-exp <n>', 'hash the beacon 2^n times, 10 to 30', iterations)
    .option('--min-contributions <n>', 'refuse with fewer', atLeastOne, 2)
    .option('--artifacts <dir>', 'the folder to make (default: artifacts/ in the ceremony’s)')
    .action(({ beacon, iterationsExp, minContributions, artifacts, ...rest }: FinaliseOptions) =>
      run(rest, async (common) => {
        const artifactsDir = resolve(artifacts ?? join(rest.dir, 'artifacts'));
        const given = { ...common, artifactsDir, beacon, iterationsExp, minContributions };
        const made = await finaliseCeremony(given);
        const { transcript, verificationKeyHash } = made.artifacts;
        return { ceremony: made.ceremony, transcript: transcript ?? '', verificationKeyHash, artifactsDir };
      }),
    );
}

type InitOptions = Omit<CommonOptions, 'dir'> & {
  readonly ptau: string;
  readonly out: string;
  readonly beaconSource?: string;
};
type ContributeOptions = CommonOptions & { readonly name: string; readonly entropyFile?: string };
type FinaliseOptions = CommonOptions & {
  readonly beacon: string;
  readonly iterationsExp: number;
  readonly minContributions: number;
  readonly artifacts?: string;
};

async function run(options: CommonOptions, work: (common: CeremonyOptions) => Promise<Outcome>): Promise<void> {
  const { json, circuitsDir } = options;
  const write = async (value: object): Promise<void> => {
    if (json !== undefined) await writeFileAtomic(json, `${JSON.stringify(value, undefined, 2)}\n`);
  };
  const common: CeremonyOptions = {
    dir: resolve(options.dir),
    progress: createProgress(),
    ...(circuitsDir !== undefined && { circuitsDir: resolve(circuitsDir) }),
  };
  try {
    const outcome = await work(common);
    process.stdout.write(`\n${outcomeText(outcome)}\n`);
    await write({ ok: true, ...outcome });
  } catch (error) {
    if (error instanceof ConcordatError) {
      await write({ ok: false, code: error.code, detail: error.detail, ...error.fields });
    }
    throw error;
  }
}

function as(schema: z.ZodType<string>, otherwise: string): (text: string) => string {
  return (text) => {
    const parsed = schema.safeParse(text);
    if (!parsed.success) throw new InvalidArgumentError(otherwise);
    return parsed.data;
  };
}

const beaconHex = (text: string): string =>
  as(beaconValue, '16 to 64 bytes in hex.')(text.replace(/^0x/, '').toLowerCase());

function iterations(text: string): number {
  const parsed = beaconIterations.safeParse(Number(text));
  if (!parsed.success) throw new InvalidArgumentError('A whole number from 10 to 30.');
  return parsed.data;
}

function atLeastOne(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('A whole number from 1.');
  return Number(text);
}
