// What parties sign (EIP-712), as data: the domain and the structs of docs/spec/01-encodings.md.
import type { Hex } from '../bytes.ts';

export interface Domain {
  readonly chainId: number;
  /** Address of the Federation: the verifying contract of everything that is signed. */
  readonly federation: Hex;
}

/** Field order is part of the signature. */
export const TYPED_STRUCTS = {
  /** A witness: this is the dealer's consent state. */
  Anchor: [
    { name: 'dealer', type: 'address' },
    { name: 'epoch', type: 'uint64' },
    { name: 'bucketsRoot', type: 'bytes32' },
    { name: 'subjectsRoot', type: 'bytes32' },
    { name: 'logHead', type: 'bytes32' },
    { name: 'operationCount', type: 'uint64' },
  ],
  /** A dealer: the operations behind this root stand in my log as their receipts say. */
  Receipts: [
    { name: 'dealer', type: 'address' },
    { name: 'root', type: 'bytes32' },
  ],
  /** A dealer: these are my bytes. */
  Upload: [
    { name: 'dealer', type: 'address' },
    { name: 'round', type: 'uint64' },
    { name: 'attempt', type: 'uint32' },
    { name: 'payloadHash', type: 'bytes32' },
    { name: 'sharesRoot', type: 'bytes32' },
  ],
  /** A dealer: I open my part in this round, as the package with this hash has it. */
  Opening: [
    { name: 'dealer', type: 'address' },
    { name: 'round', type: 'uint64' },
    { name: 'attempt', type: 'uint32' },
    { name: 'packageHash', type: 'bytes32' },
  ],
  /** A key-holder: this is my only answer for the round. */
  Answer: [
    { name: 'keyHolder', type: 'address' },
    { name: 'round', type: 'uint64' },
    { name: 'setHash', type: 'bytes32' },
    { name: 'aggregateHash', type: 'bytes32' },
    { name: 'answerHash', type: 'bytes32' },
  ],
  /** A key-holder: this is what my shares of the uploads say to their linear tests. */
  Vouch: [
    { name: 'keyHolder', type: 'address' },
    { name: 'round', type: 'uint64' },
    { name: 'vouchesHash', type: 'bytes32' },
  ],
  /** A dealer: this is what my payload comes to under the challenge of this aggregate. */
  Fingerprint: [
    { name: 'dealer', type: 'address' },
    { name: 'round', type: 'uint64' },
    { name: 'aggregateHash', type: 'bytes32' },
    { name: 'fingerprint', type: 'bytes' },
  ],
  /** Whoever opens a link. */
  Hello: [
    { name: 'party', type: 'address' },
    { name: 'issuedAtMs', type: 'uint64' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;

export interface StructValues {
  readonly Anchor: {
    readonly dealer: Hex;
    readonly epoch: number;
    readonly bucketsRoot: Hex;
    readonly subjectsRoot: Hex;
    readonly logHead: Hex;
    readonly operationCount: number;
  };
  readonly Receipts: { readonly dealer: Hex; readonly root: Hex };
  readonly Upload: {
    readonly dealer: Hex;
    readonly round: number;
    readonly attempt: number;
    readonly payloadHash: Hex;
    readonly sharesRoot: Hex;
  };
  readonly Opening: {
    readonly dealer: Hex;
    readonly round: number;
    readonly attempt: number;
    readonly packageHash: Hex;
  };
  readonly Answer: {
    readonly keyHolder: Hex;
    readonly round: number;
    readonly setHash: Hex;
    readonly aggregateHash: Hex;
    readonly answerHash: Hex;
  };
  readonly Vouch: { readonly keyHolder: Hex; readonly round: number; readonly vouchesHash: Hex };
  readonly Fingerprint: {
    readonly dealer: Hex;
    readonly round: number;
    readonly aggregateHash: Hex;
    readonly fingerprint: Hex;
  };
  readonly Hello: { readonly party: Hex; readonly issuedAtMs: number; readonly nonce: Hex };
}

export type StructName = keyof StructValues;

/** Of every domain; what differs is chain and contract. */
export const DOMAIN_NAME = { name: 'Concordat', version: '1' } as const;
