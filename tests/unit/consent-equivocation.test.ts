// Evidence of equivocation: what contradicts what, one file for one pair, and nothing less than both signatures.
import { describe, expect, test } from 'vitest';
import { recoverTypedStruct, signTypedStruct } from '../../engines/chain/typed-data.ts';
import { type Hex, utf8ToBytes } from '../../protocol/bytes.ts';
import { type Anchor, anchoredRoot } from '../../protocol/consent/anchor.ts';
import {
  contradictionOf,
  decodeEquivocation,
  type Equivocation,
  encodeEquivocation,
  equivocationOf,
  findEquivocations,
  MAX_EVIDENCE_BYTES,
  type RecoverAnchor,
  type Statement,
  verifyEquivocation,
} from '../../protocol/consent/equivocation.ts';
import { hexWord } from '../../protocol/consent/hex-schema.ts';
import { faultOf } from './consent-world.ts';
import { DOMAIN, partyOf } from './coordinator-world.ts';

const dealer = partyOf('dealer');
const witness = partyOf('witness');
const anchorOf = (epoch: number, operationCount: number, log = 1n, trees = log): Anchor => ({
  dealer: dealer.address,
  epoch,
  bucketsRoot: hexWord(trees),
  subjectsRoot: hexWord(trees),
  logHead: hexWord(log),
  operationCount,
});

type Party = typeof dealer;
const signed = (by: Party, anchor: Anchor, domain = DOMAIN): Statement => ({
  signer: by.address,
  anchor,
  signature: signTypedStruct(by.privateKey, domain, 'Anchor', anchor),
});
const bare = ({ anchor, signature }: Statement) => ({ anchor, signature });
const evidenceOf = (by: Party, a: Anchor, b: Anchor, domain = DOMAIN): Equivocation =>
  equivocationOf(domain, by.address, bare(signed(by, a, domain)), bare(signed(by, b, domain)));
const recover: RecoverAnchor = (domain, anchor, signature) => recoverTypedStruct(domain, 'Anchor', anchor, signature);

const [ONE, TWO] = [anchorOf(3, 10, 1n), anchorOf(3, 10, 2n)];

describe('what contradicts what', () => {
  test.each([
    ['same-epoch', anchorOf(3, 10, 1n), anchorOf(3, 10, 2n)],
    ['same-epoch', anchorOf(3, 10), anchorOf(3, 11)],
    ['log-shrank', anchorOf(3, 10), anchorOf(4, 9, 2n)],
    ['log-forked', anchorOf(3, 10, 1n), anchorOf(9, 10, 2n)],
    ['roots-differ', anchorOf(3, 10, 1n, 1n), anchorOf(4, 10, 1n, 2n)],
    [undefined, anchorOf(3, 10), anchorOf(3, 10)],
    [undefined, anchorOf(3, 10), anchorOf(4, 10)],
    [undefined, anchorOf(3, 10, 1n), anchorOf(4, 11, 2n)],
    [undefined, ONE, { ...TWO, dealer: witness.address }],
  ])('%s', (expected, a, b) => {
    expect(contradictionOf(a, b)).toBe(expected);
    expect(contradictionOf(b, a)).toBe(expected);
  });
});

describe('the file', () => {
  test.each([
    ['dealer', dealer],
    ['witness', witness],
  ] as const)('against a %s: reads back, and verifies by itself', (role, party) => {
    const bytes = encodeEquivocation(evidenceOf(party, ONE, TWO));
    expect(bytes.length).toBeLessThan(MAX_EVIDENCE_BYTES);
    expect(verifyEquivocation(decodeEquivocation(bytes), recover)).toEqual({
      signer: party.address,
      role,
      dealer: dealer.address,
      contradiction: 'same-epoch',
    });
  });

  test('two statements make one file, in whatever order they were found', () => {
    expect(evidenceOf(witness, TWO, ONE)).toEqual(evidenceOf(witness, ONE, TWO));
  });

  test('any other text for it is refused', async () => {
    const text = new TextDecoder().decode(encodeEquivocation(evidenceOf(dealer, ONE, TWO)));
    const texts = [
      '',
      '{}',
      'null',
      `${text}\n`,
      ` ${text}`,
      text.replace('"v":', '"v" :'),
      text.replace('{"chainId"', '{"note":"x","chainId"'),
      text.replace(dealer.address, dealer.address.toUpperCase().replace('0X', '0x')),
      text.replace('equivocation', 'equivocations'),
      text.replace('"epoch":3', '"epoch":0'),
    ];
    for (const changed of texts) {
      expect(changed).not.toBe(text);
      expect(await faultOf(() => decodeEquivocation(utf8ToBytes(changed)))).toBe('MESSAGE_MALFORMED');
    }
    const long = utf8ToBytes(text.padEnd(MAX_EVIDENCE_BYTES + 1));
    expect(await faultOf(() => decodeEquivocation(long))).toBe('MESSAGE_TOO_LARGE');
  });
});

