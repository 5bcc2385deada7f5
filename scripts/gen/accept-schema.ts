// The JSON Schema of a dealer's standing policy, for editors.
import { z } from 'zod';
import { acceptSchema } from '../../edge-node/tasks/policy.ts';
import type { GeneratedFile } from './generated-file.ts';

export function acceptSchemaFile(): GeneratedFile {
  const { $schema, ...rest } = z.toJSONSchema(acceptSchema, { io: 'input' });
  const title = 'Which tasks a dealer takes part in (concordat edge --accept)';
  return {
    path: 'docs/schema/accept.schema.json',
    text: `${JSON.stringify({ $schema, title, ...rest }, undefined, 2)}\n`,
  };
}
