// The shape of a data contract: a subset of the Open Data Contract Standard 3.1 (Bitol), with our custom properties.
import { z } from 'zod';
import { FIELD_CLASS_IDS } from '../consent/scenes.ts';

const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/);
const text = z.string().min(1).max(2_000);
const code = z.union([z.int(), z.string().max(200)]);

const scale = z.number().positive();
const weight = z.number().describe('Of a column that is on; the rest are 0.');

/** Of one field: enough for tens of thousands of codes. */
const MAX_BUCKETS = 4_096;

const boundsSchema = z.object({ minimum: z.number().optional(), maximum: z.number().optional() });

/**
 * One map from a field to columns. Every constant is written in the contract and none comes from the data, so a map leaks
 * nothing about anybody and costs no privacy budget.
 */
export const featureMapSchema = z.discriminatedUnion('map', [
  z
    .strictObject({
      map: z.literal('scaled').describe('One column: (value − centre) / scale, the value first cut to its bounds.'),
      centre: z.number().describe('Becomes 0. A round number chosen by hand, never computed from records.'),
      scale: scale.describe('This far from the centre becomes 1.'),
      minimum: z.number().optional().describe('Values under it count as this one. Left out: no lower bound.'),
      maximum: z.number().optional().describe('Values over it count as this one. Left out: no upper bound.'),
    })
    .refine(({ minimum, maximum }) => minimum === undefined || maximum === undefined || minimum < maximum, {
      path: ['maximum'],
      error: 'must be over minimum',
      // also beside a fault of another key
      when: ({ value }) => boundsSchema.safeParse(value).success,
    }),
  z.strictObject({
    map: z.literal('capped-scaled').describe('One column: min(value, cap) / scale.'),
    cap: z.number().describe('Values over it count as this one.'),
    scale: scale.describe('This value becomes 1.'),
  }),
  z.strictObject({
    map: z.literal('one-hot').describe('A column per code: the weight where the value is that code, else 0.'),
    values: z.array(code).min(1).max(1_000).describe('The codes, in the order of their columns.'),
    weight,
  }),
  z.strictObject({
    map: z.literal('at-least').describe('One column: the weight from the threshold on, else 0.'),
    threshold: z.number().describe('The first value that gets the weight.'),
    weight,
  }),
  z.strictObject({
    map: z.literal('bands').describe('A column per band: one more than there are edges, open at both ends.'),
    edges: z
      .array(z.number())
      .min(1)
      .max(200)
      .refine((edges) => edges.every((edge, i) => i === 0 || edge > (edges[i - 1] ?? edge)), 'must ascend')
      .describe('Public and ascending. A value equal to an edge is in the band above it.'),
    weight,
  }),
  z.strictObject({
    map: z
      .literal('hashed')
      .describe('A column per bucket: codes are hashed into them, so that no list of codes is needed.'),
    buckets: z
      .int()
      .min(2)
      .max(MAX_BUCKETS)
      .describe('Columns. Codes that share a bucket share a weight of the model.'),
    salt: z
      .string()
      .regex(/^[A-Za-z0-9._:-]{1,64}$/)
      .describe('Public; decides which codes share a bucket. Another salt makes another model.'),
    weight,
    signed: z
      .boolean()
      .optional()
      .describe('Half of the codes get minus the weight, so that codes sharing a bucket cancel out on average.'),
  }),
]);

export const FIELD_ROLES = ['id', 'split', 'partition', 'feature', 'label'] as const;

/** The standard's customProperties carry what it has no place for: the consent class, the role, the feature maps. */
const customPropertySchema = z.discriminatedUnion('property', [
  z.strictObject({ property: z.literal('fieldClass'), value: z.enum(FIELD_CLASS_IDS) }),
  z.strictObject({ property: z.literal('role'), value: z.enum(FIELD_ROLES) }),
  z.strictObject({ property: z.literal('features'), value: z.array(featureMapSchema).min(1).max(20) }),
]);

/** `enum` is ours: the standard has no closed list of codes. Bounds are inclusive, as in the standard. */
const logicalTypeOptionsSchema = z.strictObject({
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  enum: z.array(code).min(1).max(1_000).optional(),
});

/** Prose only. A contract arrives from elsewhere: `sql` and `custom` would run its code here, and are refused. */
const qualitySchema = z.strictObject({
  type: z.literal('text', {
    error: 'only quality checks of type text are taken: sql and custom checks would run code from the contract',
  }),
  description: text,
});

export const propertySchema = z.strictObject({
  name,
  logicalType: z.enum(['string', 'integer', 'number']),
  logicalTypeOptions: logicalTypeOptionsSchema.optional(),
  required: z.boolean().optional(),
  unique: z.boolean().optional(),
  description: text.optional(),
  quality: z.array(qualitySchema).max(20).optional(),
  customProperties: z.array(customPropertySchema).min(1).max(3),
});

const slaPropertySchema = z.strictObject({
  property: z.enum(['latency', 'frequency', 'retention', 'availability', 'timeToNotify', 'timeToRepair']),
  value: z.union([z.number(), text]),
  unit: z.string().max(20).optional(),
  driver: z.enum(['regulatory', 'analytics', 'operational']).optional(),
});

export const dataContractSchema = z.strictObject({
  apiVersion: z.literal('v3.1.0'),
  kind: z.literal('DataContract'),
  id: z.string().regex(/^[A-Za-z0-9._:/-]{1,200}$/),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  status: z.enum(['proposed', 'draft', 'active', 'deprecated', 'retired']),
  name: text.optional(),
  description: z
    .strictObject({ purpose: text.optional(), limitations: text.optional(), usage: text.optional() })
    .optional(),
  schema: z
    .array(
      z.strictObject({
        name,
        logicalType: z.literal('object'),
        description: text.optional(),
        quality: z.array(qualitySchema).max(20).optional(),
        properties: z.array(propertySchema).min(2).max(1_000),
      }),
    )
    .length(1),
  slaProperties: z.array(slaPropertySchema).max(20).optional(),
});

export type DataContractDocument = z.output<typeof dataContractSchema>;
export type ContractProperty = z.output<typeof propertySchema>;
export type FeatureMap = z.output<typeof featureMapSchema>;
export type FieldRole = (typeof FIELD_ROLES)[number];
