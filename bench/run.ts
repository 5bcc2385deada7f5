// `npm run bench -- NAME [options]`: runs one benchmark of this folder.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [name = '', ...rest] = process.argv.slice(2);
const file = join(import.meta.dirname, `${name}.ts`);
if (!/^[a-z-]+$/.test(name) || name === 'run' || !existsSync(file)) {
  const files = readdirSync(import.meta.dirname).filter((entry) => entry.endsWith('.ts') && entry !== 'run.ts');
  console.error(`there is no benchmark "${name}": ${files.map((entry) => entry.slice(0, -3)).join(', ')}`);
  process.exit(1);
}
process.argv.splice(2, process.argv.length, ...rest);
await import(file);
