// Field types that messages share.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';

export const addressField = z
  .string()
  .regex(/^0x[0-9a-f]{40}$/, 'a lower-case address')
  .transform((v) => v as Hex);
export const hashField = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, 'a 32-byte hash in hex')
  .transform((v) => v as Hex);
export const signatureField = z
  .string()
  .regex(/^0x[0-9a-f]{130}$/, 'a 65-byte signature in hex')
  .transform((v) => v as Hex);
export const roundField = z
  .int()
  .min(1)
  .max(2 ** 48);
export const attemptField = z
  .int()
  .min(1)
  .max(2 ** 32 - 1);
export const bytesField = (minBytes: number, maxBytes: number) =>
  z
    .custom<Uint8Array>((v) => v instanceof Uint8Array, 'bytes')
    .refine((v) => v.length >= minBytes && v.length <= maxBytes, `${minBytes} to ${maxBytes} bytes`);
