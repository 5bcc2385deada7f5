#!/usr/bin/env python3
"""A second verifier, written from docs/spec alone with Python's standard library: files, transcript and sums.

usage: verify.py BUNDLE    exit code 0 only when everything holds
It reads no chain: which upload of a dealer counts is taken from the transcript (its highest attempt), not from the commits.
"""
import hashlib
import os
import struct
import sys

PRIMES = (1073651713, 1073668097, 1073692673)
DEGREE = 4096
PACKED_BLOCK = 3 * DEGREE * 30 // 8


# [ENC-1] canonical CBOR, RFC 8949 4.2.1: shortest heads, keys in the order of their bytes
def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | code]) + n.to_bytes(size, 'big')
    raise ValueError('too large')


def encode(value):
    if value is None:
        return b'\xf6'
    if value is True or value is False:
        return b'\xf5' if value else b'\xf4'
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b''.join(map(encode, value))
    pairs = sorted((encode(k), encode(v)) for k, v in value.items())
    return head(5, len(pairs)) + b''.join(k + v for k, v in pairs)


def decode_at(data, at, depth=0):
    if depth > 16:
        raise ValueError('too deep')
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        n = info
    elif info < 28:
        size = 1 << info - 24
        n = int.from_bytes(data[at:at + size], 'big')
        at += size
    else:
        raise ValueError('indefinite length')
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major in (2, 3):
        if at + n > len(data):
            raise ValueError('cut off')
        part = data[at:at + n]
        return (part if major == 2 else part.decode()), at + n
    if major == 4:
        items = []
        for _ in range(n):
            item, at = decode_at(data, at, depth + 1)
            items.append(item)
        return items, at
    if major == 5:
        record = {}
        for _ in range(n):
            key, at = decode_at(data, at, depth + 1)
            record[key], at = decode_at(data, at, depth + 1)
        return record, at
    if major == 7 and info in (20, 21, 22):
        return {20: False, 21: True, 22: None}[info], at
    raise ValueError('a kind that no entry has')


def decode(data):
    value, _ = decode_at(data, 0)
    if encode(value) != data:
        raise ValueError('not the canonical encoding')
    return value


def blobs_of(body):
    kind = body['type']
    if kind == 'genesis':
        return [body[f] for f in ('task', 'dataContract', 'verificationKey', 'initialModel')]
    if kind == 'task':
        return [body[f] for f in ('task', 'dataContract', 'initialModel')]
    if kind == 'upload':
        return [body['payload'], *body['sealedShares']]
    fields = {
        'consent': ['operations'], 'vouch': ['vouches'], 'aggregate': ['aggregate'],
        'answer': ['answer'], 'opened': ['keySum', 'values'], 'model': ['baseModel', 'model'],
    }
    return [body[f] for f in fields.get(kind, [])]


class Verifier:
    def __init__(self, folder):
        self.folder = folder
        self.checked = 0
        self.failures = []

    def holds(self, what, condition):
        self.checked += 1
        if not condition:
            self.failures.append(what)

    def read(self, *path):
        with open(os.path.join(self.folder, *path), 'rb') as file:
            return file.read()

    def blob(self, name):
        data = self.read('blobs', name[2:])
        if '0x' + hashlib.sha256(data).hexdigest() != name:
            raise ValueError(f'blob {name} is not what its name says')
        return data

    def run(self):
        self.check_blobs()
        bodies = self.check_chain()
        rounds = [b['round'] for b in bodies if b['type'] == 'model']
        self.holds('one model a round', len(set(rounds)) == len(rounds))
        for number in rounds:
            try:
                self.check_sum(number, bodies)
            except (OSError, ValueError, KeyError, StopIteration) as cause:
                self.holds(f'round {number}: {cause!r}', False)
        print(f'{len(bodies)} entries, {len(rounds)} rounds, {self.checked} checked, {len(self.failures)} failed')
        for failure in self.failures[:20]:
            print(f'- {failure}')
        return not self.failures and len(rounds) > 0

    # check 01
    def check_blobs(self):
        for name in sorted(os.listdir(os.path.join(self.folder, 'blobs'))):
            if not name.endswith('.tmp'):
                data = self.read('blobs', name)
                self.holds(f'[01] blob {name}', hashlib.sha256(data).hexdigest() == name)

    # check 02: [TRA-1] [TRA-2]
    def check_chain(self):
        prev, bodies = '0x' + '00' * 32, []
        names = sorted(n for n in os.listdir(os.path.join(self.folder, 'entries')) if not n.endswith('.tmp'))
        present = set(os.listdir(os.path.join(self.folder, 'blobs')))
        for seq, name in enumerate(names):
            data = self.read('entries', name)
            try:
                entry = decode(data)
                body = entry['body']
                self.holds(f'[02] {name}: version', entry['v'] == 'concordat/1/entry')
                self.holds(f'[02] {name}: name and seq', name == f'{seq:06d}.cbor' and entry['seq'] == seq)
                self.holds(f'[02] {name}: prev', entry['prev'] == prev)
                self.holds(f'[02] {name}: genesis first', (body['type'] == 'genesis') == (seq == 0))
                for blob in blobs_of(body):
                    self.holds(f'[02] {name}: blob {blob}', blob[2:] in present)
                bodies.append(body)
            except (ValueError, KeyError, TypeError, IndexError) as cause:
                self.holds(f'[01] {name}: {cause!r}', False)
            prev = '0x' + hashlib.sha256(data).hexdigest()
        return bodies

    # check 12: the aggregate is the sum over the set, residue by residue
    def check_sum(self, number, bodies):
        of_round = [b for b in bodies if b.get('round') == number]
        aggregate = next(b for b in of_round if b['type'] == 'aggregate')
        total = None
        for dealer in aggregate['dealers']:
            uploads = [b for b in of_round if b['type'] == 'upload' and b['dealer'] == dealer]
            upload = max(uploads, key=lambda b: b['attempt'])
            part = self.residues(self.blob(upload['payload']))
            total = part if total is None else self.add(total, part)
        self.holds(f'[12] round {number}: the aggregate is the sum', total == self.residues(self.blob(aggregate['aggregate'])))
        opened = next(b for b in of_round if b['type'] == 'opened')
        self.holds(f'[13] round {number}: bytes of the key sum', len(self.blob(opened['keySum'])) == 4 * DEGREE)

    # docs/spec/01 "Payload": magic, number of blocks, then 30 bits a residue, one little-endian stream a polynomial
    def residues(self, payload):
        blocks = struct.unpack_from('<I', payload, 4)[0]
        if payload[:4] != b'CCP2' or len(payload) != 8 + blocks * PACKED_BLOCK:
            raise ValueError('not a payload')
        out = []
        for group in range(8, len(payload), 60):
            bits = int.from_bytes(payload[group:group + 60], 'little')
            for _ in range(16):
                out.append(bits & 0x3FFFFFFF)
                bits >>= 30
        for start in range(0, len(out), DEGREE):
            if max(out[start:start + DEGREE]) >= PRIMES[start // DEGREE % 3]:
                raise ValueError('a residue outside its prime')
        return out

    def add(self, a, b):
        out = []
        for start in range(0, len(a), DEGREE):
            p = PRIMES[start // DEGREE % 3]
            out += [(x + y) % p for x, y in zip(a[start:start + DEGREE], b[start:start + DEGREE], strict=True)]
        return out


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(0 if Verifier(sys.argv[1]).run() else 1)
