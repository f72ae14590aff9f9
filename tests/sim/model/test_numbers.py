"""docs/numbers.md, line by line, on single tiles in plain Python integers.

The model works on planes of many tiles; this transcription knows nothing of arrays. The two must be
equal to the last bit, rounding by rounding, which no error bound against floats could show.
"""

import numpy as np
import pytest

from sim.model import forward, inverse

SEED = 5

Complex = tuple[int, int]


def r(x: int, s: int) -> int:
    return (x + (1 << (s - 1))) >> s


def h(x: int) -> int:
    return (181 * x + 128) >> 8


def h2(x: int) -> int:
    return (181 * x + 64) >> 7


def add(*terms: Complex) -> Complex:
    return sum(t[0] for t in terms), sum(t[1] for t in terms)


def sub(a: Complex, b: Complex) -> Complex:
    return a[0] - b[0], a[1] - b[1]


def j(a: Complex) -> Complex:
    return -a[1], a[0]


def row_forward(pixels: list[int]) -> list[Complex]:
    """The packed column's entry, then columns 1, 2, 3."""
    p = [x << 4 for x in pixels]
    s, d = [p[i] + p[i + 4] for i in range(4)], [p[i] - p[i + 4] for i in range(4)]
    e, f = h(d[1] - d[3]), h(d[1] + d[3])
    x0, x4 = (s[0] + s[2]) + (s[1] + s[3]), (s[0] + s[2]) - (s[1] + s[3])
    return [(x0, x4), (d[0] + e, -(d[2] + f)), (s[0] - s[2], -(s[1] - s[3])), (d[0] - e, d[2] - f)]


def column_forward(z: list[Complex]) -> list[Complex]:
    """A in the natural order of frequencies 0..7."""
    even = [add(z[i], z[i + 4]) for i in range(4)]
    (x1, y1), (x2, y2), (x3, y3) = (sub(z[i], z[i + 4]) for i in (1, 2, 3))
    odd = [sub(z[0], z[4]), (h(x1 + y1), h(y1 - x1)), (y2, -x2), (h(y3 - x3), -h(x3 + y3))]
    out = [(0, 0)] * 8
    for half, a in enumerate((even, odd)):
        out[half] = add(a[0], a[2], a[1], a[3])
        out[half + 4] = sub(add(a[0], a[2]), add(a[1], a[3]))
        out[half + 2] = sub(sub(a[0], a[2]), j(sub(a[1], a[3])))
        out[half + 6] = add(sub(a[0], a[2]), j(sub(a[1], a[3])))
    return out


def words_of(tile: list[list[int]]) -> list[Complex]:
    rows = [row_forward(line) for line in tile]
    packed, *others = ([row[v] for row in rows] for v in range(4))
    z = column_forward(packed)
    words = [(0, 0)] * 32
    words[0], words[2] = ((r(z[u][0], 3), r(z[u][1], 3)) for u in (0, 4))
    for u, first, second in ((2, 1, 3), (1, 4, 7), (3, 5, 6)):
        p, q = z[u], z[8 - u]
        words[first] = r(p[0] + q[0], 4), r(p[1] - q[1], 4)
        words[second] = r(p[1] + q[1], 4), r(q[0] - p[0], 4)
    for v, column in enumerate(others, 1):
        spectrum = column_forward(column)
        for i, u in enumerate((0, 2, 4, 6, 1, 3, 5, 7)):
            words[8 * v + i] = r(spectrum[u][0], 3), r(spectrum[u][1], 3)
    return words


def column_inverse(z: list[Complex]) -> list[Complex]:
    def half(a: Complex, b: Complex, c: Complex, d: Complex) -> list[Complex]:
        s, t = sub(a, c), j(sub(b, d))
        return [add(a, c, b, d), add(s, t), sub(add(a, c), add(b, d)), sub(s, t)]

    even = half(z[0], z[2], z[4], z[6])
    o0, (x1, y1), (x2, y2), (x3, y3) = half(z[1], z[3], z[5], z[7])
    odd = [o0, (h(x1 - y1), h(x1 + y1)), (-y2, x2), (-h(x3 + y3), h(x3 - y3))]
    return [add(e, o) for e, o in zip(even, odd, strict=True)] + [
        sub(e, o) for e, o in zip(even, odd, strict=True)
    ]


def row_inverse(packed: Complex, one: Complex, two: Complex, three: Complex) -> list[int]:
    a, b = packed[0] + packed[1], packed[0] - packed[1]
    p, q = one[0] - three[0], one[1] + three[1]
    g, k = h2(p - q), h2(p + q)
    m, w = 2 * (one[0] + three[0]), 2 * (three[1] - one[1])
    re, im = 2 * two[0], 2 * two[1]
    return [a + re + m, b - im + g, a - re + w, b + im - k, a + re - m, b - im - g, a - re - w, b + im + k]


def outputs_of(words: list[Complex]) -> list[list[int]]:
    z = [(0, 0)] * 8
    z[0], z[4] = words[0], words[2]
    for u, first, second in ((2, 1, 3), (1, 4, 7), (3, 5, 6)):
        f, g = words[first], words[second]
        z[u], z[8 - u] = (f[0] - g[1], f[1] + g[0]), (f[0] + g[1], g[0] - f[1])
    columns = [column_inverse(z)]
    for v in (1, 2, 3):
        spectrum = [(0, 0)] * 8
        for i, u in enumerate((0, 2, 4, 6, 1, 3, 5, 7)):
            spectrum[u] = words[8 * v + i]
        columns.append(column_inverse(spectrum))
    return [row_inverse(*(column[y] for column in columns)) for y in range(8)]


@pytest.mark.parametrize("low, high", [(0, 255), (-128, 127)])
def test_forward_follows_the_page(low, high):
    rng = np.random.default_rng(SEED)
    tiles = np.concatenate((rng.integers(low, high + 1, (100, 8, 8)), rng.choice([low, high], (100, 8, 8))))
    assert forward(tiles).tolist() == [[list(word) for word in words_of(tile)] for tile in tiles.tolist()]


@pytest.mark.parametrize("bits", [4, 10, 18])
def test_inverse_follows_the_page(bits):
    words = np.random.default_rng(SEED).integers(-(1 << bits - 1), 1 << bits - 1, (100, 32, 2))
    assert inverse(words).tolist() == [outputs_of([(re, im) for re, im in word]) for word in words.tolist()]
