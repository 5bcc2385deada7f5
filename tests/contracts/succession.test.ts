// A federation and the one that carries it on, on a real chain: what its contracts say, and what an audit of both finds.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZeroAddress } from 'ethers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readHistory } from '../../auditor/read-chain.ts';
import { verify } from '../../auditor/verify.ts';
import { createChainClient } from '../../engines/chain/client.ts';
import { type ChainConnection, connectFederation } from '../../engines/chain/connect.ts';
import { createEarlierRounds } from '../../engines/chain/earlier-rounds.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { createRoundLedger } from '../../engines/chain/round-ledger.ts';
import { chainChronicle } from '../helpers/audit/chain-chronicle.ts';
import type { Chronicle } from '../helpers/audit/chronicle.ts';
import { evidenceOf } from '../helpers/audit/raw-evidence.ts';
import { endFor } from '../helpers/audit/succession.ts';
import {
  DEALERS,
  OPERATOR,
  PARAMETERS,
  TRAPDOOR,
  writeContinuation,
  writeHistory,
  writeSuccessor,
} from '../helpers/audit/synthetic-federation.ts';
import { expectRefusal, testArtifacts } from './world.ts';

let dir: string;
let chain: EmbeddedChain;
let old: Chronicle;
let heir: Chronicle;
let before: ChainConnection;
let after: ChainConnection;
const dealer = DEALERS[0] ?? OPERATOR;
/** What the new one says while the old one has not named it, and what it refuses. */
let waiting: { readonly rounds: number; readonly anchored: boolean; readonly epoch: number | undefined };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'concordat-succession-'));
  chain = await startEmbeddedChain({ dir });
  old = await chainChronicle(chain);
  const end = await writeHistory(old, TRAPDOOR);
  heir = await chainChronicle(chain, old.deployment.federation);
  await writeSuccessor(heir);
  before = await connectFederation(chain.rpcUrl, old.deployment.federation, OPERATOR.privateKey);
  after = await connectFederation(chain.rpcUrl, heir.deployment.federation, dealer.privateKey);
  waiting = {
    rounds: await after.ledger.roundCount(),
    anchored: await after.registry.hasAnchored(dealer.address),
    epoch: (await after.registry.currentAnchor(dealer.address))?.epoch,
  };
  await expectRefusal(after.registry.anchor(anchor(), []), 'NotNamedByPredecessor');
  await endFor(old, heir.deployment.federation);
  await writeContinuation(heir, TRAPDOOR, end);
});

afterAll(async () => {
  await chain?.stop();
  await rm(dir, { recursive: true, force: true });
});

const anchor = () => ({
  epoch: 3,
  bucketsRoot: dealer.privateKey,
  subjectsRoot: dealer.privateKey,
  logHead: dealer.privateKey,
  operationCount: 100,
});

describe('the line', () => {
  test('[P-27] each names the other, and the first names nobody before it', async () => {
    expect(await before.federation.predecessor()).toBeUndefined();
    expect(await before.federation.successor()).toBe(heir.deployment.federation);
    expect(await after.federation.predecessor()).toBe(old.deployment.federation);
    expect(await after.federation.successor()).toBeUndefined();
    expect(await after.registry.line()).toEqual([heir.deployment.registry, old.deployment.registry]);
    expect(await after.ledger.line()).toEqual([heir.deployment.ledger, old.deployment.ledger]);
  });

  test('[P-27] a predecessor has contracts of its own', async () => {
    const client = await createChainClient({ rpcUrl: chain.rpcUrl, privateKey: OPERATOR.privateKey });
    const { minCohort, keyHolderThreshold, witnessQuorum, metricMaxAgeSeconds, verificationKeyHash } = PARAMETERS;
    const parameters = [minCohort, keyHolderThreshold, witnessQuorum, metricMaxAgeSeconds, verificationKeyHash];
    const { Federation } = await testArtifacts();
    const deploy = (predecessor: string) =>
      client.deploy(Federation, [OPERATOR.address, parameters, predecessor], 'Federation');
    const { address: predecessor } = await deploy(ZeroAddress);
    await expectRefusal(deploy(predecessor), 'PredecessorUnbound', { predecessor });
  });

  test('[P-28] the one that ended takes nothing any more, and says who does', async () => {
    const { successor } = { successor: heir.deployment.federation };
    expect(await before.federation.paused()).toBe(true);
    await expectRefusal(before.federation.unpause(), 'Superseded', { successor });
    await expectRefusal(before.federation.nameSuccessor(old.deployment.federation), 'Superseded', { successor });
    const client = await createChainClient({ rpcUrl: chain.rpcUrl, privateKey: dealer.privateKey });
    const { registry } = await connectFederation(chain.rpcUrl, old.deployment.federation, dealer.privateKey);
    await expectRefusal(registry.anchor(anchor(), []), 'Superseded', { successor });
    await expectRefusal(registry.acknowledge(dealer.address, []), 'Superseded', { successor });
    const coordinator = createRoundLedger(client, old.deployment.ledger);
    await expectRefusal(coordinator.failRound(3, 'not its office'), 'NotTheCoordinator');
  });

  test('[P-31] logs, rounds and models went on where they were', async () => {
    expect(waiting).toEqual({ rounds: 2, anchored: false, epoch: 2 });
    expect(await after.registry.hasAnchored(dealer.address)).toBe(true);
    expect((await after.registry.currentAnchor(dealer.address))?.epoch).toBe(3);
    expect([await after.ledger.roundCount(), await after.ledger.roundsBefore()]).toEqual([3, 2]);
    const third = await after.ledger.roundOf(3);
    const second = await after.ledger.roundOf(2);
    expect(third?.baseModelHash).toBe(second?.modelHash);
    expect(await after.ledger.setOf(2)).toEqual(await before.ledger.setOf(2));
    expect(await after.ledger.commitOf(2, dealer.address)).toEqual(await before.ledger.commitOf(2, dealer.address));
    // so that what customers have given of their privacy is not forgotten
    expect(await createEarlierRounds(after.ledger)(4)).toHaveLength(3);
  });
});

describe('an audit', () => {
  test('of the one that carries on reads both, and every check holds', async () => {
    const history = await readHistory(chain.rpcUrl, heir.deployment.federation);
    expect(history.predecessor?.deployment.federation).toBe(old.deployment.federation);
    const report = await verify(await evidenceOf({ history, files: heir.files }));
    expect(report.checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(report.rounds).toEqual({ opened: 1, published: 1, failed: 0 });
  });

  test('of the one that ended still holds, and says that it has', async () => {
    const history = await readHistory(chain.rpcUrl, old.deployment.federation);
    const report = await verify(await evidenceOf({ history, files: old.files }));
    expect(report.checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(report.checks.at(-1)?.note).toContain(`${heir.deployment.federation} has carried it on`);
  });
});
