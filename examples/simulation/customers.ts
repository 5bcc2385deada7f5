// SIMULATED customers and their devices: each has a software passkey, signs the rule it was dealt, and can withdraw.
import type { Submission } from '../../edge-node/consent/admission.ts';
import type { Quote } from '../../edge-node/consent/quotes.ts';
import { createSoftwarePasskey, type SoftwarePasskey } from '../../engines/keys/software-passkey.ts';
import { concatBytes, type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { encodeAssertion } from '../../protocol/consent/assertion.ts';
import {
  type ConsentHead,
  type ConsentIdentity,
  type ConsentTerms,
  draftConsent,
} from '../../protocol/consent/draft.ts';
import { withoutScene } from '../../protocol/consent/grants.ts';
import { EVIDENCE, type Policy, packConditions, policyDigest } from '../../protocol/consent/policy.ts';
import type { SceneId } from '../../protocol/consent/scenes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Population } from './population.ts';

export interface SimulationOptions {
  readonly population: Population;
  readonly terms: ConsentTerms;
  readonly rpId: string;
  readonly origin: string;
  /** 32 bytes behind all passkeys of this dealer's simulated customers; never given to the dealer. */
  readonly keySeed: Uint8Array;
  /** Unix seconds of every enrolment: the same again after a restart gives the same operations again. */
  readonly nowSeconds: number;
  /** The dealer's answer to "what is the digest of these rules?" */
  readonly quote: (policy: Policy) => Quote;
  /** The code in the dealer's letter to the customer. */
  readonly invitationOf: (customerId: string) => string;
}

export interface SimulatedCustomers {
  /** One signed enrolment per customer, in the population's order. */
  enrolments(): Submission[];
  /** A signed withdrawal of one scene by an enrolled customer; everything else stays as it is. */
  withdraw(customerId: string, scene: SceneId, nowSeconds: number): Submission;
}

interface Device {
  readonly passkey: SoftwarePasskey;
  readonly identity: ConsentIdentity;
  policy: Policy;
  head: ConsentHead | undefined;
}

/** For rules marked "attested" the key stands for the one at the dealer's desk, where a paper form is entered. */
export function simulateCustomers(options: SimulationOptions): SimulatedCustomers {
  const { population, terms, rpId, origin, keySeed, quote, invitationOf } = options;
  const devices = new Map<string, Device>();
  const checked = new Map<string, bigint>();

  const derive = (customerId: string, what: string): Uint8Array =>
    sha256(concatBytes(keySeed, utf8ToBytes(`${terms.controller.address}/${what}/${customerId}`)));

  const deviceOf = (customerId: string): Device => {
    const known = devices.get(customerId);
    if (known !== undefined) return known;
    const rule = population.get(customerId);
    if (rule === undefined) throw new ConcordatError('NOT_FOUND', 'no such simulated customer', { customerId });
    const passkey = createSoftwarePasskey({ rpId, origin, seed: derive(customerId, 'passkey') });
    const nonce = toHex(derive(customerId, 'nonce'));
    const recordId: Hex = toHex(derive(customerId, 'record').subarray(0, 16));
    const device = {
      passkey,
      identity: { publicKey: passkey.publicKey, nonce, recordId },
      policy: rule.policy,
      head: undefined,
    };
    devices.set(customerId, device);
    return device;
  };

  /** A device recomputes the digest it is quoted; here customers with the same rules share one look at it. */
  const digestOf = (policy: Policy): bigint => {
    const name = `${policy.grants}/${packConditions(policy.conditions)}`;
    const known = checked.get(name);
    if (known !== undefined) return known;
    const { salt, digest } = quote(policy);
    if (policyDigest(policy, salt) !== digest) {
      throw new ConcordatError('CONSENT_OPERATION_REFUSED', 'the dealer quoted another policy than the one shown');
    }
    checked.set(name, digest);
    return digest;
  };

  const sign = (
    customerId: string,
    device: Device,
    head: ConsentHead | undefined,
    policy: Policy,
    nowSeconds: number,
  ) => {
    const method = policy.conditions.evidence === EVIDENCE.attested ? 'paper' : 'qr-self';
    const digest = digestOf(policy);
    const draft = draftConsent({ terms, identity: device.identity, head, policy, digest, nowSeconds, method });
    const assertion = encodeAssertion(device.passkey.sign(draft.challenge));
    device.head = draft.next;
    device.policy = policy;
    return { customerId, record: draft.record, operation: draft.operation, assertion };
  };

  return {
    enrolments: () =>
      [...population].map(([customerId, { policy }]) => ({
        ...sign(customerId, deviceOf(customerId), undefined, policy, options.nowSeconds),
        invitationCode: invitationOf(customerId),
      })),
    withdraw(customerId, scene, nowSeconds) {
      const device = deviceOf(customerId);
      if (device.head === undefined)
        throw new ConcordatError('NOT_FOUND', 'the customer has not enrolled', { customerId });
      const { grants, conditions } = device.policy;
      return sign(customerId, device, device.head, { grants: withoutScene(grants, scene), conditions }, nowSeconds);
    },
  };
}
