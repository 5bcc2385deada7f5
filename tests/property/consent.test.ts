// Properties of consent: the decision against a bit-by-bit restatement, the state against a naive model, trees, JSON.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes.ts';
import { canonicalJson, encodeCanonicalJson, parseCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { evaluate } from '../../protocol/consent/evaluate.ts';
import { grantsOfRows, rowsOfGrants } from '../../protocol/consent/grants.ts';
import { hexWord, MAX_WORD, ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { LinkedTree, verifyAbsence, verifyPresence } from '../../protocol/consent/linked-tree.ts';
import { encodeOperation, operationHash, subjectOf } from '../../protocol/consent/operation.ts';
import { EVIDENCE, NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { isoOfSeconds, roundExpiryDown } from '../../protocol/consent/quarter.ts';
import { ConsentState } from '../../protocol/consent/state.ts';

/** Around a few shared values, so that comparisons fall on, under and over the edge. */
const near = (...centres: number[]) =>
  fc.tuple(fc.constantFrom(...centres), fc.integer({ min: -1, max: 1 })).map(([centre, d]) => Math.max(0, centre + d));

const grants = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 192n - 1n }), fc.constantFrom(0n, 2n ** 192n - 1n));
const evidence = fc.constantFrom(EVIDENCE.attested, EVIDENCE.passkey);
const policy = fc.record({
  grants,
  conditions: fc.record({
    expiry: near(1_000_000),
    accuracyFloorBps: near(0, 9200),
    privacyCapMilli: fc.oneof(near(0, 3000), fc.constant(NO_PRIVACY_CAP)),
    evidence,
  }),
});

describe('evaluate', () => {
  test('agrees with the law restated bit by bit', () => {
    const access = fc.record({
      minEvidence: evidence,
      nowSeconds: near(1_000_000),
      attestedAccuracyBps: fc.option(near(0, 9200), { nil: undefined }),
      epsilonAfterMilli: fc.oneof(near(0, 3000), fc.constant(NO_PRIVACY_CAP)),
    });
    // a requirement that is mostly inside the grants, else nothing but 'not-granted' would be tried
    const mask = fc.tuple(grants, fc.option(fc.integer({ min: 0, max: 191 }), { nil: undefined }));
    fc.assert(
      fc.property(policy, access, mask, (rule, { minEvidence, ...use }, [bits, extra]) => {
        const required = (rule.grants & bits) | (extra === undefined ? 0n : 1n << BigInt(extra));
        let ok = true;
        for (let bit = 0n; bit < 192n; bit++) {
          const asked = (required / 2n ** bit) % 2n === 1n;
          const given = (rule.grants / 2n ** bit) % 2n === 1n;
          if (asked && !given) ok = false;
        }
        const { expiry, accuracyFloorBps, privacyCapMilli, evidence: level } = rule.conditions;
        if (level === EVIDENCE.attested && minEvidence === EVIDENCE.passkey) ok = false;
        if (!(use.nowSeconds < expiry)) ok = false;
        if (
          accuracyFloorBps !== 0 &&
          !(use.attestedAccuracyBps !== undefined && accuracyFloorBps <= use.attestedAccuracyBps)
        )
          ok = false;
        if (!(privacyCapMilli >= use.epsilonAfterMilli)) ok = false;
        expect(evaluate(rule, { ...use, requirement: { required, minEvidence } }).allow).toBe(ok);
      }),
      { numRuns: 3000 },
    );
  });

  test('never allows more when a condition tightens', () => {
    fc.assert(
      fc.property(policy, fc.nat(20_000), (rule, floor) => {
        const access = {
          requirement: { required: 0n, minEvidence: EVIDENCE.attested },
          nowSeconds: 999_999,
          attestedAccuracyBps: 9200,
          epsilonAfterMilli: 0,
        };
        const tighter = {
          ...rule,
          conditions: { ...rule.conditions, accuracyFloorBps: rule.conditions.accuracyFloorBps + floor },
        };
        if (evaluate(tighter, access).allow) expect(evaluate(rule, access).allow).toBe(true);
      }),
    );
  });
});

