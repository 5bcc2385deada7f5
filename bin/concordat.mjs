#!/usr/bin/env node
// The command. Runs the build in dist/ when it is as new as the sources, else the sources themselves through tsx.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = [
  'protocol',
  'engines',
  'kit',
  'coordinator',
  'edge-node',
  'key-holder',
  'witness',
  'auditor',
  'scripts',
  'examples',
];

function newest(directory) {
  let latestMs = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!/\.(ts|json)$/.test(entry.name)) continue;
    latestMs = Math.max(latestMs, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  }
  return latestMs;
}

function buildIsFresh() {
  const built = statSync(join(root, 'dist/.tsbuildinfo'), { throwIfNoEntry: false });
  return built !== undefined && SOURCES.every((name) => newest(join(root, name)) <= built.mtimeMs);
}

if (buildIsFresh()) {
  // by URL: the build is not there for whoever reads imports
  await import(new URL('../dist/scripts/concordat.js', import.meta.url).href);
} else {
  const { register } = await import('tsx/esm/api');
  register();
  await import('../scripts/concordat.ts');
}
