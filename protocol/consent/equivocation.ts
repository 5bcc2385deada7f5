// Equivocation: two signed anchors of one dealer that cannot both be true, as evidence that anyone can check on its own.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { addressField, signatureField } from '../messages/fields.ts';
import { type Anchor, anchoredRoot, anchorSchema } from './anchor.ts';
import { encodeCanonicalJson, parseCanonicalJson } from './canonical-json.ts';

/** EIP-712 `Anchor`, by the dealer itself or by a witness. */
export const signedAnchorSchema = z.strictObject({ anchor: anchorSchema, signature: signatureField });
export type SignedAnchor = z.output<typeof signedAnchorSchema>;

/** Where a signature counts: the EIP-712 domain. */
export const signingDomainSchema = z.strictObject({ chainId: z.int().min(1), federation: addressField });
export type SigningDomain = z.output<typeof signingDomainSchema>;

const equivocationSchema = z.strictObject({
  v: z.literal('concordat/1/equivocation'),
  domain: signingDomainSchema,
  /** Who signed both: the dealer, or a witness. */
  signer: addressField,
  /** In ascending order of their anchored roots, so that two statements make one file. */
  statements: z.tuple([signedAnchorSchema, signedAnchorSchema]),
});
export type Equivocation = z.output<typeof equivocationSchema>;

/**
 * `same-epoch`: two anchors for one epoch. `log-shrank`: a later epoch with fewer entries. `log-forked`: as many entries,
 * other ones. `roots-differ`: the same entries, other trees. An honest party signs none of these (P-05 of the contracts).
 */
export type Contradiction = 'same-epoch' | 'log-shrank' | 'log-forked' | 'roots-differ';

/** undefined when both can be true, or when they speak of two dealers. */
export function contradictionOf(a: Anchor, b: Anchor): Contradiction | undefined {
  if (a.dealer !== b.dealer) return undefined;
  if (a.epoch === b.epoch) return anchoredRoot(a) === anchoredRoot(b) ? undefined : 'same-epoch';
  const [earlier, later] = a.epoch < b.epoch ? [a, b] : [b, a];
  if (later.operationCount < earlier.operationCount) return 'log-shrank';
  if (later.operationCount > earlier.operationCount) return undefined;
  if (later.logHead !== earlier.logHead) return 'log-forked';
  const sameTrees = later.bucketsRoot === earlier.bucketsRoot && later.subjectsRoot === earlier.subjectsRoot;
  return sameTrees ? undefined : 'roots-differ';
}

export function equivocationOf(domain: SigningDomain, signer: Hex, a: SignedAnchor, b: SignedAnchor): Equivocation {
  const statements: [SignedAnchor, SignedAnchor] = anchoredRoot(a.anchor) < anchoredRoot(b.anchor) ? [a, b] : [b, a];
  return { v: 'concordat/1/equivocation', domain, signer, statements };
}

/** The evidence file: canonical JSON. */
export const encodeEquivocation = (equivocation: Equivocation): Uint8Array => encodeCanonicalJson(equivocation);

/** Two signed anchors are under 2 kB. */
export const MAX_EVIDENCE_BYTES = 4_096;

/** @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED for anything but the one text that states it */
export function decodeEquivocation(bytes: Uint8Array): Equivocation {
  const parsed = equivocationSchema.safeParse(parseCanonicalJson(bytes, MAX_EVIDENCE_BYTES));
  if (parsed.success) return parsed.data;
  throw new ConcordatError('MESSAGE_MALFORMED', `evidence: ${parsed.error.issues[0]?.message}`);
}

/** @throws ConcordatError SIGNATURE_INVALID */
export type RecoverAnchor = (domain: SigningDomain, anchor: Anchor, signature: Hex) => Hex;

export interface Proven {
  readonly signer: Hex;
  /** Of what it signs here; that the federation registered it as such is the chain's to say. */
  readonly role: 'dealer' | 'witness';
  readonly dealer: Hex;
  readonly contradiction: Contradiction;
}

/** From the file alone. @throws ConcordatError MESSAGE_MALFORMED when nothing is contradicted, SIGNATURE_INVALID */
export function verifyEquivocation({ domain, signer, statements }: Equivocation, recover: RecoverAnchor): Proven {
  const [a, b] = statements;
  const contradiction = contradictionOf(a.anchor, b.anchor);
  if (contradiction === undefined || anchoredRoot(a.anchor) >= anchoredRoot(b.anchor)) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'evidence: the two statements do not contradict each other');
  }
  for (const { anchor, signature } of statements) {
    if (recover(domain, anchor, signature) !== signer) {
      throw new ConcordatError('SIGNATURE_INVALID', `evidence: ${signer} did not sign epoch ${anchor.epoch}`, {
        signer,
      });
    }
  }
  const { dealer } = a.anchor;
  return { signer, role: signer === dealer ? 'dealer' : 'witness', dealer, contradiction };
}

/** A signed anchor with its signer, the signature checked. */
export interface Statement extends SignedAnchor {
  readonly signer: Hex;
}

/** One for each signer and dealer that contradict themselves at an epoch, or from one epoch to the next. */
export function findEquivocations(domain: SigningDomain, statements: Iterable<Statement>): Equivocation[] {
  const found: Equivocation[] = [];
  for (const own of bySignerAndDealer(statements).values()) {
    let last: Statement | undefined;
    for (const statement of own.sort((a, b) => a.anchor.epoch - b.anchor.epoch)) {
      const contradicts = last !== undefined && contradictionOf(last.anchor, statement.anchor) !== undefined;
      if (last !== undefined && contradicts) {
        found.push(equivocationOf(domain, statement.signer, bare(last), bare(statement)));
      }
      last = statement;
    }
  }
  return found;
}

const bare = ({ anchor, signature }: SignedAnchor): SignedAnchor => ({ anchor, signature });

/** Each statement once, however many sources it came from. */
function bySignerAndDealer(statements: Iterable<Statement>): Map<string, Statement[]> {
  const groups = new Map<string, Map<Hex, Statement>>();
  for (const statement of statements) {
    const key = `${statement.signer}/${statement.anchor.dealer}`;
    const group = groups.get(key) ?? new Map<Hex, Statement>();
    const root = anchoredRoot(statement.anchor);
    if (!group.has(root)) group.set(root, statement);
    groups.set(key, group);
  }
  return new Map([...groups].map(([key, group]) => [key, [...group.values()]]));
}
