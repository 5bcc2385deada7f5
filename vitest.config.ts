// The test projects, one per folder of tests/: a quick group that shares both cores, and a heavy group that runs alone.
import { defineConfig } from 'vitest/config';
import { tallyReporter } from './tests/helpers/reporter.ts';

/** Pure computation: seconds each, two files at a time. */
const QUICK = ['unit', 'vectors', 'property', 'architecture'];

/** Compilers, provers, chains and child processes: they bring their own processes, so one file at a time. */
const HEAVY = ['circuits', 'contracts', 'adversary', 'integration', 'e2e'];

const SECOND = 1_000;
const TIMEOUT_MS: Readonly<Record<string, number>> = {
  unit: 10 * SECOND,
  vectors: 20 * SECOND,
  property: 60 * SECOND,
  architecture: 60 * SECOND,
  circuits: 180 * SECOND,
  contracts: 60 * SECOND,
  adversary: 120 * SECOND,
  integration: 180 * SECOND,
  e2e: 600 * SECOND,
};

function project(name: string, maxWorkers: number, groupOrder: number) {
  const testTimeout = TIMEOUT_MS[name] ?? 10 * SECOND;
  return {
    extends: true as const,
    test: {
      name,
      include: [`tests/${name}/**/*.test.ts`],
      environment: 'node',
      // forks, not threads: native and WASM parts (level, SEAL) keep process-wide state
      pool: 'forks' as const,
      maxWorkers,
      sequence: { groupOrder },
      testTimeout,
      hookTimeout: Math.max(testTimeout, 60 * SECOND),
    },
  };
}

export default defineConfig({
  test: {
    // no retries anywhere: a test that passes the second time hides a race
    retry: 0,
    passWithNoTests: false,
    reporters: ['default', tallyReporter()],
    projects: [
      ...QUICK.map((name) => project(name, 2, 0)),
      // one group each, so that no two heavy projects overlap
      ...HEAVY.map((name, i) => project(name, 1, 1 + i)),
    ],
  },
});
