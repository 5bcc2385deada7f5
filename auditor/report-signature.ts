// Who stands for a report: the auditor's signature (EIP-191) over the hash of its canonical JSON.
import { computeAddress, verifyMessage, Wallet } from 'ethers';
import { type Hex, sha256, toHex, utf8ToBytes } from '../protocol/bytes.ts';
import { canonicalJson } from '../protocol/learning/canonical-json.ts';
import type { Report } from './verify.ts';

export interface ReportSignature {
  readonly signer: Hex;
  /** sha256 of the canonical JSON of the report without its signature. */
  readonly hash: Hex;
  readonly signature: Hex;
}

export interface SignedReport extends Report {
  /** Left out: nobody stands for it. */
  readonly signature?: ReportSignature;
}

/** The bytes that are hashed: RFC 8785, without the signature. */
export function canonicalReport({ signature: _, ...report }: SignedReport): string {
  return canonicalJson(report);
}

const reportHash = (report: SignedReport): Hex => toHex(sha256(utf8ToBytes(canonicalReport(report))));

/** What a wallet shows its owner. */
export const messageOf = (hash: Hex): string => `concordat/1/audit-report ${hash}`;

export function signReport(report: Report, privateKey: Hex): SignedReport {
  const hash = reportHash(report);
  const signature = new Wallet(privateKey).signMessageSync(messageOf(hash)) as Hex;
  return { ...report, signature: { signer: computeAddress(privateKey).toLowerCase() as Hex, hash, signature } };
}

export type Standing =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'signed'; readonly signer: Hex }
  | { readonly kind: 'false'; readonly why: string };

/** Whether the named signer signed this very report. Whose address that is, is the reader's to know. */
export function standingOf(report: SignedReport): Standing {
  const { signature } = report;
  if (signature === undefined) return { kind: 'unsigned' };
  const hash = reportHash(report);
  if (signature.hash !== hash)
    return { kind: 'false', why: `the report was changed after it was signed: its hash is ${hash}` };
  try {
    const signer = verifyMessage(messageOf(hash), signature.signature).toLowerCase();
    if (signer === signature.signer) return { kind: 'signed', signer: signature.signer };
    return { kind: 'false', why: `${signature.signer} did not sign it` };
  } catch {
    return { kind: 'false', why: 'its signature is none' };
  }
}
