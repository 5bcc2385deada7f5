// The JSON Schemas of tasks and data contracts, for editors. Every key must be described, and nothing that is not there.
import { contractJsonSchema, taskJsonSchema, type WordedSchema } from '../../protocol/learning/published-schema.ts';
import type { GeneratedFile } from './generated-file.ts';

const FOLDER = 'docs/schema';

export const learningSchemaFiles = (): readonly GeneratedFile[] => [
  file('task.schema.json', taskJsonSchema()),
  file('data-contract.schema.json', contractJsonSchema()),
];

function file(name: string, { schema, strays }: WordedSchema): GeneratedFile {
  if (strays.length > 0)
    throw new Error(`protocol/learning/schema-words.ts does not fit ${name}: ${strays.join(', ')}`);
  return { path: `${FOLDER}/${name}`, text: `${JSON.stringify(schema, undefined, 2)}\n` };
}
