// Closes a run with `N passed, N failed` alone on the last line, for whoever reads the output by machine.
import type { Reporter, TestModule } from 'vitest/node';

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Counts tests by their own result, and besides them whatever failed without a test to blame: a file that does not load,
 * a broken hook of a suite, an unhandled error. A run that found nothing at all is a failure too.
 */
function tally(modules: readonly Pick<TestModule, 'children' | 'state' | 'errors'>[], unhandled: number): Tally {
  const total: Tally = { passed: 0, failed: unhandled, skipped: 0 };
  for (const module of modules) {
    let blamed = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') total.passed++;
      else if (state === 'failed') blamed++;
      else total.skipped++; // skipped, todo, or never reached because the run was cut short
    }
    const broken = module.errors().length + suiteErrors(module);
    const unexplained = module.state() === 'failed' && blamed === 0 && broken === 0 ? 1 : 0;
    total.failed += blamed + broken + unexplained;
  }
  if (total.passed + total.failed + total.skipped === 0) total.failed = 1;
  return total;
}

function suiteErrors(module: Pick<TestModule, 'children'>): number {
  let count = 0;
  for (const suite of module.children.allSuites()) count += suite.errors().length;
  return count;
}

function tallyLine(total: Tally): string {
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  return `${total.passed} passed, ${total.failed} failed${skipped}`;
}

export function tallyReporter(): Reporter {
  // until a run has ended, the truth is that it did not
  let total: Tally = { passed: 0, failed: 1, skipped: 0 };
  return {
    onInit(vitest) {
      // printed at exit: nothing that vitest or another reporter still has to say can come after it
      if (!vitest.config.watch) process.once('exit', () => process.stdout.write(`${tallyLine(total)}\n`));
    },
    onTestRunEnd(modules, unhandledErrors) {
      total = tally(modules, unhandledErrors.length);
    },
  };
}
