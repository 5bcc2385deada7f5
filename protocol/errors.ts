// The one error table: code -> HTTP status, what it means, what to do. docs/errors.md is generated from it.

interface ErrorRow {
  readonly status: number;
  readonly meaning: string;
  readonly remedy: string;
}

/** Every code the system can fail with. Messages are built from `meaning`, the typed fields and `remedy`. */
export const ERRORS = {
  // -- input from people: files and options
  FILE_MISSING: { status: 404, meaning: 'a file that was named does not exist', remedy: 'check the path' },
  FILE_UNREADABLE: { status: 400, meaning: 'a file could not be parsed', remedy: 'mend the place named in the detail' },
  CONTRACT_INVALID: {
    status: 400,
    meaning: 'the data contract breaks its schema',
    remedy: 'mend the path named in the detail',
  },
  TASK_INVALID: { status: 400, meaning: 'the task breaks its schema', remedy: 'mend the path named in the detail' },
  DATA_BREAKS_CONTRACT: {
    status: 422,
    meaning: 'a record breaks the data contract',
    remedy: 'mend the row and field named, or the contract',
  },
  RECORDS_UNREADABLE: {
    status: 503,
    meaning: 'the dealer\u2019s records cannot be read from where they are kept',
    remedy: 'mend what the detail names; see docs/data-sources.md',
  },
  // -- messages at a door
  MESSAGE_MALFORMED: { status: 400, meaning: 'a message breaks its schema', remedy: 'send what docs/spec defines' },
  MESSAGE_TOO_LARGE: { status: 413, meaning: 'a message is over its size limit', remedy: 'see docs/limits.md' },
  SIGNATURE_INVALID: {
    status: 401,
    meaning: 'a signature does not verify under the registered key',
    remedy: 'sign with the key that is registered on chain',
  },
  NOT_A_MEMBER: {
    status: 403,
    meaning: 'the sender is not registered in the federation for this role',
    remedy: 'ask the federation operator to register the address',
  },
  NOT_FOUND: { status: 404, meaning: 'there is nothing under this name', remedy: 'check the identifier' },
  CONFLICT: {
    status: 409,
    meaning: 'something else is already stored under this name',
    remedy: 'fetch what is stored and compare',
  },
  // -- consent
  CONSENT_OPERATION_REFUSED: {
    status: 422,
    meaning: 'a consent operation was refused',
    remedy: 'fetch the current record, then sign the next sequence number on top of it',
  },
  PASSKEY_REFUSED: {
    status: 401,
    meaning: 'a passkey assertion breaks a rule of WebAuthn or does not verify',
    remedy: 'sign again on the dealer\u2019s own page with the same passkey, and confirm with face, finger or PIN',
  },
  INVITATION_INVALID: {
    status: 403,
    meaning: 'an invitation code does not belong to this customer',
    remedy: 'scan the code of the letter again, or ask the dealer for a new one',
  },
  ANCHOR_EQUIVOCATION: {
    status: 409,
    meaning: 'the witness has signed another anchor for this dealer and epoch',
    remedy: 'propose the identical anchor again (same operation count), then the next epoch',
  },
  LOG_GAP: {
    status: 409,
    meaning: 'a batch of log entries starts after the last entry that is known',
    remedy: 'send the entries from the index named in the detail',
  },
  QUORUM_MISSING: {
    status: 503,
    meaning: 'fewer witnesses co-signed an anchor than the federation asks for',
    remedy: 'start more witnesses, or read in the fields why they refuse; the identical anchor is proposed again',
  },
  ANCHOR_MISMATCH: {
    status: 409,
    meaning: 'the recomputed consent root differs from the proposed one',
    remedy: 'replay the log from the last anchored epoch',
  },
  // -- privacy
  PRIVACY_BUDGET_SPENT: {
    status: 409,
    meaning: 'one more round would pass the task\u2019s privacy budget',
    remedy: 'the model stays as it is; more rounds need a new task with more noise or a larger budget',
  },
  PRIVACY_UNDERSTATED: {
    status: 409,
    meaning: 'a round states less privacy loss than its task costs',
    remedy: 'do not take part; audit the coordinator (check 17)',
  },
  // -- secure aggregation
  PAYLOAD_MALFORMED: {
    status: 400,
    meaning: 'an encrypted payload has the wrong size or holds a residue outside its prime',
    remedy: 'seal again with the parameters of the task',
  },
  KEY_REUSED: {
    status: 500,
    meaning: 'a one-time key would have been used twice',
    remedy: 'start a new attempt; never re-seal under an old one',
  },
  KEY_WEAK: {
    status: 400,
    meaning: 'a public key has a low-order point in it or is not a key at all',
    remedy: 'the key-holder must rotate to a fresh X-Wing key',
  },
  VALUE_OUT_OF_RANGE: {
    status: 400,
    meaning: 'a value does not fit its slot',
    remedy: 'clip before packing; check the packing profile',
  },
  SHARES_INSUFFICIENT: {
    status: 503,
    meaning: 'fewer key-holders answered than the threshold',
    remedy: 'start more key-holders; the round goes on by itself',
  },
  SHARES_INCONSISTENT: {
    status: 502,
    meaning: 'the answers of the key-holders do not lie on one polynomial',
    remedy: 'look at the key-holders named in the detail',
  },
  OPENING_NOISY: {
    status: 502,
    meaning: 'what is left after opening does not look like the noise of honest encryptions',
    remedy: 'the sum is not used; audit the round',
  },
  SET_REFUSED: {
    status: 403,
    meaning: 'a key-holder does not answer for this set',
    remedy: 'read the reason in the detail; the set must be the one finalised on chain',
  },
  PAYLOAD_NEEDED: {
    status: 428,
    meaning: 'a key-holder has yet to see the bytes it must check before it answers',
    remedy:
      'PUT each payload named in the fields to /v1/rounds/<round>/payloads/<hash>?aggregate=<hash>, then ask again',
  },
  AGGREGATE_MISMATCH: {
    status: 409,
    meaning: 'the sum to be opened is not the sum of the payloads that the set committed to',
    remedy: 'add the payloads again; send those of dealers whose signed fingerprints are wrong as bytes',
  },
  SHARE_UNREADABLE: {
    status: 422,
    meaning: 'a sealed share does not open under its bound context',
    remedy: 'the dealer must start a new attempt',
  },
  RING_ENGINE_UNAVAILABLE: {
    status: 500,
    meaning: 'the fast ring engine does not run in this process',
    remedy: 'run Node 20.19 or later on a processor with SIMD (x86-64 with SSE 4.1, or ARM64)',
  },
  // -- proofs and artefacts
  ARTIFACT_CORRUPT: {
    status: 500,
    meaning: 'a cached artefact does not have the hash its manifest states',
    remedy: 'it is rebuilt (if this comes back, remove the cache folder); one from a ceremony must be fetched again',
  },
  VERIFICATION_KEY_UNSAFE: {
    status: 500,
    meaning: 'a verification key would accept forged proofs (delta equals gamma or the generator)',
    remedy: 'run a setup with a contribution',
  },
  PTAU_UNUSABLE: {
    status: 422,
    meaning: 'a powers-of-tau file does not verify, is not prepared for phase 2 or is too small for the circuit',
    remedy: 'fetch the file again, or bring a larger one; see docs/runbook-ceremony.md',
  },
  CEREMONY_INVALID: {
    status: 422,
    meaning: 'a step of a ceremony does not hold',
    remedy: 'do not go on with this folder; get it again from whoever made the step before the one named',
  },
  PROOF_INVALID: { status: 422, meaning: 'a zero-knowledge proof does not verify', remedy: 'prove again' },
  PROOF_UNSATISFIABLE: {
    status: 422,
    meaning: 'the statement is not true of these policies, so no proof exists',
    remedy: 'leave out the policies that do not cover the requirement',
  },
  // -- chain
  CHAIN_UNREACHABLE: {
    status: 503,
    meaning: 'the chain endpoint does not answer',
    remedy: 'check --rpc, and that the chain is up',
  },
  CHAIN_REVERTED: { status: 409, meaning: 'a contract refused a transaction', remedy: 'see the reason in the detail' },
  CHAIN_ACCEPTED: {
    status: 500,
    meaning: 'a contract took a transaction that it had to refuse',
    remedy: 'stop, and audit the rounds since the contracts were deployed',
  },
  CHAIN_WRONG: {
    status: 409,
    meaning: 'the chain or the contract is not the one expected',
    remedy: 'check --rpc and --federation',
  },
  // -- learning
  MODEL_MISMATCH: {
    status: 409,
    meaning: 'a model does not have the layout or hash that was agreed',
    remedy: 'fetch the model named on chain',
  },
  MODEL_UNPROVEN: {
    status: 409,
    meaning: 'a published model, or the accuracy attested with it, is not what came of its round\u2019s sum',
    remedy: 'do not train from it; keep the transcript, and audit the coordinator (checks 12 to 15)',
  },
  TASK_REFUSED: {
    status: 403,
    meaning: 'this edge node does not allow the task',
    remedy: 'compare the task with the edge node\u2019s policy',
  },
  TASK_STOPPED: {
    status: 409,
    meaning: 'the task was stopped',
    remedy: 'submit it again to go on from its last model',
  },
  TRAINING_DIVERGED: {
    status: 500,
    meaning: 'training produced a value that is not a finite number',
    remedy: 'lower the learning rate of the task',
  },
  TENSOR_BACKEND_WRONG: {
    status: 500,
    meaning: 'the tensor engine does not run on the one backend whose bits are agreed',
    remedy: 'run Node 20.19 or later with WebAssembly SIMD, and reinstall the packages',
  },
  TENSOR_BACKEND_MISSING: {
    status: 503,
    meaning: 'a task asks for a tensor backend that is not installed here',
    remedy: 'npm install @tensorflow/tfjs-node beside Concordat, or leave the task to others; wasm is always there',
  },
  MODEL_UNTRAINABLE: {
    status: 422,
    meaning: 'a model cannot be trained here, or is not the one that its task describes',
    remedy: 'see the reason in the detail; docs/models.md lists the layers that train',
  },
  EXPORT_UNSUPPORTED: {
    status: 422,
    meaning: 'a model cannot be written in this format',
    remedy: 'take tfjs or safetensors, which hold every model; docs/model-export.md lists what onnx holds',
  },
  SPLIT_IMPOSSIBLE: {
    status: 422,
    meaning: 'the records cannot be dealt out so that every dealer has enough',
    remedy: 'use fewer dealers, or lower the minimum',
  },
  COHORT_TOO_SMALL: {
    status: 409,
    meaning: 'fewer dealers took part than the minimum cohort',
    remedy: 'the model is unchanged; the next round tries again',
  },
  REPLAY_IMPOSSIBLE: {
    status: 409,
    meaning: 'a round cannot be replayed',
    remedy: 'see the reason in the detail; seeds are kept for --replay-days',
  },
  // -- running processes
  PROCESS_FAILED: { status: 500, meaning: 'a process of the federation ended early', remedy: 'read its log' },
  TIMED_OUT: {
    status: 504,
    meaning: 'something took longer than its deadline',
    remedy: 'see what is named in the detail',
  },
  STATE_CORRUPT: {
    status: 500,
    meaning: 'stored state contradicts itself or the chain',
    remedy: 'keep the folder for inspection and restore from the transcript',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** Fields that place the fault: what, where, expected, got. Never a secret, never a customer's data. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The only error class thrown on purpose. `detail` is for people, `fields` for programs. */
export class ConcordatError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, detail: string, fields: ErrorFields = {}, options?: { cause?: unknown }) {
    super(`${code}: ${detail} (${ERRORS[code].meaning}; ${ERRORS[code].remedy})`, options);
    this.name = 'ConcordatError';
    this.code = code;
    this.detail = detail;
    this.fields = fields;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}
