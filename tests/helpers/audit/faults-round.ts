// Faults in a round: who is in the set, what was summed, how it was opened, and what was made of it.

import type { Hex } from '../../../protocol/bytes.ts';
import { sha256, toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import { canonicalJson } from '../../../protocol/learning/canonical-json.ts';
import { decodeModel, encodeModel, type Model } from '../../../protocol/learning/model.ts';
import { decodeState, encodeState } from '../../../protocol/learning/strategy-state.ts';
import type { TaskDocument } from '../../../protocol/learning/task.ts';
import { addResidues } from '../../../protocol/secagg/coefficients.ts';
import { HEADER_BYTES } from '../../../protocol/secagg/payload.ts';
import { fault, first, type PlantedFault } from './fault.ts';
import { payloadOf, residuesOf } from './payload-bytes.ts';
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

/** The aggregate of round 1 replaced by a sum over other payloads, everywhere that its hash stands. */
function resum(raw: RawEvidence, choose: (payloads: readonly Hex[]) => readonly Hex[]): void {
  const { dealers } = theEvent(raw, 'SetFinalised', ({ round }) => round === 1);
  const uploads = bodiesOf(raw).flatMap((body) => (body.type === 'upload' && body.round === 1 ? [body] : []));
  const payloads = dealers.flatMap((dealer) =>
    uploads.filter((upload) => upload.dealer === dealer).map(({ payload }) => payload),
  );
  const sum = residuesOf(blobOf(raw, first(payloads, 'upload'))).fill(0);
  for (const payload of choose(payloads)) addResidues(sum, residuesOf(blobOf(raw, payload)));
  replaceAggregate(raw, payloadOf(sum));
}

function replaceAggregate(raw: RawEvidence, bytes: Uint8Array): void {
  const aggregate = putBlob(raw, bytes);
  changeBodies(raw, 'aggregate', (body) => (body.round === 1 ? { aggregate } : {}));
  changeEvents(raw, 'Published', ({ round, aggregateHash }) => ({
    aggregateHash: round === 1 ? aggregate : aggregateHash,
  }));
}

function changeOpened(raw: RawEvidence, kind: 'keySum' | 'values', change: (view: DataView) => void): void {
  const bytes = blobOf(raw, bodyOf(raw, 'opened', 1)[kind]);
  change(new DataView(bytes.buffer));
  const hash = putBlob(raw, bytes);
  changeBodies(raw, 'opened', (body) => (body.round === 1 ? { [kind]: hash } : {}));
}

/** The model of round 1 with something moved, everywhere that its hash stands. */
function nudgeModel(raw: RawEvidence, nudge: (weights: Float32Array, model: Model) => Partial<Model>): void {
  const { model: old } = bodyOf(raw, 'model', 1);
  const model = decodeModel(blobOf(raw, old));
  const hash = putBlob(raw, encodeModel({ ...model, ...nudge(model.weights, model) }));
  const swap = (h: Hex): Hex => (h === old ? hash : h);
  changeBodies(raw, 'model', (body) => ({ baseModel: swap(body.baseModel), model: swap(body.model) }));
  changeEvents(raw, 'Published', ({ modelHash }) => ({ modelHash: swap(modelHash) }));
  changeEvents(raw, 'RoundOpened', ({ baseModelHash }) => ({ baseModelHash: swap(baseModelHash) }));
}

/** Up by one unit in the last place. */
function oneUlp(weights: Float32Array, at: number): Float32Array {
  const bits = new Int32Array(weights.buffer, weights.byteOffset);
  bits[at] = (bits[at] ?? 0) + 1;
  return weights;
}

function changeMetrics(raw: RawEvidence, metric: 'accuracyBps' | 'aucBps'): void {
  changeBodies(raw, 'model', (body) => ({ [metric]: body[metric] + 1 }));
  changeEvents(raw, 'Published', (event) => ({ [metric]: event[metric] + 1 }));
}

/** Another task in the bundle, and its hash on chain: checks of what is in the task see it. */
function changeTask(raw: RawEvidence, change: (task: TaskDocument) => Partial<TaskDocument>): void {
  const task = JSON.parse(new TextDecoder().decode(blobOf(raw, bodyOf(raw, 'genesis').task))) as TaskDocument;
  const changed = putBlob(raw, utf8ToBytes(canonicalJson({ ...task, ...change(task) })));
  changeBodies(raw, 'genesis', () => ({ task: changed }));
  changeEvents(raw, 'RoundOpened', () => ({ taskHash: changed }));
}

/** Dealers made up until the first set has so many, each with a commit of its own. */
function growSet(raw: RawEvidence, size: number): void {
  const { events } = raw.history;
  const fixed = theEvent(raw, 'SetFinalised');
  const commit = theEvent(raw, 'Committed', ({ round }) => round === fixed.round);
  const more = Math.max(0, size - fixed.dealers.length);
  const madeUp = Array.from({ length: more }, (_, i) => toHex(sha256(Uint8Array.of(i)).slice(12)));
  const at = events.indexOf(fixed);
  const commits = madeUp.map((dealer) => ({ ...commit, dealer, payloadHash: toHex(sha256(utf8ToBytes(dealer))) }));
  const grown = { ...fixed, dealers: [...fixed.dealers, ...madeUp].sort() };
  raw.history = { ...raw.history, events: [...events.slice(0, at), ...commits, grown, ...events.slice(at + 1)] };
}

const nobody = toHex(sha256(new Uint8Array()).slice(12));

export const ROUND_FAULTS: readonly PlantedFault[] = [
  fault('10', 'a set under the smallest cohort', (raw) =>
    changeEvents(raw, 'SetFinalised', ({ dealers }) => ({ dealers: dealers.slice(0, 2) })),
  ),
  fault(
    '10',
    'a cohort of two, under contracts and a task that allow it',
    (raw) => {
      const { deployment } = raw.history;
      const parameters = { ...deployment.parameters, minCohort: 2 };
      raw.history = { ...raw.history, deployment: { ...deployment, parameters } };
      changeTask(raw, ({ cohort }) => ({ cohort: { ...cohort, min: 3 } }));
      changeEvents(raw, 'SetFinalised', ({ dealers }) => ({ dealers: dealers.slice(0, 2) }));
    },
    /key-holders may answer for it/,
  ),
  fault(
    '10',
    'a packing that cannot hold the set',
    (raw) => {
      // 15 bits hold the sum of four values of 13 bits
      changeTask(raw, ({ update, cohort }) => ({
        update: { ...update, valueBits: 13, packing: '5x15' },
        cohort: { ...cohort, min: 3 },
      }));
      growSet(raw, 5);
    },
    /the packing holds its sum/,
  ),
  fault('10', 'a dealer twice in a set', (raw) => {
    changeEvents(raw, 'SetFinalised', ({ dealers }) => ({ dealers: [...dealers.slice(0, 1), ...dealers] }));
  }),
  fault('10', 'a dealer in a set who never committed', (raw) => {
    changeEvents(raw, 'SetFinalised', ({ dealers }) => ({ dealers: [...dealers.slice(1), nobody].sort() }));
  }),
  fault('10', 'two sets for one round', (raw) => {
    const { events } = raw.history;
    const fixed = theEvent(raw, 'SetFinalised');
    const i = events.indexOf(fixed);
    raw.history = {
      ...raw.history,
      events: [...events.slice(0, i + 1), { ...fixed, dealers: fixed.dealers.slice(1) }, ...events.slice(i + 1)],
    };
  }),
  fault('10', 'a publication without a set', (raw) => {
    raw.history = { ...raw.history, events: raw.history.events.filter(({ name }) => name !== 'SetFinalised') };
  }),
  fault('10', 'a round number left out', (raw) => {
    const rounds = raw.history.events.filter((event) => !('round' in event && event.round === 1));
    raw.history = { ...raw.history, events: rounds };
  }),

  fault('11', 'an upload that is not what its dealer committed to', (raw) => {
    const upload = bodyOf(raw, 'upload', 1);
    const payload = putBlob(raw, flipped(blobOf(raw, upload.payload), HEADER_BYTES));
    changeBodies(raw, 'upload', (body) => (body.payload === upload.payload ? { payload } : {}));
  }),
  fault('11', 'an upload dropped from the transcript', (raw) => {
    const { dealers } = theEvent(raw, 'SetFinalised', ({ round }) => round === 1);
    rewriteTranscript(raw, (bodies) =>
      bodies.filter((body) => !(body.type === 'upload' && body.round === 1 && body.dealer === dealers[0])),
    );
  }),
  fault('11', 'an upload in another dealer’s name', (raw) => {
    const uploads = bodiesOf(raw).flatMap((body) => (body.type === 'upload' && body.round === 1 ? [body] : []));
    const [a, b] = [first(uploads, 'upload'), first(uploads.slice(1), 'second upload')];
    const { payload, sealedShares, signature } = b;
    changeBodies(raw, 'upload', (body) =>
      body.dealer === a.dealer && body.round === 1 ? { payload, sealedShares, signature } : {},
    );
  }),
  fault('11', 'a signature that is not the dealer’s', (raw) => {
    changeBodies(raw, 'upload', ({ signature }) => ({ signature: `0x${signature.slice(4, 6)}${signature.slice(4)}` }));
  }),
  fault('11', 'a residue outside its prime', (raw) => {
    const upload = bodyOf(raw, 'upload', 1);
    const bytes = blobOf(raw, upload.payload);
    new DataView(bytes.buffer).setUint32(HEADER_BYTES, 0xffff_ffff, true);
    const payload = putBlob(raw, bytes);
    changeBodies(raw, 'upload', (body) => (body.payload === upload.payload ? { payload } : {}));
    changeEvents(raw, 'Committed', ({ payloadHash }) => ({
      payloadHash: payloadHash === upload.payload ? payload : payloadHash,
    }));
  }),
  fault('11', 'a sealed share swapped for another', (raw) => {
    changeBodies(raw, 'upload', ({ sealedShares }) => ({ sealedShares: sealedShares.toReversed() }));
  }),
  fault('11', 'a sealed share left out', (raw) => {
    changeBodies(raw, 'upload', ({ sealedShares }) => ({ sealedShares: sealedShares.slice(1) }));
  }),
  fault(
    '11',
    'one ciphertext in the sums twice',
    (raw) => {
      const { payloadHash } = theEvent(raw, 'Committed');
      changeEvents(raw, 'Committed', () => ({ payloadHash }));
    },
    /commit of 0x.*: payload is new/,
  ),
  fault(
    '11',
    'one ciphertext let in twice',
    (raw) => {
      const upload = bodyOf(raw, 'upload', 1);
      rewriteTranscript(raw, (bodies) => [...bodies, { ...upload, attempt: upload.attempt + 1 }]);
    },
    /upload of 0x.*, attempt 2: payload is new/,
  ),

  fault('12', 'a dealer dropped from the sum', (raw) => resum(raw, (payloads) => payloads.slice(1))),
  fault('12', 'a dealer swapped for another', (raw) =>
    resum(raw, (payloads) => [...payloads.slice(1), ...payloads.slice(1, 2)]),
  ),
  fault('12', 'a sum changed by one', (raw) => {
    const bytes = blobOf(raw, bodyOf(raw, 'aggregate', 1).aggregate);
    const view = new DataView(bytes.buffer);
    view.setUint32(HEADER_BYTES, view.getUint32(HEADER_BYTES, true) ^ 1, true);
    replaceAggregate(raw, bytes);
  }),
  fault('12', 'a sum that says it is over another set', (raw) => {
    changeBodies(raw, 'aggregate', ({ dealers }) => ({ dealers: dealers.slice(1) }));
  }),
  fault('12', 'another sum on chain than in the transcript', (raw) => {
    changeEvents(raw, 'Published', () => ({ aggregateHash: toHex(sha256(new Uint8Array())) }));
  }),

  fault(
    '12',
    'an altered fingerprint',
    (raw) => changeBodies(raw, 'fingerprint', ({ fingerprint }) => ({ fingerprint: flipped(fingerprint, 0) })),
    /fingerprint by 0x.*: signed by/,
  ),
  fault(
    '12',
    'a fingerprint that another dealer signed',
    (raw) => {
      const prints = bodiesOf(raw).flatMap((body) => (body.type === 'fingerprint' && body.round === 1 ? [body] : []));
      const other = first(prints.slice(1), 'second fingerprint');
      changeBodies(raw, 'fingerprint', () => ({ signature: other.signature }));
    },
    /fingerprint by 0x.*: signed by/,
  ),
  fault(
    '12',
    'a fingerprint under another aggregate',
    (raw) => changeBodies(raw, 'fingerprint', () => ({ aggregate: toHex(sha256(new Uint8Array())) })),
    /of this aggregate/,
  ),
  fault(
    '12',
    'a fingerprint of a sum that is not there',
    (raw) => {
      const print = bodyOf(raw, 'fingerprint');
      rewriteTranscript(raw, (bodies) => [...bodies, { ...print, round: 999 }]);
    },
    /round 999/,
  ),

  fault('13', 'an opened value changed by one', (raw) =>
    changeOpened(raw, 'values', (view) => view.setUint32(0, view.getUint32(0, true) + 1, true)),
  ),
  fault('13', 'a key sum changed by one', (raw) =>
    changeOpened(raw, 'keySum', (view) => view.setInt32(0, view.getInt32(0, true) + 1, true)),
  ),
  fault('13', 'an opening of another aggregate', (raw) => resum(raw, (payloads) => payloads.slice(1))),
  fault('13', 'an answer changed by one', (raw) => {
    const { answer: old, keyHolder } = bodyOf(raw, 'answer', 1);
    const answer = putBlob(raw, flipped(blobOf(raw, old), 0));
    changeBodies(raw, 'answer', (body) => (body.round === 1 && body.keyHolder === keyHolder ? { answer } : {}));
  }),
  fault(
    '13',
    'an answer for another aggregate',
    (raw) => changeBodies(raw, 'answer', () => ({ aggregate: toHex(sha256(new Uint8Array())) })),
    /for this aggregate/,
  ),
  fault('13', 'a sum of keys that no key can have', (raw) =>
    changeOpened(raw, 'keySum', (view) => view.setInt32(0, 2 ** 31 - 1, true)),
  ),
  fault('13', 'fewer answers than the threshold', (raw) => {
    rewriteTranscript(raw, (bodies) => bodies.filter(({ type }) => type !== 'answer'));
  }),
  fault('13', 'one key-holder’s answer counted for another', (raw) => {
    const { answer, signature } = bodyOf(raw, 'answer', 1);
    changeBodies(raw, 'answer', () => ({ answer, signature }));
  }),
  fault('13', 'answers given for another set', (raw) => {
    changeEvents(raw, 'SetFinalised', ({ dealers }) => ({ dealers: dealers.slice(1) }));
  }),
  fault('13', 'less noise stated than there was', (raw) => {
    changeBodies(raw, 'opened', ({ maxNoise }) => ({ maxNoise: maxNoise - 1 }));
  }),
  fault('13', 'a sum opened under another seed', (raw) => {
    changeEvents(raw, 'RoundOpened', () => ({ seed: toHex(sha256(new Uint8Array(7))) }));
  }),

  fault('14', 'a model nudged by one unit in the last place', (raw) =>
    nudgeModel(raw, (weights) => ({ weights: oneUlp(weights, weights.length - 1) })),
  ),
  fault('14', 'a model whose first weight has another sign', (raw) =>
    nudgeModel(raw, (weights) => ({ weights: weights.fill(-(weights[0] ?? 0), 0, 1) })),
  ),
  fault('14', 'a model whose momentum is not that of the sums', (raw) =>
    nudgeModel(raw, (_, { state, weights }) => {
      const { velocity } = decodeState(state && blobOf(raw, state), weights.length);
      const forged = encodeState({ velocity: velocity?.map((v) => v * 2) ?? new Float64Array() });
      return { state: putBlob(raw, forged ?? new Uint8Array()) };
    }),
  ),
  fault('14', 'another model on chain than in the transcript', (raw) => {
    changeEvents(raw, 'Published', () => ({ modelHash: toHex(sha256(new Uint8Array())) }));
  }),
  fault('14', 'a weight of a dealer counted otherwise than committed', (raw) => {
    const { dealer, round } = theEvent(raw, 'Committed');
    changeEvents(raw, 'Committed', (event) =>
      event.dealer === dealer && event.round === round ? { weight: event.weight - 1 } : {},
    );
  }),
  fault('14', 'a base model that is not the last one', (raw) => {
    const { initialModel } = bodyOf(raw, 'genesis');
    changeBodies(raw, 'model', ({ round, baseModel }) => ({ baseModel: round > 1 ? initialModel : baseModel }));
  }),
  fault('15', 'a measurement on more records than were committed to', (raw) => {
    const { dealer } = theEvent(raw, 'Committed');
    changeEvents(raw, 'Committed', (event) => (event.dealer === dealer ? { weight: event.weight - 1 } : {}));
  }),
  fault('15', 'an accuracy one basis point higher', (raw) => changeMetrics(raw, 'accuracyBps')),
  fault('15', 'an AUC one basis point higher', (raw) => changeMetrics(raw, 'aucBps')),
];
