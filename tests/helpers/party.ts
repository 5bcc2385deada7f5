// One party of a federation as a process of its own, started by the command that its operator would type.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { OPERATOR_TOKEN_FILE } from '../../engines/keys/operator-token.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { Node } from '../../scripts/federate/federation.ts';
import type { Stoppable } from '../../scripts/federate/run.ts';
import { start } from './command.ts';

export type Role = 'coordinator' | 'edge' | 'key-holder';
interface Where {
  readonly directory: string;
  readonly address: Hex;
}

/** @param started gets it before it is up, so that whatever happens next can stop it */
export async function startParty(
  role: Role,
  { directory, address }: Where,
  args: readonly string[],
  started: Stoppable[],
): Promise<Node> {
  const running = start([role, '--dir', directory, ...args]);
  const stop = async (): Promise<void> => {
    running.process.kill('SIGTERM');
    await running.ended;
  };
  started.push({ stop });
  await running.saw(/listening on http\S+/);
  const url = /listening on (http\S+)/.exec(running.output())?.[1] ?? '';
  const token = await readFile(`${directory}/${OPERATOR_TOKEN_FILE}`, 'utf8').catch(() => '');
  return { name: basename(directory), url, address, directory, token, stop };
}
