// Who may import whom, and the proof that the rules would notice.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Cruised, cruiseTree, RULE_NAMES } from './cruise.ts';
import { filesOf, ROOT } from './tree.ts';

describe('the house', () => {
  test('every TypeScript file was read, and none imports what it may not', async () => {
    const files = filesOf(['.ts', '.tsx', '.mjs', '.cjs']);
    const { sources, violations } = await cruiseTree(ROOT, files);
    // with a TypeScript API it cannot use, the cruiser reads nothing and finds no fault: count what it read
    const read = new Set(sources);
    expect(files.filter((file) => !read.has(file))).toEqual([]);
    expect(files.length).toBeGreaterThan(20);
    expect(violations).toEqual([]);
  });
});

/** Writes `from` so that it imports `to` (a file of the tree, or a package), and cruises that tree. */
async function plant(from: string, to: string, kind: 'value' | 'type' = 'value'): Promise<Cruised> {
  const base = mkdtempSync(join(tmpdir(), 'concordat-layers-'));
  try {
    const isFile = to.endsWith('.ts');
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(base, path)), { recursive: true });
      writeFileSync(join(base, path), text);
    };
    let specifier = to;
    if (isFile) {
      write(to, 'export const target = 1;\nexport type Target = number;\n');
      const hop = relative(dirname(from), to);
      specifier = hop.startsWith('.') ? hop : `./${hop}`;
    } else if (!to.startsWith('node:')) {
      write(`node_modules/${to}/package.json`, JSON.stringify({ name: to, version: '1.0.0', main: 'index.js' }));
      write(`node_modules/${to}/index.js`, 'module.exports = {};\n');
    }
    write(
      from,
      kind === 'type'
        ? `import type { Target } from '${specifier}';\nexport type Own = Target;\n`
        : `import '${specifier}';\n`,
    );
    return await cruiseTree(base, isFile ? [from, to] : [from]);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** [rule that must speak, importing file, imported file or package, how] */
