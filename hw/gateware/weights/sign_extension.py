"""Sign extension: weights of narrow layers, made as wide as the array takes them."""

from collections.abc import Sequence

from amaranth import Cat, Module, Mux, Signal, Value

from hw.compile.program import Program
from hw.gateware.primitives.delay import MAX_FANOUT, per_layer, replicate


def sign_extended(m: Module, program: Program, layer: Signal, bit_planes: Sequence[Value]) -> list[Value]:
    """The ``bit_planes`` of a step of ``layer`` (:mod:`hw.compile.step_format`), lowest first, with that
    of its signs repeated in all planes beyond its width.

    What memory delivers in those belongs to other layers. Combinational; ``layer`` has to stand for two
    clocks. No logic at all where all layers have one width, or the design holds its weights.
    """
    widths = [plan.weight_bits for plan in program.layers]
    extended = list(bit_planes)
    if not program.config.stream_weights:
        return extended
    for width in sorted(set(widths))[:-1]:
        narrow = per_layer(m, layer, [int(w == width) for w in widths], name=f"narrow_{width}")
        sign = bit_planes[width - 1]
        for bit_plane in range(width, program.weight_bits):
            extended[bit_plane] = Cat(
                Mux(
                    replicate(m, narrow, name=f"narrow_{width}_{bit_plane}_{first}"),
                    sign[first : first + MAX_FANOUT],
                    extended[bit_plane][first : first + MAX_FANOUT],
                )
                for first in range(0, len(sign), MAX_FANOUT)
            )
    return extended
