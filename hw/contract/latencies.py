"""Latencies of the pipeline in clocks, for the cost model.

The gateware composes its latencies from its own blocks; ``tests/hw/gateware/test_latencies.py`` holds these
copies against them.
"""

from dataclasses import dataclass

from hw.contract.config import AcceleratorConfig

ROTATOR_LEVELS = 2
"""Rotator levels (2:1 multiplexers) of the feature memory between two registers: one LUT6."""

NARROW_CLOCKS = 3
"""Clocks that words take to be cut, where spectra are narrow."""

OVERLAPPING_CLOCKS = 6
"""Clocks that pooling takes longer where its windows overlap in some layer."""

MAP_START = 4
"""Clocks of the port that sends a feature map beside those of its memory: start, request, queue."""

SEND_MAP = 1
"""Clocks from the end of the last layer to that start."""

SETTLE = 3
"""Clocks between a change of layer and its start: per-layer constants are registered."""


def rotate_latency(size: int) -> int:
    """Clocks of a rotator of ``size`` items, a power of two."""
    return -(-(size - 1).bit_length() // ROTATOR_LEVELS)


@dataclass(frozen=True)
class Latencies:
    """What the cost model needs to know of the gateware.

    memory: request of a line to its pixels. fill: a tile's last line to the moment its words can be
    read. array: issue of a step to the moment the drain turns to the first rows of its word. pass_full: that
    of the last rows to the moment their words can be read. front_tail, middle_tail: last line, last step of
    a layer to the moment in which nothing in the stage looks at it any more. tail: last token of a layer to
    the moment its last pixel can be read. reuse_lead: see ``LayerPlan.free_clock``. map_start: end of the
    last layer to the first beat of the map that it made. settle: clocks of a layer before its controllers
    start.
    """

    memory: int
    fill: int
    array: int
    pass_full: int
    front_tail: int
    middle_tail: int
    tail: int
    reuse_lead: int
    map_start: int
    settle: int = SETTLE


def latencies(
    config: AcceleratorConfig, narrow: bool = False, overlaps: bool = False, pointwise: bool = False
) -> Latencies:
    """The latencies of an accelerator of ``config`` (``line_pixels`` resolved), spectra ``narrow`` or not,
    with pooling windows that overlap or not, with pointwise convolutions or not."""
    rotate = rotate_latency(config.line_pixels)
    # Wraps join the sums in the drain in a clock of their own, and biases of imaginary parts in another one.
    wraps = (1 + pointwise) * (config.products == "packed")
    memory, fill, array = 3 + rotate, 25 + NARROW_CLOCKS * narrow, 6
    return Latencies(
        memory=memory,
        fill=fill,
        array=array,
        pass_full=6 + wraps,
        front_tail=memory + fill + 2,
        middle_tail=1 + array + config.rows // config.drain + 9 + wraps,
        reuse_lead=6 + wraps,
        map_start=SEND_MAP + memory + MAP_START,
        # Start register, lane, writer, feature memory.
        tail=1 + 33 + OVERLAPPING_CLOCKS * overlaps + 1 + (rotate + 2),
    )