const PLANTED: readonly (readonly [string, string, string, ('value' | 'type')?])[] = [
  ['layer-protocol', 'protocol/round/state.ts', 'kit/log.ts'],
  ['layer-protocol', 'protocol/round/state.ts', 'engines/ring/simd.ts', 'type'],
  ['pure', 'protocol/bytes.ts', 'node:crypto'],
  ['pure', 'auditor/checks/03-proofs.ts', 'node:fs'],
  ['pure', 'console/customer/main.ts', 'node:path'],
  ['pure-packages', 'protocol/codec.ts', 'express'],
  ['layer-kit', 'kit/http.ts', 'protocol/params.ts'],
  ['layer-kit', 'kit/http.ts', 'protocol/consent/policy.ts', 'type'],
  ['layer-kit', 'kit/http.ts', 'engines/store/store.ts'],
  ['layer-engines', 'engines/proof/prove.ts', 'coordinator/coordinator.ts', 'type'],
  ['engines-are-siblings', 'engines/proof/prove.ts', 'engines/chain/client.ts'],
  ['engines-are-siblings', 'engines/ring/simd.ts', 'engines/keys/sealing.ts', 'type'],
  ['layer-coordinator', 'coordinator/rounds/driver.ts', 'edge-node/round.ts'],
  ['layer-edge-node', 'edge-node/link/session.ts', 'coordinator/gateway/sockets.ts', 'type'],
  ['layer-key-holder', 'key-holder/answer.ts', 'edge-node/seal/seal.ts'],
  ['layer-key-holder', 'key-holder/holder.ts', 'witness/witness.ts'],
  ['layer-edge-node', 'edge-node/witnesses.ts', 'witness/witness.ts', 'type'],
  ['layer-witness', 'witness/service.ts', 'coordinator/transcript/transcript.ts', 'type'],
  ['layer-coordinator', 'coordinator/coordinator.ts', 'witness/main.ts'],
  ['layer-auditor', 'auditor/checks/06-aggregate.ts', 'coordinator/aggregate/sum.ts'],
  ['layer-auditor', 'auditor/read-chain.ts', 'engines/chain/events.ts'],
  ['layer-auditor', 'auditor/evidence.ts', 'engines/chain/typed-data.ts', 'type'],
  ['layer-auditor', 'auditor/passkey.ts', 'engines/keys/passkey.ts'],
  // another file of the auditor may not start chains either, nor train
  ['layer-auditor', 'auditor/audit.ts', 'engines/chain/embedded.ts'],
  ['layer-auditor', 'auditor/replay-site/audit.ts', 'engines/tensor/train.ts'],
  ['layer-auditor-chain-at', 'auditor/chain-at.ts', 'engines/chain/events.ts'],
  ['layer-auditor-rerun', 'auditor/replay-site/rerun.ts', 'engines/ring/simd.ts'],
  ['layer-auditor-rerun', 'auditor/replay-site/rerun.ts', 'edge-node/train/trainer.ts'],
  ['auditor-stands-alone', 'auditor/ring/open-seal.ts', 'engines/ring/simd.ts'],
  ['auditor-stands-alone', 'auditor/proof/verify.ts', 'snarkjs'],
  ['auditor-stands-alone', 'auditor/proof/verify.ts', 'ffjavascript'],
  ['auditor-stands-alone', 'auditor/checks/14-model.ts', '@tensorflow/tfjs-core'],
  ['layer-console', 'console/ui/table.ts', 'kit/http.ts'],
  ['layer-edge-node', 'edge-node/train/trainer.ts', 'examples/coil2000/data.ts'],
  ['tops-are-imported-by-nothing', 'coordinator/coordinator.ts', 'scripts/federate.ts'],
  ['tops-are-imported-by-nothing', 'edge-node/round.ts', 'tests/helpers/anvil.ts'],
  ['tops-are-imported-by-nothing', 'engines/ring/simd.ts', 'bench/ring.ts'],
  ['raw-records-only-through-the-gate', 'edge-node/train/trainer.ts', 'edge-node/data/records.ts'],
  ['raw-records-only-through-the-gate', 'edge-node/api/customers.ts', 'edge-node/data/records.ts', 'type'],
  ['raw-records-only-through-the-gate', 'scripts/federate.ts', 'edge-node/data/records.ts'],
  ['files-only-through-the-records', 'edge-node/train/trainer.ts', 'edge-node/data/csv.ts'],
  ['files-only-through-the-records', 'edge-node/main.ts', 'edge-node/data/place.ts'],
  ['files-only-through-the-records', 'edge-node/node.ts', 'edge-node/data/postgres.ts'],
  ['files-only-through-the-records', 'edge-node/api/operator.ts', 'edge-node/data/rows.ts', 'type'],
  ['databases-only-through-the-records', 'scripts/federate.ts', 'edge-node/data/duckdb.ts'],
  ['databases-only-through-the-records', 'bench/records.ts', 'edge-node/data/open.ts'],
  ['heavy-pg', 'edge-node/data/records.ts', 'pg'],
  ['heavy-pg', 'coordinator/main.ts', 'pg'],
  ['heavy-duckdb', 'edge-node/data/postgres.ts', '@duckdb/node-api'],
  ['only-openers-open', 'edge-node/round.ts', 'engines/ring/open-simd.ts'],
  ['only-openers-open', 'edge-node/train/check-base.ts', 'engines/ring/open-fastest.ts'],
  ['only-openers-open', 'coordinator/aggregate/sum.ts', 'engines/ring/open-fastest.ts'],
  ['heavy-nodeseal', 'coordinator/aggregate/sum.ts', 'node-seal'],
  ['heavy-snarkjs', 'edge-node/consent/prove.ts', 'snarkjs'],
  ['heavy-circom2', 'edge-node/consent/prove.ts', 'circom2'],
  ['heavy-tensorflow', 'edge-node/train/trainer.ts', '@tensorflow/tfjs-core'],
  ['heavy-classiclevel', 'key-holder/answer.ts', 'classic-level'],
  ['heavy-solc', 'coordinator/main.ts', 'solc'],
  ['heavy-foundryrsanvil', 'coordinator/main.ts', '@foundry-rs/anvil'],
  ['resolvable', 'coordinator/main.ts', 'node:no-such-module'],
];

