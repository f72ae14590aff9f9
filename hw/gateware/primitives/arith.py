"""Rounding, saturation and the one constant of the transforms, without a multiplier.

The expressions match :mod:`hw.contract.formats` bit for bit. None of them uses ``*``: synthesis would infer a
DSP slice for it, and every DSP slice of the design belongs to the product array.
"""

from collections.abc import Sequence

from amaranth import C, Cat, Module, Mux, Signal, Value, signed

from hw.contract.formats import SQRT_HALF, Format
from hw.gateware.primitives.delay import delay

SQRT_HALF_CLOCKS = 3
"""Latency of :func:`times_sqrt_half`."""

SQRT_HALF_FRACTION = SQRT_HALF.bit_length()
"""Fraction bits of the constant: √½ lies in [½, 1), so its leading bit weighs one half."""

Complex = tuple[Value, Value]
"""Real and imaginary part."""


def register(m: Module, name: str, value: Value, bits: int = 0) -> Signal:
    """A signed pipeline register; not reset, as no data path is.

    ``bits``: width, 0 to hold every value of the expression. A smaller one drops leading bits: the
    caller states the bound that makes them copies of the sign.
    """
    out = Signal(signed(bits or len(value)), name=name, reset_less=True)
    m.d.sync += out.eq(value)
    return out


def selected(items: Sequence[Value], index: Value) -> Value:
    """``items[index]``, of 2**len(``index``) items: a tree of 2:1 multiplexers."""
    for bit in index:
        items = [Mux(bit, odd, even) for even, odd in zip(items[::2], items[1::2], strict=True)]
    return items[0]


def round_shift(x: Value, shift: int) -> Value:
    """Signed ``x`` / 2**``shift``, rounded half up: an increment of the bits from one half upwards."""
    return ((x >> (shift - 1)) + 1) >> 1 if shift else x


def saturate(x: Value, fmt: Format) -> Value:
    """Signed ``x``, clipped to ``fmt``: it fits when the bits that are dropped, and its sign, are equal."""
    bits, sign = fmt.bits, x[-1]
    if not fmt.signed:
        negative_or_large = x[min(bits, len(x) - 1) :].any()
        return Mux(negative_or_large, (~sign).replicate(bits), x[:bits])
    if len(x) <= bits:
        return x
    dropped = x[bits - 1 :]
    limit = Cat((~sign).replicate(bits - 1), sign)
    return Mux(dropped.any() & ~dropped.all(), limit, x[:bits]).as_signed()


def add_or_subtract(a: Value, b: Value, subtract: Value) -> Value:
    """Signed ``a - b`` if ``subtract`` (1 bit), else ``a + b``, with one carry chain.

    -b is ~b + 1; a bit appended below both operands carries the 1 in.
    """
    b = Mux(subtract, ~b, b)
    return (Cat(subtract, a).as_signed() + Cat(subtract, b).as_signed()) >> 1


def times_sqrt_half(m: Module, name: str, x: Value, scale: int = 0) -> Signal:
    """Signed ``x``·√½·2**``scale``, rounded half up, ``SQRT_HALF_CLOCKS`` clocks later.

    ``hw.contract.formats.times_sqrt_half(x, 8 - scale)`` in three pipelined adders: 181 x = 256 x - 15·(5 x).
    The bits below 256 x are free to hold the half of the rounding. n bits give n + ``scale`` bits.
    """
    assert SQRT_HALF == (1 << SQRT_HALF_FRACTION) - 5 * 15 and 0 <= scale < SQRT_HALF_FRACTION
    bits, shift = len(x), SQRT_HALF_FRACTION - scale
    # Clocks 1 and 2: 5x, 75x.
    x5 = register(m, f"{name}_x5", x + (x << 2), bits + 3)
    x75 = register(m, f"{name}_x75", (x5 << 4) - x5, bits + 7)
    # Clock 3: 181x, rounded.
    waiting = delay(m, x, 2, name=f"{name}_x")
    x256_and_half = Cat(C(1 << (shift - 1), SQRT_HALF_FRACTION), waiting).as_signed()
    return register(m, name, (x256_and_half - x75) >> shift, bits + scale)
