// Headers, transactions and receipts as chains hash them: published vectors, and what no vector covers.
import { describe, expect, test } from 'vitest';
import { headerHash, headerSchema, mayHoldLogsOf, unknownField } from '../../auditor/chain/header.ts';
import { type Findings, proveHeader } from '../../auditor/chain/proven-block.ts';
import { encodeReceipt, receiptsRoot, receiptsSchema } from '../../auditor/chain/receipts.ts';
import { decodeRlp, encodeRlp, type Rlp, uintBytes } from '../../auditor/chain/rlp.ts';
import { encodeTransaction, senderOf, transactionsRoot, transactionsSchema } from '../../auditor/chain/transactions.ts';
import { rootOfList, trieRoot, valueAt } from '../../auditor/chain/trie.ts';
import { fromHex, type Hex, keccak256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';

const text = utf8ToBytes;
const zeros = (bytes: number): Hex => `0x${'00'.repeat(bytes)}`;

describe('RLP', () => {
  const long = 'Lorem ipsum dolor sit amet, consectetur adipisicing elit';
  test.each<[string, Rlp, string]>([
    ['nothing', new Uint8Array(), '80'],
    ['a low byte', Uint8Array.of(0x7f), '7f'],
    ['a high byte', Uint8Array.of(0x80), '8180'],
    ['zero, as a byte', Uint8Array.of(0), '00'],
    ['a word', text('dog'), '83646f67'],
    ['an empty list', [], 'c0'],
    ['words', [text('cat'), text('dog')], 'c88363617483646f67'],
    ['the first three sets', [[], [[]], [[], [[]]]], 'c7c0c1c0c3c0c1c0'],
    ['56 bytes', text(long), `b838${Buffer.from(long).toString('hex')}`],
    ['1024', uintBytes(1024), '820400'],
    ['a long list', Array.from({ length: 56 }, () => Uint8Array.of(1)), `f838${'01'.repeat(56)}`],
  ])('%s', (_, value, hex) => {
    expect(toHex(encodeRlp(value))).toBe(`0x${hex}`);
  });
});

describe('decoding RLP', () => {
  test('is the way back', () => {
    const value: Rlp = [text('cat'), [], [new Uint8Array(), [new Uint8Array(300).fill(7)]], Uint8Array.of(0)];
    expect(decodeRlp(encodeRlp(value))).toEqual(value);
    expect(decodeRlp(encodeRlp(Uint8Array.of(0x80)))).toEqual(Uint8Array.of(0x80));
  });

  test.each(['', '0x83646f', '0xb838', '0xc3', '0x8080', '0xbfffffffffffffffff', '0xc28280'])('%s is none', (hex) => {
    expect(() => decodeRlp(hex === '' ? new Uint8Array() : fromHex(hex as Hex))).toThrow('MESSAGE_MALFORMED');
  });
});

describe('a proof in a trie', () => {
  /** Long values, so that each leaf is a node of its own. */
  const word = (name: string) => [text(name), keccak256(text(name))] as const;
  const [dog, doge, horse] = [word('dog'), word('doge'), word('horse')];
  const root = trieRoot([dog, doge, horse]);
  const half = (...path: number[]) => Uint8Array.from(path);
  const horseLeaf = encodeRlp([half(0x20, ...text('horse').slice(1)), horse[1]]);
  const dogeLeaf = encodeRlp([half(0x35), doge[1]]);
  const inner = encodeRlp([
    ...Array.from({ length: 6 }, () => half()),
    keccak256(dogeLeaf),
    ...Array.from({ length: 9 }, () => half()),
    dog[1],
  ]);
  const extension = encodeRlp([half(0, ...text('og')), keccak256(inner)]);
  const top = encodeRlp([
    ...Array.from({ length: 4 }, () => half()),
    ...[keccak256(extension), half(), half(), half(), keccak256(horseLeaf)],
    ...Array.from({ length: 8 }, () => half()),
  ]);
  const first = encodeRlp([half(0x16), keccak256(top)]);

  test('shows the value at a key: in a leaf, at the end of one, and in a branch', () => {
    expect(toHex(keccak256(first))).toBe(toHex(root));
    expect(valueAt(root, horse[0], [first, top, horseLeaf])).toEqual(horse[1]);
    expect(valueAt(root, doge[0], [first, top, extension, inner, dogeLeaf])).toEqual(doge[1]);
    expect(valueAt(root, dog[0], [first, top, extension, inner])).toEqual(dog[1]);
  });

  test.each([
    ['another key', 'hors', [first, top, horseLeaf]],
    ['a longer key', 'horses', [first, top, horseLeaf]],
    ['a node less', 'horse', [top, horseLeaf]],
    ['no end', 'horse', [first, top]],
    ['a leaf of another', 'horse', [first, top, dogeLeaf]],
    ['a changed value', 'horse', [first, top, encodeRlp([half(0x20, ...text('horse').slice(1)), dog[1]])]],
    ['nothing', 'horse', []],
  ])('with %s shows nothing', (_, key, proof) => {
    expect(valueAt(root, text(key), proof)).toBeUndefined();
  });
});

describe('a trie', () => {
  test('of nothing, of words in any order, and of a list', () => {
    const pairs = Object.entries({ do: 'verb', horse: 'stallion', doge: 'coin', dog: 'puppy' }).map(
      ([key, value]) => [text(key), text(value)] as const,
    );
    const root = '0x5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84';
    expect(toHex(trieRoot([]))).toBe('0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421');
    expect(toHex(trieRoot(pairs))).toBe(root);
    expect(toHex(trieRoot(pairs.toReversed()))).toBe(root);
    expect(toHex(rootOfList([text('doe'), text('reindeer')]))).toBe(
      '0xe766d5d51b89dc39d981b41bda63248d7abce4f0225eefd023792a540bcffee3',
    );
  });
});

/** Of Ethereum's main network. */
const GENESIS = {
  ...{ hash: '0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3', parentHash: zeros(32) },
  sha3Uncles: '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347',
  ...{ miner: zeros(20), stateRoot: '0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544' },
  transactionsRoot: '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
  receiptsRoot: '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
  ...{ logsBloom: zeros(256), difficulty: '0x400000000', number: '0x0', gasLimit: '0x1388', gasUsed: '0x0' },
  ...{ timestamp: '0x0', extraData: '0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa' },
  ...{ mixHash: zeros(32), nonce: '0x0000000000000042' },
};

describe('a header', () => {
  const faultsOf = (told: unknown, number = 0): Findings => {
    const findings: Findings = { faults: [], undecided: [] };
    proveHeader(told, number, findings);
    return findings;
  };

  test('of the main network’s first block hashes to its name', () => {
    expect(headerHash(headerSchema.parse(GENESIS))).toBe(GENESIS.hash);
    expect(faultsOf({ ...GENESIS, size: '0x21c', totalDifficulty: '0x400000000', uncles: [] })).toEqual({
      ...{ faults: [], undecided: [] },
    });
  });

  test.each(Object.keys(GENESIS))('with another %s is a fault', (name) => {
    const value = GENESIS[name as keyof typeof GENESIS];
    const other = name === 'number' ? '0x0' : `${value.slice(0, -1)}${value.endsWith('1') ? '2' : '1'}`;
    const { faults } = faultsOf({ ...GENESIS, [name]: other, ...(name === 'number' && { baseFeePerGas: '0x0' }) });
    expect(faults.map(({ what }) => what)).toEqual(['block 0: header, against its hash']);
  });

  test('of another block, of fields that nobody here knows, and of none', () => {
    expect(faultsOf(GENESIS, 7).faults[0]?.what).toBe('block 7: number');
    const foreign = faultsOf({ ...GENESIS, stateRoot: zeros(32), l1BlockNumber: '0x1' });
    expect([foreign.faults, foreign.undecided[0]?.got]).toEqual([[], expect.stringContaining('l1BlockNumber')]);
    expect(unknownField(headerSchema.parse({ ...GENESIS, l1BlockNumber: '0x1' }))).toBe('l1BlockNumber');
    for (const none of [null, {}, { ...GENESIS, stateRoot: '0x12' }]) expect(faultsOf(none).undecided).toHaveLength(1);
  });
});

const EXCHANGE = '0x8d12a197cb00d4747a1fe03395095ce2a5cc6819';
const TOPIC = '0xf341246adaac6f497bc2a656f546ab9e182111d630394f0c57c710a59a2cb567';

/** The rule of the yellow paper, written down a second time. */
function bloomOf(...items: Hex[]): Hex {
  let bloom = 0n;
  for (const item of items) {
    const hash = keccak256(fromHex(item));
    for (const at of [0, 2, 4]) bloom |= 1n << BigInt((((hash[at] ?? 0) & 7) << 8) | (hash[at + 1] ?? 0));
  }
  return `0x${bloom.toString(16).padStart(512, '0')}`;
}

describe('receipts', () => {
  const data: Hex = `0x${'00'.repeat(44)}43b2126e7a22e0c288dfb469e3de4d2c097f3ca0${'00'.repeat(23)}01195387bce41fd499${'00'.repeat(32)}`;
  const plain = { transactionHash: zeros(32), transactionIndex: '0x0', status: '0x1', logs: [], type: '0x0' };
  const three = receiptsSchema.parse([
    { ...plain, cumulativeGasUsed: '0x5208', logsBloom: zeros(256) },
    { ...plain, cumulativeGasUsed: '0xa410', logsBloom: zeros(256) },
    {
      ...{ ...plain, cumulativeGasUsed: '0xfe44', logsBloom: bloomOf(EXCHANGE, TOPIC) },
      logs: [{ address: EXCHANGE, topics: [TOPIC], data }],
    },
  ]);

  test('of a published block come to its root; one byte of a log less, or a transaction that failed, and they do not', () => {
    const root = '0x7ea023138ee7d80db04eeec9cf436dc35806b00cc5fe8e5f611fb7cf1b35b177';
    expect(receiptsRoot(three)).toBe(root);
    const [first, second, third] = three;
    if (!first || !second || !third) throw new Error('three');
    expect(receiptsRoot([first, second, { ...third, logs: [] }])).not.toBe(root);
    expect(receiptsRoot([{ ...first, status: '0x0' }, second, third])).not.toBe(root);
    expect(receiptsRoot([second, first, third])).not.toBe(root);
  });

  test('carry their type in front, and the state instead of how it went before Byzantium', () => {
    const [first] = three;
    if (!first) throw new Error('three');
    const bytes = encodeReceipt(first);
    expect(encodeReceipt({ ...first, type: '0x2' })).toEqual(Uint8Array.of(2, ...bytes));
    const { status: _, ...old } = first;
    expect(toHex(encodeReceipt({ ...old, root: `0x${'ab'.repeat(32)}` }))).toContain('ab'.repeat(32));
  });

  test('leave their mark in the bloom of the block', () => {
    const bloom = bloomOf(EXCHANGE, TOPIC);
    expect(mayHoldLogsOf(bloom, EXCHANGE)).toBe(true);
    expect(mayHoldLogsOf(bloom, `0x${'12'.repeat(20)}`)).toBe(false);
    expect(mayHoldLogsOf(zeros(256), EXCHANGE)).toBe(false);
  });
});

describe('a transaction', () => {
  /** The example of EIP-155. */
  const [tx] = transactionsSchema.parse([
    {
      ...{ type: '0x0', nonce: '0x9', gasPrice: '0x4a817c800', gas: '0x5208', value: '0xde0b6b3a7640000', input: '0x' },
      ...{ to: `0x${'35'.repeat(20)}`, from: '0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f', hash: zeros(32), v: '0x25' },
      r: '0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276',
      s: '0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
    },
  ]);
  if (tx === undefined) throw new Error('one');

  test('is written as it was sent, and tells who sent it', () => {
    expect(toHex(encodeTransaction(tx) ?? new Uint8Array())).toBe(
      '0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
    );
    expect(senderOf(tx)).toBe(tx.from);
    expect(senderOf({ ...tx, value: '0x0' })).not.toBe(tx.from);
  });

  test('of another chain’s kind is not written at all', () => {
    expect(transactionsRoot([tx, { ...tx, type: '0x7e' }])).toBeUndefined();
    expect(senderOf({ ...tx, type: '0x6a' })).toBeUndefined();
    expect(() => senderOf({ ...tx, r: '0x0' })).toThrow();
  });
});