describe('nobody is accused of what it did not sign', () => {
  const honest = evidenceOf(witness, ONE, TWO);
  const [first, second] = honest.statements;
  const cases: readonly (readonly [string, Equivocation, string])[] = [
    ['two statements that agree', evidenceOf(witness, anchorOf(3, 10), anchorOf(4, 11)), 'MESSAGE_MALFORMED'],
    ['one statement twice', { ...honest, statements: [first, first] }, 'MESSAGE_MALFORMED'],
    ['the statements the other way round', { ...honest, statements: [second, first] }, 'MESSAGE_MALFORMED'],
    ['another signer named', { ...honest, signer: dealer.address }, 'SIGNATURE_INVALID'],
    [
      'one of them by somebody else',
      equivocationOf(DOMAIN, witness.address, bare(signed(witness, ONE)), bare(signed(dealer, TWO))),
      'SIGNATURE_INVALID',
    ],
    [
      'one signature for both',
      { ...honest, statements: [first, { ...second, signature: first.signature }] },
      'SIGNATURE_INVALID',
    ],
    [
      'signed for another chain',
      { ...honest, domain: { ...DOMAIN, chainId: DOMAIN.chainId + 1 } },
      'SIGNATURE_INVALID',
    ],
    [
      'signed for another federation',
      { ...honest, domain: { ...DOMAIN, federation: dealer.address } },
      'SIGNATURE_INVALID',
    ],
    ['two dealers', evidenceOf(witness, ONE, { ...TWO, dealer: witness.address }), 'MESSAGE_MALFORMED'],
    ['a bent anchor', { ...honest, statements: [first, { ...second, anchor: anchorOf(3, 10, 3n) }] }, 'any'],
  ];
  test.each(cases)('%s', async (_, evidence, fault) => {
    const found = await faultOf(() => verifyEquivocation(evidence, recover));
    if (fault === 'any') expect(['MESSAGE_MALFORMED', 'SIGNATURE_INVALID']).toContain(found);
    else expect(found).toBe(fault);
  });
});

describe('finding', () => {
  const history = [1, 2, 3, 4].map((epoch) => anchorOf(epoch, 10 * epoch, BigInt(epoch)));

  test('many copies of one history are no contradiction', () => {
    const copies = [dealer, witness].flatMap((by) => [...history, ...history].map((anchor) => signed(by, anchor)));
    expect(findEquivocations(DOMAIN, copies.reverse())).toEqual([]);
  });

  test('each signer that contradicts itself is found once, however many showed it, and the honest one is not', () => {
    const fork = anchorOf(3, 30, 99n);
    const other = partyOf('other witness');
    const shown = [
      ...[...history, fork, fork].flatMap((anchor) => [signed(dealer, anchor), signed(witness, anchor)]),
      ...history.map((anchor) => signed(other, anchor)),
    ];
    const found = findEquivocations(DOMAIN, [...shown, ...shown]);
    expect(found.map(({ signer }) => signer).sort()).toEqual([dealer.address, witness.address].sort());
    for (const evidence of found) {
      expect(verifyEquivocation(evidence, recover).contradiction).toBe('same-epoch');
      const roots = evidence.statements.map(({ anchor }) => anchoredRoot(anchor));
      expect(roots.sort()).toEqual([fork, history[2]].flatMap((a): Hex[] => (a ? [anchoredRoot(a)] : [])).sort());
    }
  });

  test('two signers that differ are no evidence against either', () => {
    expect(findEquivocations(DOMAIN, [signed(dealer, ONE), signed(witness, TWO)])).toEqual([]);
  });

  test('a log that shrinks far from where it forked', () => {
    const [found, ...more] = findEquivocations(
      DOMAIN,
      [...history, anchorOf(7, 5, 7n)].map((a) => signed(witness, a)),
    );
    expect(more).toEqual([]);
    expect(found && verifyEquivocation(found, recover).contradiction).toBe('log-shrank');
  });
});
