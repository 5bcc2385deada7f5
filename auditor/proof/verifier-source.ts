// The Solidity of a key's verifier: snarkjs' template, as it lies in the locked package, filled in here without snarkjs.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { VerificationKey } from '../../protocol/proof/verification-key.ts';

/** Read by people once: with another one the verifier would be one that nobody here has looked at. */
const TEMPLATE_SHA256 = '0x1b137b3707d0200b8fe2d3fc6bf0d8dbb9eccac25e38f0aa17d20d8600607518';

/** @throws ConcordatError FILE_MISSING, ARTIFACT_CORRUPT when the template is not the one that was read */
export async function verifierSource(key: VerificationKey): Promise<string> {
  const package_ = dirname(createRequire(import.meta.url).resolve('snarkjs'));
  const path = join(package_, '..', 'templates', 'verifier_groth16.sol.ejs');
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new ConcordatError('FILE_MISSING', `${path}: ${cause.message}`, { path }, { cause });
  });
  const hash = toHex(sha256(bytes));
  if (hash !== TEMPLATE_SHA256)
    throw new ConcordatError('ARTIFACT_CORRUPT', `${path} has the sha256 ${hash}`, { path });
  return fillIn(bytes.toString('utf8'), key);
}

const LOOP = /<% for \(let i\s*=\s*([01]); i\s*<(=?)\s*(IC\.length|nPublic); i\+\+\) \{ %>([\s\S]*?)<% \} %>/g;
const VALUE = /<%=\s*([^%]*?)\s*%>/g;

/** The few forms that this one template uses; anything else is refused. */
function fillIn(template: string, key: VerificationKey): string {
  const unrolled = template.replace(LOOP, (_, first: string, inclusive: string, bound: string, body: string) => {
    const end = (bound === 'nPublic' ? key.nPublic : key.IC.length) + (inclusive === '=' ? 1 : 0);
    const turns = Array.from({ length: end - Number(first) }, (__, turn) => turn + Number(first));
    return turns.map((i) => body.replace(VALUE, (___, expression: string) => valueAt(expression, key, i))).join('');
  });
  return unrolled.replace(VALUE, (_, expression: string) => valueAt(expression, key));
}

function valueAt(expression: string, key: VerificationKey, i?: number): string {
  if (expression === 'IC.length-1') return String(key.IC.length - 1);
  if (i !== undefined) {
    if (expression === 'i') return String(i);
    if (expression === 'i*32') return String(i * 32);
    if (expression === '(i-1)*32') return String((i - 1) * 32);
  }
  const [, name = '', indices = ''] = /^(\w+)((?:\[[01i]\])+)$/.exec(expression) ?? [];
  let value: unknown = new Map<string, unknown>(Object.entries(key)).get(name);
  for (const [, index] of indices.matchAll(/\[(.)\]/g)) {
    value = Array.isArray(value) ? value[index === 'i' ? (i ?? -1) : Number(index)] : undefined;
  }
  if (typeof value === 'string' && /^\d+$/.test(value)) return value;
  throw new ConcordatError('ARTIFACT_CORRUPT', `the verifier's template asks for ${expression}`);
}
