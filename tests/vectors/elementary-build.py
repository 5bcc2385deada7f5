# Writes protocol/vectors/elementary.json: exp, expm1, log and log1p, correctly rounded, by Python's decimal at 60 digits (800 for
# what cancels). Usage: python3 tests/vectors/elementary-build.py > protocol/vectors/elementary.json
import json
import platform
import random
import struct
from decimal import Context, Decimal, setcontext

setcontext(Context(prec=800, Emin=-99999, Emax=99999))
ROUGH = Context(prec=60, Emin=-99999, Emax=99999)
random.seed(20)


def bits(x):
    return struct.pack(">d", x).hex()


def exp(x):
    return Decimal(x).exp(ROUGH)


def expm1(x):
    # 60 digits of e^x do where e^x − 1 has most of them left; below, the series
    if abs(x) > 0.01:
        return exp(x) - 1
    term, total, n = Decimal(x), Decimal(x), 1
    while abs(term) > abs(total) * Decimal(10) ** -60:
        n += 1
        term = term * Decimal(x) / n
        total += term
    return total


def log(x):
    return Decimal(x).ln(ROUGH)


def log1p(x):
    # exact: 1 + x has at most 800 digits here
    return (1 + Decimal(x)).ln(ROUGH)


def spread(lowest, highest):
    return random.choice([-1, 1]) * 2.0 ** random.uniform(lowest, highest)


DRAWS = {
    "exp": lambda: random.choice([random.uniform(-745, 709), random.uniform(-2, 2), spread(-60, 0)]),
    "expm1": lambda: random.choice([random.uniform(-40, 40), random.uniform(-1, 1), spread(-60, 0)]),
    "log": lambda: random.choice([2.0 ** random.uniform(-1070, 1023), random.uniform(0.5, 2), 1 + spread(-50, -3)]),
    "log1p": lambda: random.choice([2.0 ** random.uniform(-60, 900), random.uniform(-0.9999, 2), spread(-60, -3)]),
}
EDGES = {
    "exp": [1.0, -1.0, 709.782712893384, -708.4, 0.34657359027997264, 0.34657359027997270],
    "expm1": [1.0, -1.0, 0.34657359027997264, -0.34657359027997270, 1e-300, 709.0],
    "log": [2.0, 0.5, 5e-324, 1e-310, 2.2250738585072014e-308, 1.7976931348623157e308, 0.7071067811865476, 1.4142135623730951],
    "log1p": [1.0, -0.5, 1e-300, -0.9999999999999999, 9007199254740992.0, 1.7976931348623157e308, 0.41421356237309515],
}
out = {"source": f"Python {platform.python_version()}, decimal; made by tests/vectors/elementary-build.py. Big-endian bits of binary64: [x, f(x)]."}
for name, function in (("exp", exp), ("expm1", expm1), ("log", log), ("log1p", log1p)):
    xs = EDGES[name] + [DRAWS[name]() for _ in range(250)]
    out[name] = [[bits(x), bits(float(function(x)))] for x in xs]
print(json.dumps(out).replace("]], ", "]],\n").replace("\", \"exp\"", "\",\n\"exp\""))
