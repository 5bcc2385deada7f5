// Invitations: the code in a dealer's letter (QR) that lets exactly one customer enrol.
import { Buffer } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../../protocol/params.ts';

export interface Invitations {
  /** 22 characters of base64url (128 bits), the same for the same customer. */
  codeFor(customerId: string): string;
  /** @throws ConcordatError INVITATION_INVALID */
  verify(customerId: string, code: string): void;
}

/** Nothing is stored: a code is a MAC of the customer's id. The book makes it one-time, by one subject per customer. */
export function createInvitations(dealerSecret: Uint8Array): Invitations {
  const key = Buffer.from(dealerSecret);
  const mac = (customerId: string) =>
    createHmac('sha256', key)
      .update(utf8ToBytes(`${PROTOCOL_VERSION}/invitation/${customerId}`))
      .digest()
      .subarray(0, 16);
  return {
    codeFor: (customerId) => mac(customerId).toString('base64url'),
    verify(customerId, code) {
      const given = Buffer.from(code, 'base64url');
      if (given.length !== 16 || !timingSafeEqual(given, mac(customerId))) {
        throw new ConcordatError('INVITATION_INVALID', 'the code does not fit the customer');
      }
    },
  };
}
