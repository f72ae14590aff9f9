"""The bytes of streamed weights: what external memory holds, and what a host has to know of it."""

from __future__ import annotations

import numpy as np

from hw.compile.program import Program
from hw.compile.weight_stream import UNIT_BITS, StreamPlan
from hw.contract import checksum
from hw.contract.streamed_weights import PAGE, StreamedPart, StreamedWeights


def parts(image: bytes, plan: StreamPlan, memories: int) -> list[bytes]:
    """What each of the striped ``memories`` holds of ``image``: its part of every beat."""
    beat = plan.bus_bits // 8
    padded = np.frombuffer(image + bytes(-len(image) % beat), np.uint8)
    return [part.tobytes() for part in padded.reshape(-1, memories, beat // memories).swapaxes(0, 1)]


def stream_image(program: Program) -> bytes:
    """The bytes of the stream, from its first address on."""
    step, layers, plan = program.step_format, program.step_tables, program.stream
    image = bytearray(plan.bytes)
    size = plan.drain_group_beats * plan.bus_bits // 8
    channels = b"".join(group.to_bytes(size, "little") for group in program.channel_table)
    image[: len(channels)] = channels
    units_of = dict(zip(plan.layer_pages, plan.layer_units, strict=True))
    for table, (page, units) in zip(layers, units_of.items(), strict=True):
        bits = step.encode(table)[:, : units * UNIT_BITS]  # of narrower weights the sign repeats from there
        padded = np.zeros((len(bits), units * UNIT_BITS), np.uint8)
        padded[:, : bits.shape[1]] = bits
        packed = np.packbits(padded, axis=1, bitorder="little").tobytes()
        image[page * PAGE : page * PAGE + len(packed)] = packed
    return bytes(image)


def streamed_weights(image: bytes, plan: StreamPlan) -> StreamedWeights:
    """What a host has to know of every part of ``image``."""
    beat = plan.bus_bits // 8

    def part(page: int, beats: int) -> StreamedPart:
        data = image[page * PAGE : page * PAGE + beats * beat]
        return StreamedPart(page, beats, checksum.checksum(data, beat))

    layers = dict(zip(plan.layer_pages, plan.layer_beats, strict=True))
    return StreamedWeights(part(0, plan.table_beats), tuple(part(*layer) for layer in layers.items()))
