// Runs solc in a process of its own: it blocks for seconds and keeps 200 MB. One standard-JSON input in, one output out.
import { createRequire } from 'node:module';

const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string };

process.once('message', (input: string) => {
  const output = solc.compile(input);
  process.send?.(output, () => process.disconnect());
});
