#!/usr/bin/env node
// The solc command line that forge calls, over npm's solc: forge then needs no download, and tests what we deploy.
import { readFileSync } from 'node:fs';
import solc from 'solc';

const argv = process.argv.slice(2);

if (argv.includes('--version')) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else if (argv.includes('--standard-json')) {
  // Forge sends every source with its text; an import that is missing there is missing.
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')));
} else {
  console.error(`solc.mjs understands --version and --standard-json, not: ${argv.join(' ')}`);
  process.exitCode = 2;
}
