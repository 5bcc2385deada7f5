// `concordat key-holder`: reads options, assembles, listens.
import { join } from 'node:path';
import type { Command } from 'commander';
import { type ChainConnection, connectFederation } from '../engines/chain/connect.ts';
import { signTypedStruct } from '../engines/chain/typed-data.ts';
import { loadOrCreateIdentity } from '../engines/keys/identity.ts';
import { openStore } from '../engines/store/store.ts';
import { announceReady } from '../kit/child.ts';
import { createApp, listen, problemHandler } from '../kit/http.ts';
import { stopOnSignals } from '../kit/lifecycle.ts';
import { createLog } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { createKeyHolderRouter } from './api.ts';
import { type ChainView, createKeyHolder } from './holder.ts';

interface Options {
  readonly dir: string;
  readonly rpc: string;
  readonly federation: Hex;
  readonly port: string;
  readonly logLevel: string;
}

export function registerKeyHolder(program: Command): void {
  program
    .command('key-holder')
    .description('hold key shares: answer once per finalised set, and for nothing else')
    .requiredOption('--dir <folder>', 'where identity and answers are kept')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract')
    .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', '0')
    .option('--log-level <level>', 'trace, debug, info, warn, error', 'info')
    .action(runKeyHolder);
}

async function runKeyHolder(options: Options): Promise<void> {
  const log = createLog('key-holder', options.logLevel);
  const identity = await loadOrCreateIdentity(options.dir);
  const federation = options.federation.toLowerCase() as Hex;
  const chain = await connectFederation(options.rpc, federation);
  const registered = (await chain.federation.keyHolders()).find(({ address }) => address === identity.address);
  if (registered === undefined) {
    throw new ConcordatError('NOT_A_MEMBER', `${identity.address} is not a registered key-holder`);
  }
  const store = await openStore(join(options.dir, 'store'));
  const holder = createKeyHolder({
    address: identity.address,
    index: registered.index,
    keys: identity.sealing,
    sign: async (statement) => signTypedStruct(identity.privateKey, chain.domain, 'Answer', statement),
    chain: viewOf(chain),
    store,
  });
  const app = createApp();
  app.use(createKeyHolderRouter(holder));
  app.use(problemHandler(log));
  const http = await listen(app, Number(options.port));
  stopOnSignals(async () => {
    await http.close();
    await store.close();
  });
  log.info({ url: http.url, index: registered.index }, 'key-holder listens');
  announceReady(http.url);
}

function viewOf(chain: ChainConnection): ChainView {
  const { client, federation, ledger } = chain;
  return {
    chainId: client.chainId,
    ledger: ledger.address,
    finalisedSet: async (round) => (await ledger.setOf(round))?.dealers,
    commitmentOf: ledger.commitOf,
    minCohort: async () => (await federation.parameters()).minCohort,
    registeredDealers: federation.dealers,
  };
}
