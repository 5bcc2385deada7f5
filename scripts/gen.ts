// Writes what is generated: constants for circom and Solidity, the error page, tables of limits, tests and gas, the ABIs.
// `--check` writes nothing, names each file that differs, and exits 1.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAbis } from '../engines/chain/write-abis.ts';
import { acceptSchemaFile } from './gen/accept-schema.ts';
import { auditFaultsPage } from './gen/audit-faults-page.ts';
import { auditPage } from './gen/audit-page.ts';
import { circomParams } from './gen/circom.ts';
import { consentSchemaFiles } from './gen/consent-schema.ts';
import { drifted } from './gen/drift.ts';
import { errorsPage } from './gen/errors-page.ts';
import { gasPage } from './gen/gas-page.ts';
import type { GeneratedFile } from './gen/generated-file.ts';
import { learningSchemaFiles } from './gen/learning-schemas.ts';
import { limitsPage } from './gen/limits-page.ts';
import { manifestSchemaFile } from './gen/manifest-schema.ts';
import { propertiesPage } from './gen/properties-page.ts';
import { solidityParams } from './gen/solidity.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const check = process.argv.includes('--check');

const stale = drifted(ROOT, [
  circomParams(),
  solidityParams(),
  errorsPage(),
  limitsPage(ROOT),
  propertiesPage(ROOT),
  auditFaultsPage(),
  auditPage(ROOT),
  ...consentSchemaFiles(),
  ...learningSchemaFiles(),
  acceptSchemaFile(),
  manifestSchemaFile(),
]);
write(stale);
// after the constants, because the contracts import them
const abis = await writeAbis({ cacheDir: join(ROOT, '.concordat/cache'), check });
const measured = drifted(ROOT, [await gasPage()]);
write(measured);

const changed = [...[...stale, ...measured].map(({ path }) => path), ...abis.map((path) => relative(ROOT, path))];
if (check) {
  for (const path of changed) console.error(`${path} is not what scripts/gen.ts writes: run npm run gen`);
  if (changed.length > 0) process.exitCode = 1;
} else {
  for (const path of changed) console.log(`wrote ${path}`);
}

function write(files: readonly GeneratedFile[]): void {
  if (check) return;
  for (const { path, text } of files) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
}
