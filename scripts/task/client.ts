// The coordinator as `concordat task` speaks to it: its tasks, the operator token, and which task somebody means.
import { stripVTControlCharacters } from 'node:util';
import type { TaskView } from '../../coordinator/tasks/view.ts';
import { readFileOrExplain } from '../../kit/files.ts';
import { requestJson } from '../../kit/http.ts';
import { ConcordatError } from '../../protocol/errors.ts';

/** Without the slash that people leave at the end. */
export const baseUrl = (url: string): string => url.replace(/\/+$/, '');

const MAX_LIST_BYTES = 4_194_304;

export async function fetchTasks(coordinator: string): Promise<readonly TaskView[]> {
  const url = `${baseUrl(coordinator)}/v1/tasks`;
  return (await requestJson<{ readonly tasks: readonly TaskView[] }>(url, { maxBytes: MAX_LIST_BYTES })).tasks;
}

/** A POST behind the operator token. */
export async function command<T>(coordinator: string, path: string, tokenFile: string, body: unknown = {}): Promise<T> {
  const token = (await readFileOrExplain(tokenFile)).toString('utf8').trim();
  const headers = { authorization: `Bearer ${token}` };
  return requestJson<T>(`${baseUrl(coordinator)}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** So many digits of a hash say which task is meant, if they are enough to tell. */
const LEAST_DIGITS = 4;

/**
 * `name` is a hash, the beginning of one, or a task's id.
 * @throws ConcordatError NOT_FOUND; CONFLICT, with their hashes, when several are meant
 */
export function taskNamed<T extends Pick<TaskView, 'id' | 'hash'>>(name: string, tasks: readonly T[]): T {
  const digits = name.toLowerCase().replace(/^0x/, '');
  const isHash = digits.length >= LEAST_DIGITS && /^[0-9a-f]+$/.test(digits);
  const byId = tasks.filter(({ id }) => id === name);
  const found = byId.length > 0 ? byId : tasks.filter(({ hash }) => isHash && hash.startsWith(`0x${digits}`));
  const [only] = found;
  if (only === undefined) {
    throw new ConcordatError(
      'NOT_FOUND',
      `no task ${JSON.stringify(name)}: \`concordat task list\` shows what there is`,
    );
  }
  if (found.length === 1) return only;
  const hashes = found.map(({ hash }) => shortHash(hash)).join(', ');
  throw new ConcordatError('CONFLICT', `${found.length} tasks are ${name}: name one by its hash, ${hashes}`);
}

export const shortHash = (hash: string): string => hash.slice(0, 10);

/** Text of others, on one line of a terminal. */
export const plain = (text: string): string => stripVTControlCharacters(text).replaceAll(/\p{Cc}+/gu, ' ');

export const percent = (bps: number): string => `${(bps / 100).toFixed(2)} %`;
