#!/usr/bin/env node
// The solc command line that forge calls, over npm's solc: forge then downloads nothing, and tests what we deploy.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const argv = process.argv.slice(2);

if (argv.includes('--version')) {
  // asked for at every start of forge: not worth the second that loading the compiler takes
  const { version } = require('solc/package.json');
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else if (argv.includes('--standard-json')) {
  // Forge sends every source with its text; an import that is missing there is missing.
  process.stdout.write(require('solc').compile(readFileSync(0, 'utf8')));
} else {
  console.error(`solc.mjs understands --version and --standard-json, not: ${argv.join(' ')}`);
  process.exitCode = 2;
}
