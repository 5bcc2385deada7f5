// Faults in the files of a bundle, and in what binds them to the chain.

import { fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import { encodeCbor } from '../../../protocol/codec.ts';
import { canonicalJson } from '../../../protocol/consent/canonical-json.ts';
import { blobPathOf, blobsOf } from '../../../protocol/transcript/bundle.ts';
import { encodeEntry } from '../../../protocol/transcript/entry.ts';
import { fault, first, type PlantedFault } from './fault.ts';
import {
  blobOf,
  bodiesOf,
  bodyOf,
  changeBodies,
  changeEvents,
  flipped,
  putBlob,
  type RawEvidence,
  rewriteTranscript,
  theEvent,
} from './raw-evidence.ts';
import { trapdoorSetup } from './trapdoor-proofs.ts';

/** The first blob that any entry gives this role. */
function blobAs(raw: RawEvidence, role: string): Hex {
  const named = bodiesOf(raw).flatMap((body) => blobsOf(body).map((blob) => ({ ...blob, type: body.type })));
  return first(
    named.filter(({ what, type }) => `${type}: ${what}` === role),
    role,
  ).hash;
}

const ROLES = [
  'genesis: task',
  'genesis: data contract',
  'genesis: verification key',
  'genesis: initial model',
  'consent: operations',
  'upload: payload',
  'upload: sealed share 1',
  'vouch: vouches',
  'aggregate: aggregate',
  'answer: answer',
  'opened: key sum',
  'opened: values',
  'model: model',
];

const lastEntry = (raw: RawEvidence): string =>
  [...raw.files.keys()]
    .filter((path) => path.startsWith('entries/'))
    .sort()
    .at(-1) ?? '';

function replaceFile(raw: RawEvidence, path: string, change: (bytes: Uint8Array) => Uint8Array): void {
  raw.files.set(path, change(raw.files.get(path) ?? new Uint8Array()));
}

/** Another verification key in the bundle, and its hash on chain as well when `onChain`. */
function swapVerificationKey(raw: RawEvidence, trapdoor: ReturnType<typeof trapdoorSetup>, onChain: boolean): void {
  const verificationKey = putBlob(raw, utf8ToBytes(canonicalJson(trapdoor.verificationKey)));
  changeBodies(raw, 'genesis', () => ({ verificationKey }));
  const { deployment } = raw.history;
  const parameters = onChain
    ? { ...deployment.parameters, verificationKeyHash: verificationKey }
    : deployment.parameters;
  raw.history = { ...raw.history, deployment: { ...deployment, parameters } };
}

type CodeOf = Exclude<keyof RawEvidence['history']['deployment']['code'], 'verifierAddress'>;

/** Other code at the address of a contract, as an endpoint would tell it. */
function changeCode(raw: RawEvidence, of: CodeOf, change: (code: Uint8Array) => Uint8Array): void {
  const { deployment } = raw.history;
  const code = { ...deployment.code, [of]: toHex(change(fromHex(deployment.code[of]))) };
  raw.history = { ...raw.history, deployment: { ...deployment, code } };
}

/** Everywhere. */
function replaced(code: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  const [text, was, is] = [code, from, to].map((bytes) => toHex(bytes).slice(2));
  return fromHex(`0x${(text ?? '').replaceAll(was ?? '', is ?? '')}`);
}

export const BUNDLE_FAULTS: readonly PlantedFault[] = [
  ...ROLES.map((role) =>
    fault('01', `a flipped bit in ${role}`, (raw) => {
      replaceFile(raw, blobPathOf(blobAs(raw, role)), flipped);
    }),
  ),
  fault('01', 'an entry in another encoding of the same value', (raw) => {
    // a one-entry map whose length is written in two bytes where one does
    replaceFile(raw, lastEntry(raw), (bytes) => Uint8Array.of(0xb8, (bytes[0] ?? 0) & 0x1f, ...bytes.slice(1)));
  }),
  fault('01', 'a file of another name among the blobs', (raw) => {
    raw.files.set('blobs/readme', new Uint8Array(1));
  }),
  fault('02', 'a flipped bit in an entry', (raw) => {
    replaceFile(raw, 'entries/000001.cbor', flipped);
  }),
  fault('02', 'a flipped bit in the last entry', (raw) => {
    replaceFile(raw, lastEntry(raw), flipped);
  }),
  fault('02', 'a missing blob', (raw) => {
    raw.files.delete(blobPathOf(blobAs(raw, 'upload: sealed share 1')));
  }),
  fault('02', 'the last entry cut off', (raw) => {
    raw.files.delete(lastEntry(raw));
  }),
  fault('02', 'a rewritten entry, with all entries after it hashed anew', (raw) => {
    const events = raw.history.events;
    changeBodies(raw, 'opened', ({ maxNoise }) => ({ maxNoise: maxNoise + 1 }));
    raw.history = { ...raw.history, events };
  }),
  fault('02', 'an entry whose seq jumps', (raw) => {
    const [path, bytes] = first(
      [...raw.files].filter(([name]) => name === 'entries/000000.cbor'),
      'genesis entry',
    );
    const genesis = bodyOf(raw, 'genesis');
    if (bytes.length > 0) raw.files.set(path, encodeEntry(7, `0x${'00'.repeat(32)}`, genesis).bytes);
  }),
  fault('02', 'a missing round', (raw) => {
    rewriteTranscript(raw, (bodies) => bodies.filter((body) => !('round' in body && body.round === 1)));
  }),
  fault('02', 'two models of one round', (raw) => {
    const model = bodyOf(raw, 'model', 1);
    rewriteTranscript(raw, (bodies) => [...bodies, model]);
  }),
  fault('02', 'a model that no round published', (raw) => {
    const model = bodyOf(raw, 'model', 1);
    rewriteTranscript(raw, (bodies) => [...bodies, { ...model, round: 999 }]);
  }),
  fault('02', 'a published head before the model it is about', (raw) => {
    const genesis = raw.files.get('entries/000000.cbor') ?? new Uint8Array();
    changeEvents(raw, 'Published', () => ({ transcriptHead: toHex(sha256(genesis)) }));
  }),
  fault('03', 'a verification key that no phase-2 contribution went into', (raw) => {
    swapVerificationKey(raw, trapdoorSetup(23, { gamma: 7n, delta: 7n }), true);
  }),
  fault('03', 'a verification key with the generator as delta', (raw) => {
    swapVerificationKey(raw, trapdoorSetup(23, { gamma: 7n, delta: 1n }), true);
  }),
  fault('03', 'a sound verification key that is not the one on chain', (raw) => {
    swapVerificationKey(raw, trapdoorSetup(23, { gamma: 7n, delta: 29n }), false);
  }),
  fault('03', 'a verification key of another circuit', (raw) => {
    swapVerificationKey(raw, trapdoorSetup(22), true);
  }),
  fault(
    '03',
    'contracts that allow a cohort of two',
    (raw) => {
      const { deployment } = raw.history;
      const parameters = { ...deployment.parameters, minCohort: 2 };
      raw.history = { ...raw.history, deployment: { ...deployment, parameters } };
    },
    /smallest cohort/,
  ),
  fault(
    '03',
    'a registry with one other instruction',
    (raw) => changeCode(raw, 'registry', (code) => flipped(code, 100)),
    /registry: code on chain/,
  ),
  fault(
    '03',
    'a ledger that was built for another registry',
    (raw) => {
      const { registry, federation } = raw.history.deployment;
      changeCode(raw, 'ledger', (code) => replaced(code, fromHex(registry), fromHex(federation)));
    },
    /ledger: immutable registry/,
  ),
  fault(
    '03',
    'contracts that were built with another threshold than they answer',
    (raw) => {
      const { deployment } = raw.history;
      const parameters = { ...deployment.parameters, keyHolderThreshold: 3 };
      raw.history = { ...raw.history, deployment: { ...deployment, parameters } };
    },
    /federation: immutable _keyHolderThreshold/,
  ),
  fault(
    '03',
    'a verifier of another key',
    (raw) => changeCode(raw, 'verifier', (code) => flipped(code)),
    /verifier: code on chain/,
  ),
  fault(
    '03',
    'a registry that asks another verifier',
    (raw) => {
      const { deployment } = raw.history;
      const code = { ...deployment.code, verifierAddress: deployment.ledger };
      raw.history = { ...raw.history, deployment: { ...deployment, code } };
    },
    /registry: immutable verifier/,
  ),
  fault(
    '03',
    'an address without code in place of the federation',
    (raw) => changeCode(raw, 'federation', () => new Uint8Array()),
    /federation: code on chain/,
  ),
  fault('03', 'a bundle of another chain', (raw) => {
    const { deployment } = raw.history;
    raw.history = { ...raw.history, deployment: { ...deployment, chainId: deployment.chainId + 1 } };
  }),
  fault('03', 'a ledger that belongs to another federation', (raw) => {
    const { deployment } = raw.history;
    raw.history = { ...raw.history, deployment: { ...deployment, ledgerFederation: deployment.registry } };
  }),
  fault('03', 'an event that another contract emitted', (raw) => {
    changeEvents(raw, 'Published', ({ at }) => ({ at: { ...at, contract: at.sender } }));
  }),
  fault('07', 'proofs under a key that is not the one they were made for', (raw) => {
    swapVerificationKey(raw, trapdoorSetup(23, { gamma: 7n, delta: 31n }), true);
  }),
  fault('16', 'another task in the bundle than on chain', (raw) => {
    const text = new TextDecoder().decode(blobOf(raw, bodyOf(raw, 'genesis').task));
    const task = putBlob(raw, utf8ToBytes(text.replace(/"title":"[^"]*"/, '"title":"Another"')));
    changeBodies(raw, 'genesis', () => ({ task }));
  }),
  fault('16', 'a task text with a space in it', (raw) => {
    const text = new TextDecoder().decode(blobOf(raw, bodyOf(raw, 'genesis').task));
    const task = putBlob(raw, utf8ToBytes(`${text} `));
    changeBodies(raw, 'genesis', () => ({ task }));
  }),
  fault('16', 'a first model that the task does not define', (raw) => {
    const { model } = bodyOf(raw, 'model', 1);
    changeBodies(raw, 'genesis', () => ({ initialModel: model }));
  }),
  fault('16', 'a round of another task', (raw) => {
    changeEvents(raw, 'RoundOpened', () => ({ taskHash: toHex(sha256(encodeCbor('another task'))) }));
  }),
  fault('16', 'a round that asks for less than its task needs', (raw) => {
    const opened = theEvent(raw, 'RoundOpened');
    const call = opened.call && { ...opened.call, required1: 0n, required0: opened.call.required0 & 0xffffn };
    changeEvents(raw, 'RoundOpened', () => ({ call, requirementKey: toHex(sha256(encodeCbor('less'))) }));
  }),
  fault('16', 'a seed that somebody chose', (raw) => {
    changeEvents(raw, 'RoundOpened', () => ({ seed: toHex(sha256(encodeCbor('chosen'))) }));
  }),
  fault('17', 'a round that claims privacy which its task does not make', (raw) => {
    changeEvents(raw, 'RoundOpened', () => ({ epsilonAfterMilli: 0 }));
  }),
  fault('16', 'a round from a base that is not the last model', (raw) => {
    const { initialModel } = bodyOf(raw, 'genesis');
    changeEvents(raw, 'RoundOpened', ({ round, baseModelHash }) => ({
      baseModelHash: round > 1 ? initialModel : baseModelHash,
    }));
  }),
];
