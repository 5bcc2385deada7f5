// The examples that `federate --example` knows: a folder each, with contract, task and table of the same name.
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';

const EXAMPLES = ['coil2000', 'telco'] as const;

interface Example {
  readonly contract: string;
  readonly task: string;
  readonly table: string;
}

/** @throws ConcordatError NOT_FOUND */
export function exampleFiles(name: string): Example {
  const known = EXAMPLES.find((example) => example === name);
  if (known === undefined) {
    throw new ConcordatError('NOT_FOUND', `there is no example "${name}": ${EXAMPLES.join(', ')}`);
  }
  const folder = join(PACKAGE_ROOT, 'examples', known);
  return {
    contract: join(folder, 'contract.yaml'),
    task: join(folder, 'task.yaml'),
    table: join(folder, `${known}.csv.gz`),
  };
}
