// What the contracts of a federation answer at one block: who belongs to it, what each dealer anchored, how each round stands.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DealerAnswer, ROUND_STATUS, type RoundAnswer, type Standing } from '../history.ts';
import { type BlockTag, type ContractName, type FederationView, type ViewCall, views } from './contract.ts';
import type { ChainReader } from './rpc.ts';

/** A ledger that answers more was not written by any federation: each round costs its coordinator a transaction. */
const MOST_ROUNDS = 1_000_000;

/** @param ofDealer asked of more closely @throws ConcordatError CHAIN_WRONG, CHAIN_REVERTED, CHAIN_UNREACHABLE */
export async function readStanding(
  reader: ChainReader,
  at: FederationView,
  block: BlockTag,
  ofDealer?: Hex,
): Promise<Standing> {
  const address = { Federation: at.federation, ConsentRegistry: at.registry, RoundLedger: at.ledger };
  const call = (name: ContractName, method: string, ...args: readonly unknown[]): ViewCall => ({
    ...{ name, address: address[name], method, args },
  });
  const ask = <T>(calls: readonly ViewCall[]) => views(reader, calls, block) as Promise<T[]>;
  const own = ['coordinator', 'successor', 'predecessor', 'paused', 'dealers', 'witnesses', 'keyHolders'] as const;
  const [coordinator, successor, predecessor, paused, dealers, witnesses, keyHolders, count] = (await ask([
    ...own.map((method) => call('Federation', method)),
    call('RoundLedger', 'roundCount'),
  ])) as [Hex, Hex, Hex, boolean, readonly Hex[], readonly Hex[], Standing['keyHolders'], number];
  if (count > MOST_ROUNDS) throw new ConcordatError('CHAIN_WRONG', `a ledger of ${count} rounds`, { count });

  const ascending = [...dealers].sort();
  const anchors = await ask<Anchor>(ascending.map((dealer) => call('ConsentRegistry', 'currentAnchor', dealer)));
  const pending = await ask<bigint>(ascending.map((dealer) => call('ConsentRegistry', 'pendingCount', dealer)));
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const rounds = await ask<RawRound>(numbers.map((round) => call('RoundLedger', 'roundOf', round)));
  const askDealer = async (dealer: Hex): Promise<DealerAnswer> => {
    const [anchor] = await ask<DealerAnswer['anchor']>([call('ConsentRegistry', 'currentAnchor', dealer)]);
    if (anchor === undefined) throw new ConcordatError('CHAIN_WRONG', 'no anchor is answered');
    const { epoch, root, bucketsRoot, subjectsRoot, logHead, operationCount } = anchor;
    const commits = await ask<Commit>(numbers.map((round) => call('RoundLedger', 'commitOf', round, dealer)));
    return {
      dealer,
      anchor: { epoch, root, bucketsRoot, subjectsRoot, logHead, operationCount },
      commits: commits.map(({ attempt, weight, payloadHash, sharesRoot }) => ({
        ...{ attempt, weight, payloadHash, sharesRoot },
      })),
    };
  };
  return {
    ...{ coordinator, successor, predecessor, paused },
    dealers: ascending.map((dealer, i) => {
      const { epoch = 0, root = '0x' } = anchors[i] ?? {};
      return { dealer, epoch, root, pending: Number(pending[i]) };
    }),
    witnesses: [...witnesses].sort(),
    keyHolders: keyHolders.map(({ keyHolder, keyEpoch, keyHash }) => ({ keyHolder, keyEpoch, keyHash })),
    rounds: rounds.map(answerOf),
    ...(ofDealer !== undefined && { ofDealer: await askDealer(ofDealer) }),
  };
}

type Commit = DealerAnswer['commits'][number];

interface Anchor {
  readonly epoch: number;
  readonly root: Hex;
}

type RawRound = Omit<RoundAnswer, 'status'> & { readonly status: number };

function answerOf({ status, ...raw }: RawRound): RoundAnswer {
  const { taskHash, requirementKey, baseModelHash, seed, keysHash, deadline, epsilonAfterMilli } = raw;
  return {
    ...{ taskHash, requirementKey, baseModelHash, seed, keysHash, deadline, epsilonAfterMilli },
    status: ROUND_STATUS[status] ?? 'none',
    modelHash: raw.modelHash,
    setHash: raw.setHash,
  };
}
