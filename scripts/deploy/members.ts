// Who belongs to a federation and under which parameters: the file that an operator writes before deploying.
import { z } from 'zod';
import { readFileOrExplain } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { parseYaml } from '../../protocol/learning/yaml.ts';
import { addressField } from '../../protocol/messages/fields.ts';
import { LIMITS, SECAGG } from '../../protocol/params.ts';
import { quorumFault } from '../../protocol/secagg/quorum.ts';

const address = z.string().toLowerCase().pipe(addressField);
const distinct = (most: number, least = 1) =>
  z
    .array(address)
    .min(least)
    .max(most)
    .refine((all) => new Set(all).size === all.length, 'an address appears twice');

const membersSchema = z.strictObject({
  parameters: z.strictObject({
    /** Fewest dealers in an opened sum. */
    minCohort: z.int().min(SECAGG.minCohort).max(SECAGG.maxDealers),
    keyHolderThreshold: z.int().min(SECAGG.minThreshold).max(LIMITS.maxKeyHolders),
    witnessQuorum: z.int().min(1).max(64),
    metricMaxAgeSeconds: z.int().min(1).max(31_536_000),
  }),
  coordinator: address,
  dealers: distinct(SECAGG.maxDealers),
  /** In the order of their indices. */
  keyHolders: distinct(LIMITS.maxKeyHolders, SECAGG.minThreshold),
  witnesses: distinct(64),
});
export type Members = z.output<typeof membersSchema>;

/** @throws ConcordatError FILE_MISSING, FILE_UNREADABLE naming the path */
export async function readMembers(path: string): Promise<Members> {
  const source = (await readFileOrExplain(path)).toString('utf8');
  const members = parseYaml(source, membersSchema, 'FILE_UNREADABLE');
  const { keyHolderThreshold, witnessQuorum, minCohort } = members.parameters;
  const short = [
    [keyHolderThreshold, members.keyHolders.length, 'keyHolders'],
    [witnessQuorum, members.witnesses.length, 'witnesses'],
    [minCohort, members.dealers.length, 'dealers'],
  ] as const;
  for (const [needed, given, what] of short) {
    if (given < needed)
      throw new ConcordatError('FILE_UNREADABLE', `${path}: ${given} ${what}, at least ${needed} needed`);
  }
  const fault = quorumFault({ keyHolders: members.keyHolders.length, threshold: keyHolderThreshold });
  if (fault !== undefined) throw new ConcordatError('FILE_UNREADABLE', `${path}: keyHolderThreshold: ${fault}`);
  return members;
}
