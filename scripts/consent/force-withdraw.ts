// `concordat consent force-withdraw`: takes a customer out on chain when its dealer does not, and waits until the dealer has.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { computeAddress } from 'ethers';
import { type ChainConnection, connectFederation } from '../../engines/chain/connect.ts';
import { readEvents, topicOf } from '../../engines/chain/events.ts';
import { createRpc } from '../../engines/chain/rpc.ts';
import { readFileOrExplain } from '../../kit/files.ts';
import type { Progress, Step } from '../../kit/progress.ts';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { decodeAssertion } from '../../protocol/consent/assertion.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import { decodeOperation, type Operation } from '../../protocol/consent/operation.ts';
import { EMBEDDED_CHAIN_ID } from '../../protocol/embedded-chain.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type BundleReader, bundleInFolder, bundleOfCoordinator, stateUnder } from './public-log.ts';

export interface ForceOptions {
  readonly rpc: string;
  readonly federation: Hex;
  readonly bundle?: string;
  readonly coordinator?: string;
  /** Files: the bytes themselves, or their 0x-hex. */
  readonly operation: string;
  readonly assertion: string;
  /** File with the 0x-hex private key of the account that pays for the transaction. */
  readonly key?: string;
  readonly waitSeconds: number;
}

export interface ForceOutcome {
  readonly dealer: Hex;
  readonly subject: Hex;
  readonly seq: number;
  /** null: it stood there already. */
  readonly transaction: { readonly txHash: Hex; readonly blockNumber: number; readonly gasUsed: number } | null;
  /** null: not within the time; the dealer can neither select nor commit until it does. */
  readonly acknowledged: { readonly txHash: Hex; readonly blockNumber: number; readonly epoch: number } | null;
}

/** @throws ConcordatError FILE_*, MESSAGE_*, CONSENT_OPERATION_REFUSED, ANCHOR_MISMATCH, CHAIN_* */
export async function forceWithdraw(options: ForceOptions, progress: Progress): Promise<ForceOutcome> {
  const signed = await readSigned(options);
  const chain = await connectFederation(options.rpc, options.federation, await payingKey(options));
  const fromBlock = await chain.client.blockNumber();
  const transaction = await progress.step('Withdrawal on chain', (step) =>
    send(chain, signed, readerOf(options), step),
  );
  const acknowledged = await progress.step('Acknowledged by the dealer', (step) =>
    untilAcknowledged(chain, signed.operation, { fromBlock, waitSeconds: options.waitSeconds }, step),
  );
  const { dealer, subject, seq } = signed.operation;
  return { dealer, subject, seq, transaction, acknowledged };
}

interface Signed {
  readonly operation: Operation;
  readonly operationBytes: Uint8Array;
  readonly assertion: ReturnType<typeof decodeAssertion>;
}

async function readSigned(options: ForceOptions): Promise<Signed> {
  const operationBytes = await bytesOf(options.operation);
  const operation = decodeOperation(operationBytes);
  if (operation.newDigest !== 0n) {
    const detail = 'only a withdrawal from everything can be forced; this operation signs other rules';
    throw new ConcordatError('CONSENT_OPERATION_REFUSED', detail, { subject: operation.subject });
  }
  return { operation, operationBytes, assertion: decodeAssertion(await bytesOf(options.assertion)) };
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const content = await readFileOrExplain(path);
  const text = content.length < 16_384 ? content.toString('latin1').trim() : '';
  return /^0x([0-9a-f]{2})+$/.test(text) ? fromHex(text as Hex) : new Uint8Array(content);
}

