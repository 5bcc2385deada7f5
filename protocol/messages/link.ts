// What travels on the link between a coordinator and whoever watches it: hello and ready from nodes, events to all.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';
import { addressField, hashField, roundField, signatureField } from './fields.ts';

/** Opens a link as a registered party: EIP-712 `Hello`, fresh to a minute. */
const helloMessage = z.strictObject({
  type: z.literal('hello'),
  party: addressField,
  issuedAtMs: z.int().min(0),
  nonce: hashField,
  signature: signatureField,
});

/** A dealer that takes no part in a round says so, and why, so that nobody waits. */
const declineMessage = z.strictObject({
  type: z.literal('decline'),
  round: roundField,
  reason: z.string().max(200),
});

export const linkMessage = z.discriminatedUnion('type', [helloMessage, declineMessage]);

export type CoordinatorEvent =
  | { readonly type: 'welcome'; readonly party: string }
  /** Its rounds will open: GET /v1/tasks/<hash>, for whoever wants to look at it ahead of them. */
  | { readonly type: 'task-taken'; readonly task: Hex }
  | { readonly type: 'round-opened'; readonly round: number }
  | { readonly type: 'upload-admitted'; readonly round: number; readonly dealer: string; readonly bytes: number }
  /** The dealer's update is not in the round's sum. */
  | { readonly type: 'upload-refused'; readonly round: number; readonly dealer: string; readonly reason: string }
  /** Dealers of the set answer with the fingerprint of their payload: POST /v1/fingerprints. */
  | { readonly type: 'aggregate-ready'; readonly round: number; readonly aggregateHash: Hex }
  | { readonly type: 'set-finalised'; readonly round: number; readonly dealers: number }
  | { readonly type: 'round-published'; readonly round: number }
  | { readonly type: 'round-failed'; readonly round: number; readonly reason: string };
