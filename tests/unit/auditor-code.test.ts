// Check 03 on the code itself: contracts compiled from other sources, and where a verification key comes from.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Evidence } from '../../auditor/evidence.ts';
import { checkCeremony } from '../../auditor/proof/ceremony.ts';
import { compileAsDeployed } from '../../auditor/proof/compile.ts';
import { verifierSource } from '../../auditor/proof/verifier-source.ts';
import { CHECKS, verify } from '../../auditor/verify.ts';
import { collectSources } from '../../kit/solidity/sources.ts';
import { evidenceOf, type RawEvidence } from '../helpers/audit/raw-evidence.ts';
import { memoryFederation, PARAMETERS, syntheticFederation } from '../helpers/audit/synthetic-federation.ts';
import { trapdoorSetup } from '../helpers/audit/trapdoor-proofs.ts';

let honest: RawEvidence;
let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'concordat-code-'));
  honest = await syntheticFederation();
}, 120_000);
afterAll(() => rm(cacheDir, { recursive: true, force: true }));

async function judge(change: (evidence: Evidence) => Evidence) {
  const evidence = change(await evidenceOf(honest));
  const [report] = (
    await verify(
      evidence,
      undefined,
      CHECKS.filter(({ id }) => id === '03'),
    )
  ).checks;
  if (report === undefined) throw new Error('no check 03');
  const { verdict, failures, note } = report;
  return { verdict, what: failures.map(({ what }) => what), note };
}

const onChain = (evidence: Evidence, chainId: number): Evidence => {
  const { history } = evidence;
  return { ...evidence, history: { ...history, deployment: { ...history.deployment, chainId } } };
};

test('one changed line of one contract is seen, and named', async () => {
  const sources = { ...(await collectSources()) };
  const path = 'contracts/src/Federation.sol';
  const text = sources[path] ?? '';
  // whoever asks may now register dealers
  const changed = text.replace(
    'function registerDealer(address dealer) external onlyOwner',
    'function registerDealer(address dealer) external',
  );
  expect(changed).not.toBe(text);
  const forged = await compileAsDeployed(cacheDir, { ...sources, [path]: changed });
  const { verdict, what } = await judge((evidence) => {
    const { history } = evidence;
    const code = { ...history.deployment.code, federation: forged.federation.code };
    return { ...evidence, history: { ...history, deployment: { ...history.deployment, code } } };
  });
  expect(verdict).toBe('fail');
  expect(what.at(-1)).toBe('federation: code on chain, against the one compiled here (keccak256)');
}, 120_000);

test('every immutable that a contract has is known here by name', async () => {
  const { verdict, note } = await judge((evidence) => evidence);
  expect(verdict).toBe('pass');
  expect(note).toMatch(
    /code as solc 0\.\d+\.\d+ makes it of this program’s sources; single-operator setup: for development only; /,
  );
});

describe('where the verification key comes from', () => {
  const ORIGIN = 'verification key: made for this circuit';

  test('off the embedded chain nothing says so without a ceremony', async () => {
    const { what } = await judge((evidence) => onChain(evidence, 11_155_111));
    expect(what).toContain(`undecided: ${ORIGIN}`);
  });

  test.each([
    ['that made it', PARAMETERS.verificationKeyHash, undefined, []],
    ['of another key', `0x${'12'.repeat(32)}` as const, undefined, [`${ORIGIN}, by this ceremony`]],
    ['that does not hold', undefined, 'contribution 2: its key does not follow', [ORIGIN]],
  ])('a ceremony %s', async (_, verificationKeyHash, fault, expected) => {
    const ceremony = { fault, contributions: 3, verificationKeyHash };
    const { what } = await judge((evidence) => ({ ...evidence, ceremony }));
    expect(what).toEqual(expected);
  });
});

test('a verifier’s source names every point of its key, and its template has nothing else to fill in', async () => {
  const { verificationKey: key } = trapdoorSetup(3);
  const source = await verifierSource(key);
  expect(source).not.toContain('<%');
  for (const [x, y] of key.IC) expect(source).toMatch(new RegExp(`IC\\dx = ${x};\\s+uint256 constant IC\\dy = ${y};`));
  expect(source.match(/g1_mulAccC\(_pVk, IC/g)).toHaveLength(3);
  expect(source).toContain('uint[3] calldata _pubSignals');
});

test('a federation that carries on another was built for that one', async () => {
  const first = (await memoryFederation()).evidence().history;
  const second = (await memoryFederation(' 2', first)).evidence().history;
  const zero = `0x${'00'.repeat(20)}` as const;
  const stranger = { ...first, deployment: { ...first.deployment, ledger: zero } };
  const { what } = await judge((evidence) => ({ ...evidence, history: { ...second, predecessor: stranger } }));
  expect(what).toContain('ledger: immutable predecessor');
});

test('a folder without a ceremony is one that does not hold, said by the command that checks them', async () => {
  const { fault, verificationKeyHash } = await checkCeremony(cacheDir);
  expect(fault).toContain('no ceremony in');
  expect(verificationKeyHash).toBeUndefined();
}, 60_000);
