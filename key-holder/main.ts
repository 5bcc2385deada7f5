// `concordat key-holder`: reads options, assembles, registers its first key, listens.
import { join } from 'node:path';
import type { Command } from 'commander';
import { connectFederation } from '../engines/chain/connect.ts';
import { recoverTypedStruct, signTypedStruct } from '../engines/chain/typed-data.ts';
import { loadOrCreateIdentity } from '../engines/keys/identity.ts';
import { openStore } from '../engines/store/store.ts';
import { announceReady } from '../kit/child.ts';
import { createApp, listen, problemHandler } from '../kit/http.ts';
import { stopOnSignals } from '../kit/lifecycle.ts';
import { createLog } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { createKeyHolderRouter } from './api.ts';
import { bindToLedger } from './bound-store.ts';
import { keysOnChain, reviewAsTheChainMoves, viewOf } from './chain.ts';
import { createKeyHolder } from './holder.ts';
import { openKeyFiles } from './keys/key-files.ts';
import { createKeyring } from './keys/keyring.ts';

interface Options {
  readonly dir: string;
  readonly rpc: string;
  readonly federation: Hex;
  readonly port: string;
  readonly pollMs: string;
  readonly logLevel: string;
}

export function registerKeyHolder(program: Command): void {
  program
    .command('key-holder')
    .description('hold key shares: answer once per finalised set, and for nothing else')
    .requiredOption('--dir <folder>', 'where identity, sealing keys and answers are kept')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract')
    .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', '0')
    .option('--poll-ms <ms>', 'how often the chain is looked at', '1000')
    .option('--log-level <level>', 'trace, debug, info, warn, error', 'info')
    .action(runKeyHolder);
}

async function runKeyHolder(options: Options): Promise<void> {
  const log = createLog('key-holder', options.logLevel);
  const { address, privateKey } = await loadOrCreateIdentity(options.dir);
  const chain = await connectFederation(options.rpc, options.federation.toLowerCase() as Hex, privateKey);
  const registered = (await chain.federation.keyHolders()).find((keyHolder) => keyHolder.address === address);
  if (registered === undefined) throw new ConcordatError('NOT_A_MEMBER', `${address} is not a registered key-holder`);
  const store = await openStore(join(options.dir, 'store'));
  await bindToLedger(store, chain.client.chainId, chain.ledger.address);
  const keyring = createKeyring({
    chain: keysOnChain(chain, address),
    files: await openKeyFiles(join(options.dir, 'keys')),
    store,
    log,
    onRoundOver: (round) => holder.forget(round),
  });
  const holder = createKeyHolder({
    address,
    index: registered.index,
    keyring,
    sign: {
      answer: async (statement) => signTypedStruct(privateKey, chain.domain, 'Answer', statement),
      vouch: async (statement) => signTypedStruct(privateKey, chain.domain, 'Vouch', statement),
    },
    recoverFingerprint: (statement, signature) => recoverTypedStruct(chain.domain, 'Fingerprint', statement, signature),
    recoverUpload: (statement, signature) => recoverTypedStruct(chain.domain, 'Upload', statement, signature),
    chain: viewOf(chain),
    store,
  });

  // what happens during the first review is seen again: from the block after this one
  const fromBlock = (await chain.client.blockNumber()) + 1;
  // a key is in force before anyone hears of this key-holder
  await keyring.review();
  const stopping = new AbortController();
  const following = reviewAsTheChainMoves(chain, keyring.review, {
    fromBlock,
    pollMs: Number(options.pollMs),
    signal: stopping.signal,
    log,
  }).catch((error: unknown) => {
    log.fatal({ err: error }, 'the chain cannot be followed');
    process.exit(1);
  });

  const app = createApp();
  app.use(createKeyHolderRouter(holder));
  app.use(problemHandler(log));
  const http = await listen(app, Number(options.port));
  stopOnSignals(async () => {
    stopping.abort();
    await following;
    await http.close();
    await store.close();
  });
  log.info({ url: http.url, index: registered.index }, 'key-holder listens');
  announceReady(http.url);
}
