// `concordat witness`: a witness as its own process; `concordat witness compare` holds what several signed against each other.
import { join } from 'node:path';
import type { Command } from 'commander';
import { connectFederation } from '../engines/chain/connect.ts';
import { loadOrCreateIdentity } from '../engines/keys/identity.ts';
import { openStore } from '../engines/store/store.ts';
import { announceReady } from '../kit/child.ts';
import { createApp, listen, problemHandler } from '../kit/http.ts';
import { stopOnSignals } from '../kit/lifecycle.ts';
import { createLog } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { relyingPartyOf } from '../protocol/consent/relying-party.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { assembleWitness } from './assemble.ts';
import { type Comparison, compareWitnesses, writeEvidence } from './compare.ts';

interface RunOptions {
  readonly dir: string;
  readonly rpc: string;
  readonly federation: string;
  readonly rpId: string;
  readonly origin: string[];
  readonly port: string;
  readonly logLevel: string;
}

interface CompareOptions {
  readonly rpc?: string;
  readonly federation?: string;
  readonly out: string;
}

/** Adds the subcommands of `witness` to the given command. */
export function registerWitnessCommands(witness: Command): void {
  witness
    .command('run', { isDefault: true })
    .description('verify every consent operation of every dealer, and co-sign one anchor per dealer and epoch')
    .requiredOption('--dir <folder>', 'where identity and the dealers’ logs are kept')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract')
    .option('--rp-id <domain>', 'domain that customers’ passkeys are bound to', 'localhost')
    .option('--origin <origin...>', 'page origins that may ask for signatures', ['https://localhost'])
    .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', '0')
    .option('--log-level <level>', 'trace, debug, info, warn, error', 'info')
    .action(runWitness);
  witness
    .command('compare')
    .description('compare what witnesses signed: agreement, or evidence against whoever signed two anchors')
    .argument('<url...>', 'witnesses; the coordinator is one')
    .option('--rpc <url>', 'chain endpoint: the signatures under its anchors are compared as well')
    .option('--federation <address>', 'Federation contract, with --rpc')
    .option('--out <folder>', 'where evidence is written', '.')
    .action(runCompare);
}

async function runWitness(options: RunOptions): Promise<void> {
  const log = createLog('witness', options.logLevel);
  const identity = await loadOrCreateIdentity(options.dir);
  const { address } = identity;
  const chain = await connectFederation(options.rpc, addressOf(options.federation), identity.privateKey);
  if (!(await chain.federation.isWitness(address))) {
    throw new ConcordatError('NOT_A_MEMBER', `${address} is not a registered witness`, { address });
  }
  const store = await openStore(join(options.dir, 'store'));
  const app = createApp();
  app.get('/v1/identity', (_request, response) => {
    response.json({ address });
  });
  app.use(
    assembleWitness({
      identity,
      chain,
      store,
      relyingParty: relyingPartyOf(options.rpId, options.origin),
      onSigned: async ({ dealer, epoch, operationCount }) => log.info({ dealer, epoch, operationCount }, 'co-signed'),
    }),
  );
  app.use(problemHandler(log));
  const http = await listen(app, Number(options.port));
  stopOnSignals(async () => {
    await http.close();
    await store.close();
  });
  log.info({ url: http.url, address }, 'witness listens');
  announceReady(http.url);
}

async function runCompare(urls: readonly string[], options: CompareOptions): Promise<void> {
  const { rpc, federation } = options;
  if ((rpc === undefined) !== (federation === undefined)) {
    throw new ConcordatError('CHAIN_WRONG', '--rpc and --federation go together');
  }
  const chain =
    rpc === undefined || federation === undefined ? undefined : await connectFederation(rpc, addressOf(federation));
  const compared = await compareWitnesses(urls, chain);
  const files = await writeEvidence(compared.equivocations, options.out);
  process.stdout.write(`${verdictText(compared, files).join('\n')}\n`);
  if (files.length + compared.failed.length > 0) process.exitCode = 1;
}

function verdictText(compared: Comparison, files: readonly string[]): string[] {
  const { witnesses, failed, dealers, anchors, equivocations } = compared;
  const seen = `${witnesses.length} witnesses, ${anchors} anchors of ${dealers} dealers`;
  const silent = failed.map(({ error }) => `  not compared: ${error.message}`);
  if (equivocations.length === 0) return [`${seen}: they agree`, ...silent];
  return [
    `${seen}: ${equivocations.length} contradictions`,
    ...equivocations.map(({ signer, statements: [{ anchor }] }, i) => {
      const who = signer === anchor.dealer ? `dealer ${signer}` : `witness ${signer}, of dealer ${anchor.dealer}`;
      return `  ${who}: ${files[i]}`;
    }),
    'Check a file with: concordat audit evidence FILE',
    ...silent,
  ];
}

const addressOf = (text: string): Hex => text.toLowerCase() as Hex;
