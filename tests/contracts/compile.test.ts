// Compilation: cached under what went in, rebuilt when the cache was tampered with, and in step with abi/*.ts.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileContracts } from '../../engines/chain/compile.ts';
import { writeAbis } from '../../engines/chain/write-abis.ts';
import type { CompileEvent } from '../../kit/solidity/solc.ts';
import { consentRegistryAbi } from '../../protocol/abi/consent-registry.ts';
import { federationAbi } from '../../protocol/abi/federation.ts';
import { roundLedgerAbi } from '../../protocol/abi/round-ledger.ts';
import { CACHE_DIR, testArtifacts } from './world.ts';

const FOLDER = fileURLToPath(new URL('./', import.meta.url));
const CONTRACTS = fileURLToPath(new URL('../../contracts/', import.meta.url));
const DOUBLE = join(CONTRACTS, 'src/test/BranchingVerifier.sol');

let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'concordat-compile-'));
});
afterAll(() => rm(cacheDir, { recursive: true, force: true }));

test('answers from the cache, and rebuilds an entry whose hash is wrong, saying so', async () => {
  const verifierSource = await readFile(DOUBLE, 'utf8');
  const events: CompileEvent[] = [];
  const compileIn = (dir: string) =>
    compileContracts({ cacheDir: dir, verifierSource, onEvent: (event) => events.push(event) });
  const first = await compileIn(CACHE_DIR);
  const key = events.splice(0)[0]?.key ?? '';
  const entry = `contracts-${key.slice(2, 18)}.json`;
  const text = await readFile(join(CACHE_DIR, entry), 'utf8');
  const path = join(cacheDir, entry);

  await writeFile(path, text);
  expect(await compileIn(cacheDir)).toEqual(first);
  // one hex digit of some bytecode
  await writeFile(path, text.replace(/60806040/, '60806041'));
  expect(await compileIn(cacheDir)).toEqual(first);
  expect(events.map(({ type }) => type)).toEqual(['cached', 'cache-corrupt', 'compiled']);
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('a verifier that does not compile, or has no verifyProof, is refused with the reason', async () => {
  const compile = (verifierSource: string) => compileContracts({ cacheDir: CACHE_DIR, verifierSource });
  await expect(compile('pragma solidity ^0.8.0; import "./Nowhere.sol";')).rejects.toMatchObject({
    code: 'FILE_MISSING',
  });
  await expect(compile('pragma solidity ^0.8.0; contract {}')).rejects.toThrow(/Expected identifier/);
});

test('every contract fits the 24,576 bytes a chain takes', async () => {
  for (const { bytecode } of Object.values(await testArtifacts())) expect(bytecode.length / 2).toBeLessThan(24_576);
});

test('abi/*.ts are what the sources say', async () => {
  expect(await writeAbis({ cacheDir: CACHE_DIR, check: true })).toEqual([]);
});

test('every property is claimed in the contracts and quoted by a test, and no test quotes another', async () => {
  const listed = [...(await readFile(join(CONTRACTS, 'PROPERTIES.md'), 'utf8')).matchAll(/\*\*(P-\d\d)\*\*/g)];
  const properties = listed.map(([, id]) => id);
  const quoted = new Set(
    [...(await testTexts()).matchAll(/test(?:\.each)?\([^\n]*\[(P-\d\d)\]|'\[(P-\d\d)\]/g)].map(([, a, b]) => a ?? b),
  );
  const claimed = new Set([...(await contractTexts()).matchAll(/@custom:property (P-\d\d)/g)].map(([, id]) => id));
  expect([...quoted].sort()).toEqual(properties);
  expect([...claimed].sort()).toEqual(properties);
});

test('every custom error of the three contracts is provoked by a test', async () => {
  const tests = await testTexts();
  const errors = [...federationAbi, ...consentRegistryAbi, ...roundLedgerAbi].filter(({ type }) => type === 'error');
  const names = new Set(errors.map((entry) => ('name' in entry ? entry.name : '')));
  // OpenZeppelin's, for strings we do not have and owners we do not set
  const NOT_OURS = ['InvalidShortString', 'StringTooLong', 'OwnableInvalidOwner'];
  expect([...names].filter((name) => !tests.includes(`'${name}'`) && !NOT_OURS.includes(name))).toEqual([]);
});

async function testTexts(): Promise<string> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.test.ts') && file !== 'compile.test.ts');
  return (await Promise.all(files.map((file) => readFile(join(FOLDER, file), 'utf8')))).join('\n');
}

async function contractTexts(): Promise<string> {
  const files = ['Federation.sol', 'ConsentRegistry.sol', 'PendingWithdrawals.sol', 'RoundLedger.sol'].map((file) =>
    join(CONTRACTS, 'src', file),
  );
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}
