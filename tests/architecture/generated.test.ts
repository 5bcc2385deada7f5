// Generated constants say what protocol/params.json says, and an edit by hand is noticed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { circomParams } from '../../scripts/gen/circom.ts';
import { drifted } from '../../scripts/gen/drift.ts';
import { errorsPage } from '../../scripts/gen/errors-page.ts';
import { solidityParams } from '../../scripts/gen/solidity.ts';

const FILES = [circomParams(), solidityParams(), errorsPage()];

test('circom and Solidity hold the numbers of the law', () => {
  const [circom, solidity] = [circomParams().text, solidityParams().text];
  expect(circom).toContain('function POLICIES_PER_PROOF() { return 16; }');
  // docs/spec/01: TAG = keccak256("concordat/1/policy") mod r
  expect(circom).toContain('return 6516966238985432529424792942145553655872966341636333715663921732434114481484; }');
  expect(solidity).toContain('uint256 internal constant SHAMIR_PRIME = 65521;');
  expect(solidity).toContain('string internal constant PROTOCOL_VERSION = "concordat/1";');
});

test('a missing file and an edited file are both named', () => {
  const root = mkdtempSync(join(tmpdir(), 'concordat-gen-'));
  try {
    for (const { path, text } of FILES.slice(1)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), path.endsWith('.sol') ? text.replace('65521', '65519') : text);
    }
    expect(drifted(root, FILES).map(({ path }) => path)).toEqual([
      'circuits/generated/params.circom',
      'contracts/src/generated/Params.sol',
    ]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
