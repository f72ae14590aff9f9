"""Weights of narrow layers, made as wide as the array takes them."""

from collections.abc import Sequence

from amaranth import Cat, Module, Mux, Signal, Value

from hw.compile.program import Program
from hw.gateware.primitives.delay import MAX_FANOUT, per_layer, replicate


def sign_extended(m: Module, program: Program, layer: Signal, planes: Sequence[Value]) -> list[Value]:
    """``planes`` of a step of ``layer`` (:mod:`hw.compile.step_format`), with its sign repeated beyond its
    width.

    What comes from memory there belongs to other layers. Combinational, two clocks behind ``layer``; nothing
    at all where layers have one width, or the design holds its weights.
    """
    widths = [plan.weight_bits for plan in program.layers]
    out = list(planes)
    if not program.config.stream_weights:
        return out
    for width in sorted(set(widths))[:-1]:
        narrow = per_layer(m, layer, [int(w == width) for w in widths], name=f"narrow_{width}")
        sign = planes[width - 1]
        for plane in range(width, program.weight_bits):
            out[plane] = Cat(
                Mux(
                    replicate(m, narrow, name=f"narrow_{width}_{plane}_{first}"),
                    sign[first : first + MAX_FANOUT],
                    out[plane][first : first + MAX_FANOUT],
                )
                for first in range(0, len(sign), MAX_FANOUT)
            )
    return out
