// The Federation contract in the domain's terms: who is in, and the parameters.
import { type Hex, toHex } from '../../protocol/bytes.ts';
import type { ChainClient } from './client.ts';
import { federationAt } from './contracts.ts';
import type { Receipt } from './receipts.ts';
import { asHex, asHexList, asNumber, unlessZero, unlessZeroAddress } from './values.ts';

export interface FederationParameters {
  /** Fewest dealers in an opened sum; at least 3. */
  readonly minCohort: number;
  readonly keyHolderThreshold: number;
  readonly witnessQuorum: number;
  /** Oldest attestation that still meets an accuracy floor. */
  readonly metricMaxAgeSeconds: number;
  readonly verificationKeyHash: Hex;
}

export interface KeyHolder {
  readonly address: Hex;
  /** From 1: the x coordinate of its shares. */
  readonly index: number;
  /** Rotations so far; 0 before the first key. */
  readonly keyEpoch: number;
  /** keccak256 of the sealing key in force; undefined before the first. The key itself: sealing-keys.ts. */
  readonly keyHash: Hex | undefined;
}

export interface Federation {
  readonly address: Hex;
  setContracts(registry: Hex, ledger: Hex): Promise<Receipt>;
  /** Hands over to a new deployment that names this one, for ever; nothing but that one goes on from here. */
  nameSuccessor(successor: Hex): Promise<Receipt>;
  setCoordinator(coordinator: Hex): Promise<Receipt>;
  registerDealer(dealer: Hex): Promise<Receipt>;
  removeDealer(dealer: Hex): Promise<Receipt>;
  registerWitness(witness: Hex): Promise<Receipt>;
  removeWitness(witness: Hex): Promise<Receipt>;
  registerKeyHolder(keyHolder: Hex): Promise<Receipt>;
  /** One that never had a key gives its index to another. */
  replaceKeyHolder(keyHolder: Hex, successor: Hex): Promise<Receipt>;
  /** The sender's own new sealing key (X-Wing, 1,216 bytes); also while paused. */
  rotateKey(publicKey: Uint8Array): Promise<Receipt>;
  /** Stops everything but anchors (withdrawals), failRound and rotateKey. */
  pause(): Promise<Receipt>;
  unpause(): Promise<Receipt>;
  parameters(): Promise<FederationParameters>;
  /** undefined: the first of its line. */
  predecessor(): Promise<Hex | undefined>;
  /** undefined: nobody has taken over. */
  successor(): Promise<Hex | undefined>;
  operator(): Promise<Hex>;
  coordinator(): Promise<Hex>;
  registry(): Promise<Hex>;
  ledger(): Promise<Hex>;
  dealers(): Promise<Hex[]>;
  witnesses(): Promise<Hex[]>;
  /** In the order of registration. */
  keyHolders(): Promise<KeyHolder[]>;
  /** What a round opened now would be sealed under. @throws ConcordatError CHAIN_REVERTED KeyMissing(index) */
  keysHash(): Promise<Hex>;
  isDealer(party: Hex): Promise<boolean>;
  isWitness(party: Hex): Promise<boolean>;
  paused(): Promise<boolean>;
}

export function createFederation(client: ChainClient, address: Hex): Federation {
  const contract = federationAt(address);
  const send = (method: string, ...args: readonly unknown[]) => client.send(contract, method, args);
  const read = async (method: string, ...args: readonly unknown[]): Promise<unknown> =>
    (await client.call(contract, method, args))[0];

  return {
    address,
    setContracts: (registry, ledger) => send('setContracts', registry, ledger),
    nameSuccessor: (successor) => send('nameSuccessor', successor),
    setCoordinator: (coordinator) => send('setCoordinator', coordinator),
    registerDealer: (dealer) => send('registerDealer', dealer),
    removeDealer: (dealer) => send('removeDealer', dealer),
    registerWitness: (witness) => send('registerWitness', witness),
    removeWitness: (witness) => send('removeWitness', witness),
    registerKeyHolder: (keyHolder) => send('registerKeyHolder', keyHolder),
    replaceKeyHolder: (keyHolder, successor) => send('replaceKeyHolder', keyHolder, successor),
    rotateKey: (publicKey) => send('rotateKey', toHex(publicKey)),
    pause: () => send('pause'),
    unpause: () => send('unpause'),
    async parameters() {
      const p = (await read('parameters')) as Readonly<Record<keyof FederationParameters, unknown>>;
      return {
        minCohort: asNumber(p.minCohort),
        keyHolderThreshold: asNumber(p.keyHolderThreshold),
        witnessQuorum: asNumber(p.witnessQuorum),
        metricMaxAgeSeconds: asNumber(p.metricMaxAgeSeconds),
        verificationKeyHash: asHex(p.verificationKeyHash),
      };
    },
    predecessor: async () => unlessZeroAddress(asHex(await read('predecessor'))),
    successor: async () => unlessZeroAddress(asHex(await read('successor'))),
    operator: async () => asHex(await read('owner')),
    coordinator: async () => asHex(await read('coordinator')),
    registry: async () => asHex(await read('registry')),
    ledger: async () => asHex(await read('ledger')),
    dealers: async () => asHexList(await read('dealers')),
    witnesses: async () => asHexList(await read('witnesses')),
    async keyHolders() {
      const holders = Array.from(
        (await read('keyHolders')) as Iterable<{ keyHolder: unknown; keyEpoch: unknown; keyHash: unknown }>,
      );
      return holders.map((holder, i) => ({
        address: asHex(holder.keyHolder),
        index: i + 1,
        keyEpoch: asNumber(holder.keyEpoch),
        keyHash: unlessZero(asHex(holder.keyHash)),
      }));
    },
    keysHash: async () => asHex(await read('keysHash')),
    isDealer: async (party) => (await read('isDealer', party)) === true,
    isWitness: async (party) => (await read('isWitness', party)) === true,
    paused: async () => (await read('paused')) === true,
  };
}
