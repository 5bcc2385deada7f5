// `concordat edge personal-model`: what personalisation brought this dealer, asked of its running node.
import { join } from 'node:path';
import type { Command } from 'commander';
import { OPERATOR_TOKEN_FILE } from '../../engines/keys/operator-token.ts';
import { readFileOrExplain, writeFileAtomic } from '../../kit/files.ts';
import { request, requestJson } from '../../kit/http.ts';
import type { PersonalReport } from '../api/personal.ts';
import type { Quality } from './tune.ts';

interface Options {
  readonly dir: string;
  readonly url: string;
  readonly task?: string;
  readonly out?: string;
  readonly json?: true;
}

const MAX_FILE_BYTES = 67_108_864;

export function registerPersonalModel(edge: Command): void {
  edge
    .command('personal-model')
    .description('the published model tuned on this dealer’s own records: how it does, and the model itself')
    .requiredOption('--dir <folder>', 'of the edge node: its operator token is there')
    .requiredOption('--url <url>', 'of the running edge node')
    .option('--task <hash>', 'which task, when not the first')
    .option('--out <file>', 'also write the model, for this dealer’s own use; it is as private as its records')
    .option('--json', 'print as JSON')
    .action(runPersonalModel);
}

async function runPersonalModel({ dir, url, task, out, json }: Options): Promise<void> {
  const token = (await readFileOrExplain(join(dir, OPERATOR_TOKEN_FILE))).toString('utf8').trim();
  const headers = { authorization: `Bearer ${token}` };
  const at = (path: string): string =>
    `${url.replace(/\/+$/, '')}/v1/operator/personal-model${path}${task === undefined ? '' : `?task=${task}`}`;
  const report = await requestJson<PersonalReport>(at(''), { headers });
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : personalText(report));
  if (out === undefined) return;
  await writeFileAtomic(out, await request(at('/file'), { headers, maxBytes: MAX_FILE_BYTES }), 0o600);
}

const personalText = ({ taskHash, tunedOn, heldOut, before, after }: PersonalReport): string =>
  [
    `task ${taskHash}: last layer tuned on ${tunedOn} records, compared on ${heldOut} others`,
    `published model  ${words(before)}`,
    `personal model   ${words(after)}`,
    '',
  ].join('\n');

const words = ({ accuracyBps, aucBps }: Quality): string =>
  `accuracy ${(accuracyBps / 100).toFixed(2)} %${aucBps > 0 ? `, AUC ${(aucBps / 10_000).toFixed(3)}` : ''}`;
