// A chain whose id is not the embedded chain's: for everything under test, one that more than one party uses.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { findAnvil } from '../../engines/chain/anvil-binary.ts';
import { createRpc } from '../../engines/chain/rpc.ts';
import type { Hex } from '../../protocol/bytes.ts';

export interface ForeignChain {
  readonly rpcUrl: string;
  /** Gives an account as much as it will ever need. */
  fund(address: Hex): Promise<void>;
  stop(): Promise<void>;
}

export const FOREIGN_CHAIN_ID = 1337;
const PLENTY = 10n ** 20n;

export async function startForeignChain(): Promise<ForeignChain> {
  const args = ['--host', '127.0.0.1', '--port', '0', '--chain-id', String(FOREIGN_CHAIN_ID), '--accounts', '0'];
  const anvil = spawn(findAnvil(), [...args, '--threads', '1'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(anvil, 'exit');
  // a test that is cut short must not leave it behind
  process.once('exit', () => anvil.kill('SIGKILL'));
  const rpcUrl = await new Promise<string>((resolve, reject) => {
    let said = '';
    anvil.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const [, at] = /Listening on (\S+)/.exec(said) ?? [];
      if (at !== undefined) resolve(`http://${at}`);
    });
    void ended.then(() => reject(new Error(`anvil ended: ${said}`)));
  });
  const rpc = createRpc(rpcUrl);
  return {
    rpcUrl,
    async fund(address) {
      await rpc.call('anvil_setBalance', [address, `0x${PLENTY.toString(16)}`]);
    },
    async stop() {
      anvil.kill('SIGTERM');
      await ended;
    },
  };
}
