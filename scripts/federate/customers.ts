// The customers' side of the run, SIMULATED: quotes, signed enrolments, one withdrawal, all over the edge nodes' doors.
import { createHash, randomBytes } from 'node:crypto';
import type { Submission } from '../../edge-node/consent/admission.ts';
import type { Quote } from '../../edge-node/consent/quotes.ts';
import { type SimulatedCustomers, simulateCustomers } from '../../examples/simulation/customers.ts';
import { generatePopulation, type Population } from '../../examples/simulation/population.ts';
import { request, requestJson } from '../../kit/http.ts';
import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { type Policy, packConditions } from '../../protocol/consent/policy.ts';
import type { Receipt } from '../../protocol/consent/receipt.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import type { Node } from './federation.ts';

export interface DealersCustomers {
  readonly dealer: Node;
  readonly population: Population;
  readonly simulated: SimulatedCustomers;
  /** Fetches the quote for a policy that a customer is about to choose. */
  readonly ask: (policy: Policy) => Promise<void>;
}

const RP_ID = 'localhost';
const ORIGIN = 'https://localhost';

/** Deals a rule to every customer of the dealer, asks the edge node for quotes and codes, and prepares the devices. */
export async function inviteCustomers(dealer: Node, seed: number, nowSeconds: number): Promise<DealersCustomers> {
  const invitations = await requestJson<{ customerId: string; code: string }[]>(
    `${dealer.url}/v1/consent/invitations`,
    { headers: { authorization: `Bearer ${dealer.token}` } },
  );
  const codes = new Map(invitations.map(({ customerId, code }) => [customerId, code]));
  const population = generatePopulation({ seed: String(seed), customerIds: [...codes.keys()], nowSeconds });
  const quotes = createQuoteBook(dealer);
  await Promise.all([...population.values()].map(({ policy }) => quotes.ask(policy)));
  const simulated = simulateCustomers({
    population,
    terms: {
      controller: { address: dealer.address, name: dealer.name, contact: 'https://localhost/contact' },
      notice: {
        id: 'example-notice',
        version: '1',
        sha256: toHex(sha256(utf8ToBytes('example notice'))),
        language: 'en',
      },
      storage: { location: 'edge-node', retentionDays: 365 },
      jurisdiction: 'NL',
      withdrawal: { url: 'https://localhost/consent' },
    },
    rpId: RP_ID,
    origin: ORIGIN,
    keySeed: randomBytes(32),
    nowSeconds,
    quote: quotes.quote,
    invitationOf: (customerId) => codes.get(customerId) ?? '',
  });
  return { dealer, population, simulated, ask: quotes.ask };
}

/** Asks for each distinct policy once, and remembers. */
function createQuoteBook(dealer: Node) {
  const nameOf = (policy: Policy) => `${policy.grants}/${packConditions(policy.conditions)}`;
  const asked = new Map<string, Promise<void>>();
  const quotes = new Map<string, Quote>();
  const fetchQuote = async (policy: Policy): Promise<void> => {
    const body = JSON.stringify({ grants: `0x${policy.grants.toString(16)}`, conditions: policy.conditions });
    const url = `${dealer.url}/v1/consent/quotes`;
    const quote = await requestJson<{ salt: string; digest: string }>(url, { method: 'POST', body });
    quotes.set(nameOf(policy), { salt: BigInt(quote.salt), digest: BigInt(quote.digest) });
  };
  return {
    ask: (policy: Policy): Promise<void> => {
      const pending = asked.get(nameOf(policy)) ?? fetchQuote(policy);
      asked.set(nameOf(policy), pending);
      return pending;
    },
    quote: (policy: Policy): Quote => {
      const quote = quotes.get(nameOf(policy));
      if (quote === undefined) throw new ConcordatError('NOT_FOUND', 'no quote was asked for this policy');
      return quote;
    },
  };
}

interface SubmitAnswer {
  readonly accepted: boolean;
  readonly code?: string;
  readonly detail?: string;
  readonly receipt?: Receipt;
}

/** @throws ConcordatError CONSENT_OPERATION_REFUSED when the dealer does not take one of them in */
export async function submit(dealer: Node, submissions: readonly Submission[], wait: boolean): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  for (let at = 0; at < submissions.length; at += LIMITS.maxConsentOperationsPerRequest) {
    const part = submissions.slice(at, at + LIMITS.maxConsentOperationsPerRequest);
    const body = await request(`${dealer.url}/v1/consent/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/cbor' },
      body: encodeCbor({ v: 'concordat/1/submissions', wait, submissions: part.map((s) => ({ ...s })) }),
      timeoutMs: 120_000,
    });
    for (const answer of JSON.parse(new TextDecoder().decode(body)) as SubmitAnswer[]) {
      if (answer.receipt === undefined)
        throw new ConcordatError('CONSENT_OPERATION_REFUSED', `${answer.code}: ${answer.detail}`);
      receipts.push(answer.receipt);
    }
  }
  return receipts;
}

/** Deterministic in the seed: which covered customer of the largest dealer withdraws. */
export function pickWithdrawing(covered: readonly string[], seed: number): string {
  const ranked = covered
    .map((id) => ({ id, rank: createHash('sha256').update(`withdraw/${seed}/${id}`).digest('hex') }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const first = ranked[0];
  if (first === undefined) throw new ConcordatError('NOT_FOUND', 'nobody is covered who could withdraw');
  return first.id;
}