describe('state', () => {
  const dealer: Hex = `0x${'00'.repeat(19)}d1`;
  const keys = Array.from(
    { length: 6 },
    (_, i): Hex =>
      `0x${String(i + 1)
        .padStart(2, '0')
        .repeat(64)}`,
  );
  const step = fc.record({
    who: fc.nat(5),
    digest: fc.bigInt({ min: 0n, max: 4n }),
    seqError: fc.constantFrom(0, 0, 0, 1, -1),
  });

  test('any run of operations: refusals change nothing, roots do not depend on when they were asked for', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.infiniteStream(fc.boolean()), (steps, askNow) => {
        const asked = ConsentState.empty(dealer);
        const silent = ConsentState.empty(dealer);
        const model = new Map<Hex, { digest: bigint; seq: number }>();
        for (const { who, digest, seqError } of steps) {
          const publicKey = keys[who] ?? ZERO_WORD;
          const subject = subjectOf(publicKey, dealer, ZERO_WORD);
          const known = model.get(subject) ?? { digest: 0n, seq: 0 };
          const operation = {
            dealer,
            subject,
            publicKey,
            nonce: ZERO_WORD,
            seq: known.seq + 1 + seqError,
            oldDigest: known.digest,
            newDigest: digest,
            recordHash: hexWord(BigInt(known.seq)),
          };
          const hash = operationHash(encodeOperation({ ...operation, seq: Math.max(1, operation.seq) }));
          const entry = { operation, operationHash: hash, assertionHash: hash };
          // whoever is in a bucket may leave under any number that is not behind
          const leaves = digest === 0n && known.digest !== 0n && operation.seq >= known.seq;
          if (seqError === 0 || leaves) {
            asked.apply(entry);
            silent.apply(entry);
            model.set(subject, { digest, seq: operation.seq });
          } else {
            const before = asked.anchor(1);
            expect(() => asked.apply(entry)).toThrow('sequence number');
            expect(asked.anchor(1)).toEqual(before);
          }
          if (askNow.next().value) asked.anchor(1);
        }
        expect(asked.anchor(1)).toEqual(silent.anchor(1));
        expect(ConsentState.fromSnapshot(asked.snapshot()).anchor(1)).toEqual(asked.anchor(1));
        const members = [...model.values()].filter(({ digest }) => digest !== 0n).length;
        expect(asked.buckets().reduce((sum, { memberCount }) => sum + memberCount, 0)).toBe(members);
      }),
      { numRuns: 60 },
    );
  });
});

test('a linked tree proves every key either present or absent, never both', () => {
  const key = fc.bigInt({ min: 1n, max: 60n }).map(hexWord);
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 20 }), key, (keys, asked) => {
      const tree = LinkedTree.of(keys.map((k) => [k, ZERO_WORD] as const));
      const present = tree.presenceProof(asked);
      const absent = tree.absenceProof(asked);
      expect(present !== undefined).toBe(keys.includes(asked));
      expect(absent !== undefined).toBe(!keys.includes(asked));
      if (present !== undefined) expect(verifyPresence(tree.root, asked, present)).toBe(true);
      if (absent !== undefined) expect(verifyAbsence(tree.root, asked, absent)).toBe(true);
      for (const proof of [tree.absenceProof(hexWord(61n)), tree.presenceProof(keys[0] ?? MAX_WORD)]) {
        if (proof !== undefined && keys.includes(asked)) expect(verifyAbsence(tree.root, asked, proof)).toBe(false);
        if (proof !== undefined && !keys.includes(asked)) expect(verifyPresence(tree.root, asked, proof)).toBe(false);
      }
    }),
    { numRuns: 150 },
  );
});

test('canonical JSON: one text per value, whatever the order of its members', () => {
  const text = fc.string({ unit: 'grapheme' });
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, text, fc.maxSafeInteger(), fc.boolean(), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    object: fc.dictionary(text, tie('value'), { maxKeys: 4 }),
  }));
  const shuffled = (input: unknown): unknown =>
    Array.isArray(input)
      ? input.map(shuffled)
      : typeof input === 'object' && input !== null
        ? Object.fromEntries(
            Object.entries(input)
              .reverse()
              .map(([k, v]) => [k, shuffled(v)]),
          )
        : input;
  fc.assert(
    fc.property(value, (input) => {
      const canonical = canonicalJson(input as never);
      expect(canonicalJson(shuffled(input) as never)).toBe(canonical);
      expect(canonicalJson(parseCanonicalJson(encodeCanonicalJson(input as never), 1e6) as never)).toBe(canonical);
      expect(JSON.parse(canonical)).toEqual(JSON.parse(JSON.stringify(input)));
    }),
  );
});

test('grant rows hold exactly the matrix', () => {
  fc.assert(
    fc.property(grants, (bits) => {
      expect(grantsOfRows(rowsOfGrants(bits))).toBe(bits);
    }),
  );
});

test('an expiry is never rounded up, and never by more than a quarter', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
      const rounded = roundExpiryDown(seconds);
      expect(rounded).toBeLessThanOrEqual(seconds);
      expect(seconds - rounded).toBeLessThan(92 * 86_400);
      expect(isoOfSeconds(rounded)).toMatch(/-(01|04|07|10)-01T00:00:00Z$/);
      expect(roundExpiryDown(rounded)).toBe(rounded);
    }),
  );
});
