// Comparing what witnesses signed: they agree, or somebody signed what cannot both be true, and here is the evidence.
import { join } from 'node:path';
import type { ChainConnection } from '../engines/chain/connect.ts';
import { recoverTypedStruct } from '../engines/chain/typed-data.ts';
import { writeFileAtomic } from '../kit/files.ts';
import { sha256, toHex } from '../protocol/bytes.ts';
import {
  type Equivocation,
  encodeEquivocation,
  findEquivocations,
  type SigningDomain,
  type Statement,
  verifyEquivocation,
} from '../protocol/consent/equivocation.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { readChainStatements, readHeads, type WitnessHeads } from './heads.ts';

export interface Comparison {
  readonly witnesses: readonly WitnessHeads[];
  /** Witnesses that do not answer, or show what was never signed. */
  readonly failed: readonly { readonly url: string; readonly error: Error }[];
  readonly dealers: number;
  /** Different (dealer, epoch). */
  readonly anchors: number;
  readonly equivocations: readonly Equivocation[];
}

/**
 * Reads every witness, and with a chain the signatures behind its anchors too. One that fails does not hide the others.
 * @throws ConcordatError CHAIN_WRONG when they are not of one federation
 */
export async function compareWitnesses(urls: readonly string[], chain?: ChainConnection): Promise<Comparison> {
  const failed: { url: string; error: Error }[] = [];
  const read = await Promise.all(
    urls.map((url) => readHeads(url).catch((error: Error) => void failed.push({ url, error }))),
  );
  const witnesses = read.filter((heads) => heads !== undefined);
  const domain = chain?.domain ?? witnesses[0]?.domain;
  if (domain === undefined) throw failed[0]?.error ?? new ConcordatError('NOT_FOUND', 'no witness to compare');
  for (const { url, domain: theirs } of witnesses) requireSameFederation(url, theirs, domain);
  const statements: Statement[] = witnesses.flatMap((heads) => heads.statements);
  if (chain !== undefined) statements.push(...(await readChainStatements(chain)));
  const equivocations = findEquivocations(domain, statements);
  // what is written down holds by itself, or it is our own fault and nobody else's
  for (const equivocation of equivocations) verifyEquivocation(equivocation, recoverAnchor);
  return {
    witnesses,
    failed,
    dealers: new Set(statements.map(({ anchor }) => anchor.dealer)).size,
    anchors: new Set(statements.map(({ anchor }) => `${anchor.dealer}/${anchor.epoch}`)).size,
    equivocations,
  };
}

/** @returns the files, named by what they hold: writing them again changes nothing */
export async function writeEvidence(equivocations: readonly Equivocation[], folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const equivocation of equivocations) {
    const bytes = encodeEquivocation(equivocation);
    const file = join(folder, `equivocation-${toHex(sha256(bytes)).slice(2, 18)}.json`);
    await writeFileAtomic(file, bytes);
    files.push(file);
  }
  return files;
}

const recoverAnchor = (domain: SigningDomain, anchor: Statement['anchor'], signature: Statement['signature']) =>
  recoverTypedStruct(domain, 'Anchor', anchor, signature);

function requireSameFederation(url: string, theirs: SigningDomain, ours: SigningDomain): void {
  if (theirs.chainId === ours.chainId && theirs.federation === ours.federation) return;
  const { chainId, federation } = theirs;
  throw new ConcordatError('CHAIN_WRONG', `${url} is a witness of another federation`, { url, chainId, federation });
}
