// Several endpoints asked as one: whatever the audit reads is read from each of them, and where they differ is written down.
import { ConcordatError } from '../../protocol/errors.ts';
import type { Finding } from '../history.ts';
import { type ChainReader, createReader, EndpointRefused, nameOf, type Question } from './rpc.ts';

/** One URL, or several that must tell the same. */
export type Endpoints = string | readonly string[];

export interface ComparedReader extends ChainReader {
  /** Hosts alone: the rest of a URL may be a key. */
  readonly names: readonly string[];
  /** What another endpoint tells than the first, so far. */
  readonly differences: readonly Finding[];
}

/** @throws ConcordatError FILE_MISSING for no endpoint at all */
export function openEndpoints(endpoints: Endpoints, timeoutMs?: number): ComparedReader {
  const urls = typeof endpoints === 'string' ? [endpoints] : [...new Set(endpoints)];
  const [first, ...others] = urls.map((url) => createReader(url, timeoutMs));
  if (first === undefined) throw new ConcordatError('FILE_MISSING', 'no chain endpoint: give --rpc');
  const names = urls.map((url, i) => (urls.length === 1 ? nameOf(url) : `endpoint ${i + 1} (${nameOf(url)})`));
  const differences: Finding[] = [];
  const compare = (question: Question, own: unknown, told: readonly unknown[]): unknown => {
    if (question.method === 'eth_blockNumber') return lowest([own, ...told]);
    for (const [i, other] of told.entries()) {
      const found = differenceOf(question, own, other);
      if (found !== undefined) differences.push({ ...found, what: `${names[i + 1]}: ${found.what}` });
    }
    return own;
  };

  /** A refusal is one whoever refuses: a range that is too wide for one of them is asked in pieces of all. */
  const askOthers = (questions: readonly Question[]): Promise<unknown[][]> =>
    Promise.all(
      others.map(async (reader, i) => {
        try {
          return await reader.askAll(questions.map(lighter));
        } catch (cause) {
          if (cause instanceof EndpointRefused) throw new EndpointRefused(`${names[i + 1]}: ${cause.message}`);
          throw cause;
        }
      }),
    );

  async function askAll(questions: readonly Question[], perRequest?: number): Promise<unknown[]> {
    const compared = questions.flatMap((question, i) => (COMPARED.has(question.method) ? [i] : []));
    const [own, told] = await Promise.all([
      first?.askAll(questions, perRequest) ?? [],
      askOthers(compared.flatMap((i) => questions[i] ?? [])),
    ]);
    for (const [at, i] of compared.entries()) {
      const question = questions[i];
      if (question !== undefined) {
        const others = told.map((answers) => answers[at]);
        own[i] = compare(question, own[i], others);
      }
    }
    return own;
  }

  return {
    ...{ url: first.url, names, differences, askAll },
    ask: async (method, params) => (await askAll([{ method, params }]))[0],
  };
}

/** What is told of each kind of answer; receipts and whole transactions are held to the header, which is compared. */
const COMPARED: ReadonlyMap<string, readonly string[]> = new Map([
  ['eth_blockNumber', []],
  ['eth_chainId', []],
  ['eth_call', []],
  ['eth_getCode', []],
  ['eth_getLogs', ['blockNumber', 'logIndex', 'address', 'topics', 'data', 'transactionHash', 'blockHash']],
  ['eth_getBlockByNumber', ['number', 'hash', 'parentHash', 'timestamp']],
  ['eth_getBlockByHash', ['number', 'hash', 'parentHash', 'timestamp']],
  ['eth_getTransactionByHash', ['blockHash', 'from', 'to', 'input']],
]);

const lighter = ({ method, params }: Question): Question =>
  method === 'eth_getBlockByNumber' ? { method, params: [params[0], false] } : { method, params };

/** Endpoints are not equally far: what all of them have is audited. */
function lowest(numbers: readonly unknown[]): unknown {
  return numbers.reduce((low, one) => (Number(one) < Number(low) ? one : low));
}

const SHOWN = 80;

function differenceOf({ method, params }: Question, own: unknown, other: unknown): Finding | undefined {
  const fields = COMPARED.get(method) ?? [];
  const [mine, theirs] = [own, other].map((answer) => partsOf(answer, fields)) as [string[], string[]];
  const at = Array.from({ length: Math.max(mine.length, theirs.length) }, (_, i) => i).find(
    (i) => mine[i] !== theirs[i],
  );
  if (at === undefined) return undefined;
  const what = [method, JSON.stringify(params[0])?.slice(0, SHOWN)].filter(Boolean).join(' ');
  const item = Array.isArray(own) ? `${what}, number ${at + 1} of ${mine.length} and ${theirs.length}` : what;
  return { what: `${item}: as the first endpoint tells it`, ...shown(mine[at], theirs[at]) };
}

/** From where they differ on: long values begin alike. */
function shown(mine = 'nothing', theirs = 'nothing'): { readonly expected: string; readonly got: string } {
  let same = 0;
  while (same < mine.length && mine[same] === theirs[same]) same++;
  const from = Math.max(0, same - SHOWN / 4);
  const cut = (text: string) => `${from > 0 ? '…' : ''}${text.slice(from, from + SHOWN)}`;
  return { expected: cut(mine), got: cut(theirs) };
}

/** One text for each item, the same from every kind of node: fields in one order, all else left out. */
function partsOf(answer: unknown, fields: readonly string[]): string[] {
  if (Array.isArray(answer)) return answer.filter((log) => log?.removed !== true).map((one) => textOf(one, fields));
  return [textOf(answer, fields)];
}

function textOf(answer: unknown, fields: readonly string[]): string {
  const isObject = typeof answer === 'object' && answer !== null;
  const told = isObject ? fields.map((name) => [name, (answer as Record<string, unknown>)[name] ?? null]) : answer;
  return (JSON.stringify(told) ?? 'nothing').toLowerCase();
}
