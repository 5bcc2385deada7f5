// The audit as an outsider would run it: its own process, given an endpoint, an address and a folder.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Report } from '../../auditor/verify.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { RunningFederation } from './federation.ts';
import type { FederateOptions } from './options.ts';
import type { FederationReport } from './report.ts';

const BIN = join(PACKAGE_ROOT, 'bin/concordat.mjs');

/** @throws ConcordatError PROCESS_FAILED when the auditor could not run at all */
export async function auditRun(
  running: RunningFederation,
  options: FederateOptions,
): Promise<FederationReport['audit']> {
  const json = join(options.out, 'audit.json');
  const bundle = join(running.coordinator.directory, 'bundle');
  const args = [
    'audit',
    'verify',
    '--rpc',
    running.chain.rpcUrl,
    '--federation',
    running.federation,
    '--bundle',
    bundle,
    '--json',
    json,
    '--html',
    join(options.out, 'audit.html'),
    '--key',
    join(options.out, 'auditor'),
  ];
  // exit code 1 is a verdict, not a failure to run: the report says which
  await promisify(execFile)(process.execPath, [BIN, ...args]).catch((cause) => {
    if (cause.code !== 1) throw new ConcordatError('PROCESS_FAILED', `the auditor: ${cause.stderr}`, {}, { cause });
  });
  const report = JSON.parse(await readFile(json, 'utf8')) as Report;
  const failures = report.checks.filter((check) => check.verdict !== 'pass').map((check) => check.id);
  return { checks: report.checks.length, failed: failures.length, failures };
}
