// The secret salt of a policy: the same rules give the same digest at this dealer, and tell nobody else what they are.
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { bytesToUint, concatBytes, uintToBytes, utf8ToBytes } from '../../protocol/bytes.ts';
import { type Policy, packConditions, splitGrants } from '../../protocol/consent/policy.ts';
import { CONSENT, PROTOCOL_VERSION } from '../../protocol/params.ts';

const LABEL = utf8ToBytes(`${PROTOCOL_VERSION}/salt`);

/** HMAC-SHA256(secret, label ‖ g0 (12) ‖ g1 (12) ‖ cond (10)), its first 31 bytes as an integer: always a field element. */
export function saltOf(dealerSecret: Uint8Array, policy: Policy): bigint {
  const [g0, g1] = splitGrants(policy.grants);
  const message = concatBytes(
    LABEL,
    uintToBytes(g0, 12),
    uintToBytes(g1, 12),
    uintToBytes(packConditions(policy.conditions), 10),
  );
  const mac = createHmac('sha256', Buffer.from(dealerSecret)).update(message).digest();
  return bytesToUint(mac.subarray(0, CONSENT.saltBytes));
}
