// The consent record's JSON Schema, with an example and its linked-data form beside it.
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { recordToJsonLd } from '../../protocol/consent/json-ld.ts';
import { decodeRecord } from '../../protocol/consent/record.ts';
import { recordJsonSchema } from '../../protocol/consent/record-schema.ts';
import vectors from '../../protocol/vectors/consent-state.json' with { type: 'json' };
import type { GeneratedFile } from './generated-file.ts';

const FOLDER = 'docs/schema';
const pretty = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** The examples are the records of the frozen consent log: really signed, and never out of date. */
export function consentSchemaFiles(): readonly GeneratedFile[] {
  const examples = vectors.entries.map(({ record }) => decodeRecord(utf8ToBytes(record)));
  const [first] = examples;
  return [
    { path: `${FOLDER}/consent-record.schema.json`, text: pretty({ ...recordJsonSchema(), examples }) },
    { path: `${FOLDER}/consent-record.example.json`, text: pretty(first) },
    { path: `${FOLDER}/consent-record.example.jsonld`, text: pretty(first && recordToJsonLd(first)) },
  ];
}
