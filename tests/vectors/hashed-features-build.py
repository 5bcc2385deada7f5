# Builds protocol/vectors/hashed-features.json from docs/spec/01-encodings.md with Python's hashlib; nothing of ours is run.
# Rebuild: python3 tests/vectors/hashed-features-build.py > protocol/vectors/hashed-features.json
import hashlib
import json

CELLS = [
    ("plain", "salt-1", "postcode", "1012 AB", 64),
    ("another salt", "salt-2", "postcode", "1012 AB", 64),
    ("another field", "salt-1", "Postcode", "1012 AB", 64),
    ("a space more", "salt-1", "postcode", "1012 AB ", 64),
    ("no value", "salt-1", "postcode", "", 64),
    ("beyond ASCII, decomposed", "salt-1", "model", "Cafe\u0301 \U0001F697", 64),
    ("beyond ASCII, composed", "salt-1", "model", "Caf\u00e9 \U0001F697", 64),
    ("a zero byte", "salt-1", "model", "a\u0000b", 64),
    ("an integer", "salt-1", "part", 4711, 64),
    ("the same digits as text", "salt-1", "part", "4711", 64),
    ("a negative integer", "salt-1", "part", -1, 64),
    ("the largest safe integer", "salt-1", "part", 2**53 - 1, 64),
    ("two buckets", "salt-1", "part", 4711, 2),
    ("buckets that are no power of two", "salt-1", "part", 4711, 1000),
    ("most buckets", "salt-1", "part", 4711, 4096),
]


def vector(name, salt, field, value, buckets):
    parts = ["concordat/1/hashed", salt, field, str(value)]
    digest = hashlib.sha256(b"\x00".join(part.encode("utf-8") for part in parts)).digest()
    return {
        "name": name,
        "salt": salt,
        "field": field,
        "value": value,
        "buckets": buckets,
        "digest": "0x" + digest.hex(),
        "bucket": int.from_bytes(digest[:4], "big") % buckets,
        "sign": -1 if digest[4] & 1 else 1,
    }


print(json.dumps({"vectors": [vector(*cell) for cell in CELLS]}, indent=2))
