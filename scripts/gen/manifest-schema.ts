// The JSON Schema of an exported model's manifest, for whoever reads one.
import { z } from 'zod';
import { modelManifestSchema } from '../../protocol/learning/export/manifest.ts';
import type { GeneratedFile } from './generated-file.ts';

export function manifestSchemaFile(): GeneratedFile {
  const { $schema, ...rest } = z.toJSONSchema(modelManifestSchema, { unrepresentable: 'any' });
  const head = { $schema, $id: 'urn:concordat:1:model-manifest', title: 'concordat-model.json of an exported model' };
  return {
    path: 'docs/schema/model-manifest.schema.json',
    text: `${JSON.stringify({ ...head, ...rest }, undefined, 2)}\n`,
  };
}
