// The child process of ceremony.ts that runs snarkjs. A contributor's secret lives here only, and ends with it.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Logger, powersOfTau, zKey } from 'snarkjs';
import { hashVerificationKey } from '../../protocol/proof/verification-key.ts';
import { FILES } from './artifact-files.ts';
import { assembleBn254 } from './assemble-bn254.ts';
import { loadBn254 } from './bn254.ts';
import { withPtau } from './ceremony-ptau.ts';
import { serveParent } from './child.ts';
import { exportKeys, verificationKeyOf } from './export-keys.ts';
import { initialKeyFault } from './initial-key.ts';

export type CeremonyJob =
  | { readonly job: 'check-ptau'; readonly ptauFile: string }
  | { readonly job: 'initial'; readonly r1csFile: string; readonly ptauFile: string; readonly zkeyFile: string }
  | { readonly job: 'check-initial'; readonly r1csFile: string; readonly ptauFile: string; readonly zkeyFile: string }
  | {
      readonly job: 'contribute';
      readonly fromFile: string;
      readonly zkeyFile: string;
      readonly name: string;
      readonly entropyFile?: string;
    }
  | {
      readonly job: 'beacon';
      readonly fromFile: string;
      readonly zkeyFile: string;
      readonly beacon: string;
      readonly iterationsExp: number;
    }
  | { readonly job: 'check-key'; readonly initialFile: string; readonly ptauFile: string; readonly zkeyFile: string }
  | { readonly job: 'verification-key'; readonly zkeyFile: string }
  | { readonly job: 'export'; readonly zkeyFile: string; readonly outDir: string };

type InitialKeyFiles = Extract<CeremonyJob, { job: 'check-initial' }>;

export interface CeremonyAnswer {
  /** What is wrong. */
  readonly fault?: string;
  /** Of a contribution or beacon: snarkjs' hash of it. Of 'verification-key': the key's hash. */
  readonly hash?: string;
}

// snarkjs leaves files for the garbage collector to close, of which Node would warn the user
process.removeAllListeners('warning');

serveParent(async (job: CeremonyJob): Promise<CeremonyAnswer> => {
  const { logger, said } = listener();
  const judge = (holds: boolean): CeremonyAnswer => (holds ? {} : { fault: said() });
  switch (job.job) {
    case 'check-ptau':
      // in a file that is not what it should be, anything may go wrong
      return judge(await powersOfTau.verify(job.ptauFile, logger).catch((cause: Error) => complain(logger, cause)));
    case 'initial':
      return judge((await zKey.newZKey(job.r1csFile, job.ptauFile, job.zkeyFile, logger)) !== -1);
    case 'check-initial':
      return judgeInitialKey(job).catch((cause: Error) => ({ fault: cause.message }));
    case 'contribute': {
      const entropy = await drawEntropy(job.entropyFile);
      return asHash(await zKey.contribute(job.fromFile, job.zkeyFile, job.name, entropy, logger));
    }
    case 'beacon': {
      const hash = await zKey.beacon(job.fromFile, job.zkeyFile, '', job.beacon, job.iterationsExp, logger);
      return hash === false ? { fault: said() } : asHash(hash);
    }
    case 'check-key':
      return judge(
        await zKey
          .verifyFromInit(job.initialFile, job.ptauFile, job.zkeyFile, logger)
          .catch((cause: Error) => complain(logger, cause)),
      );
    case 'verification-key':
      return { hash: hashVerificationKey(await verificationKeyOf(job.zkeyFile)) };
    case 'export':
      await writeFile(join(job.outDir, FILES.kernel), await assembleBn254());
      await exportKeys(job.zkeyFile, job.outDir);
      return {};
  }
});

/** By our own code: snarkjs can only make it again, which takes ten times as long. */
async function judgeInitialKey({ r1csFile, ptauFile, zkeyFile }: InitialKeyFiles): Promise<CeremonyAnswer> {
  const bn254 = await loadBn254(await assembleBn254());
  const [r1cs, zkey] = [await readFile(r1csFile), await readFile(zkeyFile)];
  const reason = await withPtau(ptauFile, (ptau) => initialKeyFault(bn254, r1cs, ptau, zkey));
  return reason === undefined ? {} : { fault: reason };
}

const asHash = (hash: Uint8Array): CeremonyAnswer => ({ hash: Buffer.from(hash).toString('hex') });

function complain(logger: Logger, cause: Error): false {
  logger.error(cause.message);
  return false;
}

function listener(): { logger: Logger; said: () => string } {
  let last = 'the key does not follow from the one before it'; // what snarkjs says of that, it says on stdout
  const silent = (): void => undefined;
  const error = (text: string): void => {
    last = text.trim();
  };
  return { logger: { debug: silent, info: silent, warn: silent, error }, said: () => last };
}

/** snarkjs adds 64 bytes of the system's own to this text: whatever the file holds, it can only add. */
async function drawEntropy(file: string | undefined): Promise<string> {
  const hash = createHash('sha512');
  const system = randomBytes(64);
  hash.update(system);
  system.fill(0);
  if (file !== undefined) await pipeline(createReadStream(file), hash, { end: false });
  return hash.digest('hex');
}