/** On the embedded chain whoever has no account gets one; elsewhere somebody has to pay. */
async function payingKey({ rpc, key }: ForceOptions): Promise<Hex> {
  if (key !== undefined) {
    const text = (await readFileOrExplain(key)).toString('latin1').trim();
    // never the text itself in an error
    if (!/^0x[0-9a-f]{64}$/.test(text)) throw new ConcordatError('FILE_UNREADABLE', `${key} holds no 0x-hex key`);
    return text as Hex;
  }
  const endpoint = createRpc(rpc);
  if (Number(await endpoint.call('eth_chainId', [])) !== EMBEDDED_CHAIN_ID) {
    throw new ConcordatError('FILE_MISSING', 'give --key with the account that pays for the transaction');
  }
  const fresh = toHex(randomBytes(32));
  await endpoint.call('anvil_setBalance', [computeAddress(fresh), `0x${(10n ** 18n).toString(16)}`]);
  return fresh;
}

function readerOf({ bundle, coordinator }: ForceOptions): BundleReader {
  if (bundle !== undefined) return bundleInFolder(bundle);
  if (coordinator !== undefined) return bundleOfCoordinator(coordinator);
  throw new ConcordatError('FILE_MISSING', 'give --bundle or --coordinator: where the public consent log is read');
}

/** The dealer may anchor between our reading and our transaction, or somebody else be faster: then we look again. */
const ATTEMPTS = 3;
const PAUSE_MS = 1_000;
const AGAIN: ReadonlySet<string> = new Set(['SubjectNotUnderRoot', 'AlreadyPending']);

async function send(chain: ChainConnection, signed: Signed, read: BundleReader, step: Step) {
  const { dealer, subject } = signed.operation;
  for (let attempt = 1; ; attempt++) {
    if ((await chain.registry.pendingWithdrawals(dealer)).some((pending) => pending.subject === subject)) return null;
    try {
      step.update('reading the public consent log');
      const membership = await membershipOf(chain, signed.operation, read);
      step.update('sending');
      const { operationBytes: operation, assertion } = signed;
      const { txHash, blockNumber, gasUsed } = await chain.registry.forceWithdraw({ operation, assertion, membership });
      step.update(`block ${blockNumber}, ${gasUsed} gas`);
      return { txHash, blockNumber, gasUsed };
    } catch (error) {
      if (!(error instanceof ConcordatError)) throw error;
      const again = AGAIN.has(String(error.fields.reason)) || error.code === 'ANCHOR_MISMATCH';
      if (!again || attempt === ATTEMPTS) throw error;
      step.update('the dealer has anchored since: once more');
      await sleep(PAUSE_MS);
    }
  }
}

async function membershipOf({ registry }: ChainConnection, { dealer, subject }: Operation, read: BundleReader) {
  const record = await registry.currentAnchor(dealer);
  if (record === undefined) throw new ConcordatError('NOT_FOUND', `${dealer} has anchored nothing here`, { dealer });
  const { root: _root, anchoredAt: _anchoredAt, ...anchor } = record;
  const membership = (await stateUnder({ dealer, ...anchor }, read)).membershipProof(subject);
  if (membership === undefined) {
    throw new ConcordatError('NOT_FOUND', 'the dealer’s current root has the subject in no bucket: nothing to force', {
      dealer,
      subject,
    });
  }
  return membership;
}

async function untilAcknowledged(
  { client, registry }: ChainConnection,
  { dealer, subject }: Operation,
  { fromBlock, waitSeconds }: { readonly fromBlock: number; readonly waitSeconds: number },
  step: Step,
): Promise<ForceOutcome['acknowledged']> {
  const giveUpAt = performance.now() + waitSeconds * 1_000;
  const topics = [topicOf('ForcedWithdrawalAcknowledged'), toHex(abiWord(dealer)), subject];
  for (;;) {
    const [event] = await readEvents(client, { address: registry.address, fromBlock, topics });
    if (event?.name === 'ForcedWithdrawalAcknowledged') {
      const { txHash, blockNumber, epoch } = event;
      step.update(`epoch ${epoch}`);
      return { txHash, blockNumber, epoch };
    }
    if (performance.now() >= giveUpAt) {
      step.update('not yet; until then the dealer neither selects nor commits');
      return null;
    }
    step.update('waiting: until then the dealer neither selects nor commits');
    await sleep(Math.min(PAUSE_MS, Math.max(0, giveUpAt - performance.now())));
  }
}
