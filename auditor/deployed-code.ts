// The code on chain against what this repository's sources compile to, and its immutables against what they must be.
import { concatBytes, fromHex, type Hex, keccak256, toHex, uintToBytes, utf8ToBytes } from '../protocol/bytes.ts';
import { DOMAIN_NAME } from '../protocol/messages/typed-data.ts';
import { domainSeparator } from './chain/signer.ts';
import { createTally, type Tally } from './checks/check.ts';
import type { CompiledContracts, RuntimeCode } from './compiled-contracts.ts';
import { eventsOf, type History } from './history.ts';

/** Name -> the word of 32 bytes; undefined where nobody can tell. */
export type Words = Readonly<Record<string, Uint8Array | undefined>>;

/** What the immutables of each contract must be. */
export function immutablesOf({ deployment, events, predecessor }: History): Readonly<Record<Contract, Words>> {
  const { code, federation, registry } = deployment;
  const named = eventsOf(events, 'PredecessorNamed')[0]?.predecessor;
  /** None without a predecessor, unknown when it could not be read. */
  const before = (contract: 'registry' | 'ledger'): Uint8Array | undefined => {
    if (named === undefined) return new Uint8Array(32);
    return predecessor && addressWord(predecessor.deployment[contract]);
  };
  const self = addressWord(federation);
  return {
    federation: {
      ...federationWords(deployment),
      predecessor: named === undefined ? new Uint8Array(32) : addressWord(named),
    },
    registry: { federation: self, verifier: addressWord(code.verifierAddress), predecessor: before('registry') },
    ledger: { federation: self, registry: addressWord(registry), predecessor: before('ledger') },
    verifier: {},
  };
}

const CONTRACTS = ['federation', 'registry', 'ledger', 'verifier'] as const;
type Contract = (typeof CONTRACTS)[number];

/** @param compiled of this repository, with the verification key of the bundle */
export function checkDeployedCode(history: History, compiled: CompiledContracts, tally: Tally): void {
  const words = immutablesOf(history);
  for (const contract of CONTRACTS) {
    const expected = compiled[contract];
    if (expected !== undefined) compare(contract, history.deployment.code[contract], expected, words[contract], tally);
  }
}

/** Names the code of a deployment, immutables and all: keccak256 over the four contracts' code hashes (EIP-1052). */
export function codeHashOf({ code }: History['deployment']): Hex {
  const parts = CONTRACTS.map((contract) => keccak256(fromHex(code[contract])));
  return toHex(keccak256(concatBytes(...parts)));
}

/** Whether it is this program's, of the same verification key, to the last byte. */
export function isOfThisVersion(history: History, compiled: CompiledContracts): boolean {
  const tally = createTally();
  checkDeployedCode(history, compiled, tally);
  const { checked, failed, inconclusive } = tally.result();
  return compiled.verifier !== undefined && checked > 0 && failed + inconclusive === 0;
}

function federationWords({ chainId, federation, parameters }: History['deployment']): Words {
  const { minCohort, keyHolderThreshold, witnessQuorum, metricMaxAgeSeconds, verificationKeyHash } = parameters;
  return {
    _minCohort: uintToBytes(minCohort, 32),
    _keyHolderThreshold: uintToBytes(keyHolderThreshold, 32),
    _witnessQuorum: uintToBytes(witnessQuorum, 32),
    _metricMaxAgeSeconds: uintToBytes(metricMaxAgeSeconds, 32),
    _verificationKeyHash: fromHex(verificationKeyHash),
    // the domain that parties sign under, as OpenZeppelin's EIP712 keeps it
    _cachedDomainSeparator: domainSeparator({ chainId, federation }),
    _cachedChainId: uintToBytes(chainId, 32),
    _cachedThis: addressWord(federation),
    _hashedName: keccak256(utf8ToBytes(DOMAIN_NAME.name)),
    _hashedVersion: keccak256(utf8ToBytes(DOMAIN_NAME.version)),
    _name: shortString(DOMAIN_NAME.name),
    _version: shortString(DOMAIN_NAME.version),
  };
}

const addressWord = (address: Hex): Uint8Array => concatBytes(new Uint8Array(12), fromHex(address));

/** OpenZeppelin's ShortString: the text from the left, its length in the last byte. */
function shortString(text: string): Uint8Array {
  const word = new Uint8Array(32);
  word.set(utf8ToBytes(text));
  word[31] = text.length;
  return word;
}

function compare(name: string, deployed: Hex, { code, immutables }: RuntimeCode, words: Words, tally: Tally): void {
  const found = fromHex(deployed);
  const masked = new Uint8Array(found);
  for (const { name: field, at } of immutables) {
    const what = `${name}: immutable ${field}`;
    const expected = words[field];
    if (expected === undefined) {
      if (field in words) tally.unsure(what, 'the predecessor cannot be read');
      else tally.fails(what, 'nobody here knows what it should be');
    }
    for (const { start, length } of at) {
      const part = found.subarray(start, start + length);
      if (expected !== undefined) tally.same(what, toHex(part), toHex(expected.subarray(32 - length)));
      masked.fill(0, start, start + length);
    }
  }
  tally.same(
    `${name}: code on chain, against the one compiled here (keccak256)`,
    hashOf(masked),
    hashOf(fromHex(code)),
  );
}

const hashOf = (code: Uint8Array): Hex => toHex(keccak256(code));
