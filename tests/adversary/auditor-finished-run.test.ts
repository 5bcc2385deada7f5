// Every planted fault, in a real finished run of the main job.
import { openChain, readFinishedRun } from '../../auditor/chain-at.ts';
import { readHistory } from '../../auditor/read-chain.ts';
import { describePlantedFaults } from '../helpers/audit/planted-faults.ts';
import { type RawEvidence, readRaw } from '../helpers/audit/raw-evidence.ts';
import { finishedRun } from '../helpers/finished-run.ts';

async function evidenceOfRun(): Promise<RawEvidence> {
  const run = await readFinishedRun((await finishedRun()).outDir);
  const chain = await openChain(run);
  try {
    return await readRaw(await readHistory(chain.rpcUrl, run.federation), run.bundle);
  } finally {
    await chain.close();
  }
}

describePlantedFaults('a finished run of the main job', evidenceOfRun);
