// The stages of a run up to the first round: data, circuit, processes, enrolment, proofs.
import { join } from 'node:path';
import { connectFederation } from '../../engines/chain/connect.ts';
import { type PolicyArtifacts, preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { buildKernel } from '../../engines/ring/kernel-build.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { compareWitnesses, writeEvidence } from '../../witness/compare.ts';
import { type DealersCustomers, inviteCustomers, submit } from './customers.ts';
import { deploy, makeIdentities, type Node, type RunningFederation, startChain, startNodes } from './federation.ts';
import { type Material, prepareMaterial } from './material.ts';
import { witnessQuorumOf } from './options.ts';
import type { WitnessReport } from './report.ts';
import { runRounds, untilReady } from './rounds.ts';
import type { Run } from './run.ts';

export const checkData = (run: Run): Promise<Material> =>
  run.step('data', 'Check the data against its contract', async (s) => {
    const material = await prepareMaterial(run.options);
    const { dealers, holdOut } = material.split;
    const sizes = dealers.map((records) => records.length);
    const customers = sizes.reduce((a, b) => a + b, 0);
    s.update(`${customers} customers at ${sizes.length} dealers (${sizes.join(', ')}); ${holdOut.length} held out`);
    return material;
  });

export const prepareCircuit = (run: Run): Promise<PolicyArtifacts> =>
  run.step('circuit', 'Policy circuit: compile and set up', async (s) => {
    // the ring kernel too: here once, before every node would compile it for itself
    const kernel = buildKernel({ cacheDir: run.options.cacheDir });
    const artifacts = await preparePolicyCircuit({
      cacheDir: run.options.cacheDir,
      onProgress: ({ stage, detail }) => {
        if (stage === 'corrupt') s.line(`a cached artefact is corrupt and is made again: ${detail}`);
        else s.update(`${stage} ${detail}`);
      },
    });
    await kernel;
    const { constraints, setup } = artifacts;
    s.update(`${constraints.toLocaleString('en')} constraints; ${setup} setup, for the embedded chain only`);
    return artifacts;
  });

export const startEverything = (run: Run, material: Material, artifacts: PolicyArtifacts): Promise<RunningFederation> =>
  run.step('start', 'Chain, contracts and processes', async (s) => {
    const { options, started } = run;
    const chain = await startChain(options);
    started.push(chain);
    s.update('contracts');
    const who = await makeIdentities(options);
    const { federation, gasUsed } = await deploy(chain, who, artifacts, material, options);
    const total = 1 + options.dealers + options.keyHolders + options.witnesses;
    let up = 0;
    const onStarted = (node: Node): void => {
      started.push(node);
      up += 1;
      s.update(`${up} of ${total} processes up`);
    };
    const onEvent = (text: string): void => void process.stderr.write(`${text}\n`);
    const onChain = { chain, federation };
    const nodes = await startNodes(onChain, who, artifacts, material, options, { onStarted, onEvent });
    const { rpcUrl, chainId } = chain;
    const bundle = 'coordinator/bundle';
    await writeJson(run, 'federation.json', { rpcUrl, chainId, federation, bundle, chainState: 'chain.json' });
    const parties = `${options.dealers} edge nodes, ${options.keyHolders} key-holders`;
    const others = options.witnesses === 0 ? '' : `, ${options.witnesses} witnesses`;
    s.update(`chain at ${rpcUrl}, coordinator at ${nodes.coordinator.url}, ${parties}${others}`);
    return { ...onChain, ...nodes, deployGas: gasUsed };
  });

export const enrol = (run: Run, running: RunningFederation): Promise<DealersCustomers[]> =>
  run.step('enrolment', 'Customers sign their rules (SIMULATED: this data has no consent)', async (s) => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const { seed } = run.options;
    const everyone = await Promise.all(running.dealers.map((dealer) => inviteCustomers(dealer, seed, nowSeconds)));
    let signed = 0;
    await Promise.all(
      everyone.map(async ({ dealer, simulated }) => {
        const receipts = await submit(dealer, simulated.enrolments(), false);
        signed += receipts.length;
        s.update(`${signed} passkey signatures accepted`);
      }),
    );
    return everyone;
  });

export const prove = (run: Run, running: RunningFederation): Promise<unknown> =>
  run.step('proofs', 'Consent anchored on chain, policies proven in zero knowledge', (s) =>
    untilReady(running.dealers, s.update),
  );

/** Rounds `from` to `to`, a line each. */
export const learn = (run: Run, running: RunningFederation, from: number, to: number): Promise<void> =>
  run.step('rounds', from === to ? `Round ${from}` : `Rounds ${from}–${to}`, (s) =>
    runRounds(
      running.coordinator,
      to - from + 1,
      ({ round, dealers, records, accuracyBps, aucBps, evaluation, timingsMs }) => {
        const ms = Object.values(timingsMs).reduce((a, b) => a + b, 0);
        const isRanking = evaluation === undefined || evaluation.type === 'binary';
        const quality = isRanking
          ? `AUC ${(aucBps / 10_000).toFixed(4)}`
          : `accuracy ${(accuracyBps / 100).toFixed(1)} %`;
        s.line(`round ${round}: ${dealers} dealers, ${records} records, ${quality} before, ${ms.toFixed(0)} ms`);
      },
    ),
  );

/** What the witnesses and the chain say was signed, held against each other. @throws ConcordatError ANCHOR_EQUIVOCATION */
export const compareSigned = (run: Run, running: RunningFederation): Promise<WitnessReport> =>
  run.step('witnesses', 'What the witnesses signed, compared', async (s) => {
    const { rpcUrl } = running.chain;
    const urls = [running.coordinator, ...running.witnesses].map(({ url }) => url);
    const compared = await compareWitnesses(urls, await connectFederation(rpcUrl, running.federation));
    const { anchors, equivocations, failed } = compared;
    if (failed[0] !== undefined) throw failed[0].error;
    const files = await writeEvidence(equivocations, run.options.out);
    if (files.length > 0) throw new ConcordatError('ANCHOR_EQUIVOCATION', `the evidence: ${files.join(', ')}`);
    const quorum = witnessQuorumOf(run.options);
    s.update(`${urls.length} witnesses, quorum ${quorum}: they agree on ${anchors} anchors`);
    return { count: urls.length, quorum, anchors };
  });

export const writeJson = (run: Run, name: string, value: unknown): Promise<void> =>
  writeFileAtomic(join(run.options.out, name), JSON.stringify(value, undefined, 2));