describe('the rules bite', () => {
  const rows = PLANTED.map(([rule, from, to, kind]) => ({ rule, from, to, kind }));
  test.each(rows)('$rule: $from must not import $to', async ({ rule, from, to, kind }) => {
    const { rulesBroken } = await plant(from, to, kind);
    expect([...rulesBroken]).toContain(rule);
  });

  test('no-cycles: two files that import each other', async () => {
    const base = mkdtempSync(join(tmpdir(), 'concordat-layers-'));
    try {
      mkdirSync(join(base, 'kit'));
      writeFileSync(join(base, 'kit/a.ts'), "import './b.ts';\n");
      writeFileSync(join(base, 'kit/b.ts'), "import './a.ts';\n");
      const { rulesBroken } = await cruiseTree(base, ['kit/a.ts', 'kit/b.ts']);
      expect([...rulesBroken]).toEqual(['no-cycles']);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  });

  test('auditor-stands-alone: also through somebody else', async () => {
    const base = mkdtempSync(join(tmpdir(), 'concordat-layers-'));
    try {
      const write = (path: string, text: string) => {
        mkdirSync(dirname(join(base, path)), { recursive: true });
        writeFileSync(join(base, path), text);
      };
      write('auditor/proof/verify.ts', "import '../../kit/proofs.ts';\n");
      write('kit/proofs.ts', "import '../engines/ring/simd.ts';\n");
      write('engines/ring/simd.ts', 'export const kernel = 1;\n');
      const { rulesBroken } = await cruiseTree(base, ['auditor/proof/verify.ts', 'kit/proofs.ts']);
      expect([...rulesBroken].sort()).toEqual(['auditor-stands-alone', 'layer-kit']);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  });

  test('every rule has a planted fault', () => {
    const planted = new Set(['no-cycles', ...PLANTED.map(([rule]) => rule)]);
    expect(RULE_NAMES.filter((name) => !planted.has(name))).toEqual([]);
  });
});

describe('the rules leave the allowed alone', () => {
  test.each([
    ['kit/http.ts', 'protocol/errors.ts'],
    ['kit/files.ts', 'protocol/bytes.ts'],
    ['engines/chain/client.ts', 'protocol/params.ts'],
    ['engines/ring/simd.ts', 'protocol/secagg/ring.ts'],
    ['coordinator/coordinator.ts', 'witness/assemble.ts'],
    ['coordinator/opening/open.ts', 'engines/ring/open-fastest.ts'],
    ['edge-node/train/open-published.ts', 'engines/ring/open-fastest.ts'],
    ['auditor/engines.ts', 'auditor/ring/open-seal.ts'],
    ['auditor/chain-at.ts', 'engines/chain/embedded.ts'],
    ['auditor/replay-site/rerun.ts', 'engines/tensor/train.ts'],
    ['auditor/proof/compile.ts', 'kit/solidity/solc.ts'],
    ['console/auditor/main.ts', 'auditor/verify.ts'],
    ['edge-node/data/gate.ts', 'edge-node/data/records.ts'],
    ['edge-node/data/open.ts', 'edge-node/data/postgres.ts'],
    ['edge-node/data/postgres.ts', 'pg'],
    ['scripts/federate.ts', 'edge-node/data/csv.ts'],
    ['tests/unit/records.test.ts', 'edge-node/data/records.ts'],
    ['scripts/federate.ts', 'coordinator/coordinator.ts'],
    ['auditor/ring/seal-product.ts', 'node-seal'],
    ['edge-node/main.ts', 'node:process'],
    ['protocol/codec.ts', 'cborg'],
  ] as const)('%s may import %s', async (from, to) => {
    expect((await plant(from, to)).violations).toEqual([]);
  });
});
