"""What a design needs of a device, from the layer program: DSP slices, LUTs, flip-flops, block RAM.

DSP slices and memories follow from the structure. LUTs and flip-flops are sums over blocks; the
coefficients are those yosys 0.66 reports per module (``spec2 synth``, 7 series), written as functions of
the parameters that drive them. Stated tolerance: 20 % (``tests/bitstreams/synthesis/test_estimate.py``). A
vendor tool packs tighter: yosys counts shift registers and both halves of a carry cell as whole LUTs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from hw.compile.channel_table import drain_group_bits
from hw.compile.program import Program
from hw.compile.step_format import SELECT_BITS
from hw.compile.weight_stream import QUEUED_BEATS, UNIT_BITS
from hw.contract.config import BANKS, STREAM_BITS, TRANSFORM_WORDS, AcceleratorConfig
from hw.contract.formats import BIAS, PIXEL_BITS, PRODUCT_SUM, SPECTRUM
from hw.contract.latencies import ROTATOR_LEVELS
from hw.contract.memory_shares import BLOCK_SHAPES, SHARE_BITS, memory_depths
from hw.contract.packed_products import PackedProducts
from hw.contract.spectrum import WORDS
from hw.contract.ultra_ram import ultra_blocks, ultra_shape

LUTS_PER_RAMB18 = 62
"""A memory that takes fewer LUTs than this for each RAMB18 it would need goes to LUTs: yosys 0.68 puts
8 bit × 300 (60 LUTs) there and 12 bit × 256 (64) into a RAMB18. A RAM64M stores 64 × 3 bit in four LUTs."""

ROM_BITS_PER_RAMB18 = 64 * 129
"""A ROM of fewer bits than this for each RAMB18 it would need becomes logic. yosys 0.68 puts 512 × 16 and
256 × 32 there, 256 × 33 and 512 × 17 into a RAMB18: as if a bit of logic cost 1/64 and a RAMB18 129."""


@dataclass(frozen=True)
class Resources:
    """Counts; ``bram36`` in RAMB36, a RAMB18 being half of one, ``uram`` in UltraRAM blocks."""

    dsp: int
    lut: int
    ff: int
    bram36: float
    uram: int = 0


def memory(depth: int, width: int) -> tuple[float, int]:
    """(RAMB36, LUTs) of a memory with one read and one write port.

    Of blocks one below the other a multiplexer picks one, 4:1 in a LUT.
    """
    luts = 4 * -(-width // 3) * -(-depth // 64)
    fewest = _blocks(depth, width)
    return (0, luts) if luts < 2 * LUTS_PER_RAMB18 * fewest[0] else fewest


def rom(depth: int, width: int) -> tuple[float, int]:
    """(RAMB36, LUTs) of a memory that is only read.

    64 words in a LUT6 a bit, four of those in the slice's own multiplexers.
    """
    fewest = _blocks(depth, width)
    if depth * width >= 2 * ROM_BITS_PER_RAMB18 * fewest[0]:
        return fewest
    return 0, width * (-(-depth // 64) + 2 * (-(-depth // 256) - 1))


def below_each_other(
    kind: Callable[[int, int], tuple[float, int]], depths: list[int], width: int
) -> Resources:
    """Memories of the ``kind`` (:func:`memory`, :func:`rom`) of so many words each, with their output
    registers, of which one is picked."""
    found = [kind(words, width) for words in depths]
    return Resources(
        dsp=0,
        lut=sum(luts for _, luts in found) + _picking(len(depths), width),
        ff=width * len(depths),
        bram36=sum(blocks for blocks, _ in found),
    )


def feature_banks(config: AcceleratorConfig, lines: int) -> Resources:
    """The column banks of a feature memory of so many ``lines``."""
    if config.feature_memory == "ultra":
        shape = ultra_shape(lines)
        # Which byte of a word is read, and which one written.
        luts = _picking(shape.bytes, PIXEL_BITS) + (shape.bytes if shape.bytes > 1 else 0)
        select = (shape.bytes - 1).bit_length()
        banks = Resources(
            dsp=0, lut=luts, ff=2 * select + PIXEL_BITS * shape.bytes, bram36=0, uram=shape.blocks
        )
    else:
        banks = below_each_other(memory, memory_depths(lines, PIXEL_BITS), PIXEL_BITS)
    return Resources(**{name: config.line_pixels * count for name, count in asdict(banks).items()})


def spectrum_banks(config: AcceleratorConfig, depth: int, width: int) -> Resources:
    """The banks of a lane's X buffer."""
    blocks, luts = memory(depth, width)
    if config.spectrum_memory == "ultra" and blocks:
        luts = _picking(ultra_blocks(depth, 1), width)
        return Resources(dsp=0, lut=BANKS * luts, ff=0, bram36=0, uram=BANKS * ultra_blocks(depth, width))
    return Resources(dsp=0, lut=BANKS * luts, ff=0, bram36=BANKS * blocks)


def _picking(count: int, width: int) -> int:
    """LUTs that pick among ``count`` words of ``width`` bits, 4:1 in a LUT."""
    return width * -(-(count - 1) // 3)


def _in_shares(kind: Callable[[int, int], tuple[float, int]], depths: list[int], width: int) -> Resources:
    """A memory that is made of memories of ``SHARE_BITS`` side by side, of ``depths`` each."""
    shares = [
        below_each_other(kind, depths, min(SHARE_BITS, width - first))
        for first in range(0, width, SHARE_BITS)
    ]
    return Resources(
        dsp=0,
        lut=sum(share.lut for share in shares),
        ff=sum(share.ff for share in shares),
        bram36=sum(share.bram36 for share in shares),
    )


def _blocks(depth: int, width: int) -> tuple[float, int]:
    """(RAMB36, LUTs) of a memory in blocks."""
    blocks: list[tuple[float, int]] = []
    for block_depth, block_width in BLOCK_SHAPES:
        deep = -(-depth // block_depth)
        multiplexers = _picking(deep, width)
        blocks.append((deep * -(-width // block_width), multiplexers))
        if block_width > 1:
            blocks.append((deep * -(-width // (block_width // 2)) / 2, multiplexers))
    return min(blocks)


def resources(program: Program) -> Resources:
    """Resources of the whole accelerator."""
    config = program.config
    lane, shared = _lane(program), _shared(program)
    return Resources(
        dsp=config.mac_dsps,
        lut=shared.lut + config.lanes * lane.lut,
        ff=shared.ff + config.lanes * lane.ff,
        bram36=shared.bram36 + config.lanes * lane.bram36,
        uram=shared.uram + config.lanes * lane.uram,
    )


def _lane(program: Program) -> Resources:
    """One lane: transforms, N array rows, drain, buffers, post-processing."""
    rows, x_bits, cut = program.config.rows, program.spectrum_bits, _rounding(program)
    pooling, pairs = _window_pool(program), _pairs(program)
    packed = program.packed
    array = _packed_array(program, packed) if packed else _array(program)
    columns = program.post_columns
    depth = 2 * 8 * (1 << max(1, (program.groups - 1).bit_length()))
    x_banks = spectrum_banks(program.config, depth, 4 * 2 * x_bits)
    in_luts = not (x_banks.bram36 or x_banks.uram)
    drain = program.config.drain
    y_depth = 2 * WORDS // drain * (1 << (rows - 1).bit_length())
    y_blocks, y_luts = memory(y_depth, 2 * PRODUCT_SUM.bits)
    transforms, windows, transposes = 2340 + 2863, 227, 326 + 294
    return Resources(
        dsp=array.dsp,
        lut=transforms
        + windows
        + cut.lut
        + array.lut
        + pooling.lut
        + pairs.lut
        + 53 * columns
        + _slopes(program)
        + transposes
        + x_banks.lut
        + drain * y_luts,
        ff=2124
        + 2580
        + cut.ff
        + 100
        + array.ff
        + pooling.ff
        + pairs.ff
        + BANKS * 8 * x_bits  # output registers, or the read registers of memories in LUTs
        + (BANKS * depth.bit_length() if in_luts else 0)  # whose addresses wait
        + (drain * 2 * PRODUCT_SUM.bits if y_blocks else 0)
        + 59 * columns
        + 431
        + 313,
        bram36=x_banks.bram36 + drain * y_blocks,
        uram=x_banks.uram,
    )


def _rounding(program: Program) -> Resources:
    """Of a lane with narrow spectra: 8 parts of words through shift, rounding and saturation."""
    if not program.narrow:
        return Resources(0, 0, 0, 0)
    tables = program.transform_shifts
    least, most = min(map(min, tables)), max(map(max, tables))
    width, levels = SPECTRUM.bits + 1 - least, (most - least).bit_length()
    shifter = width * -(-levels // 2)  # a 4:1 multiplexer a LUT
    return Resources(
        dsp=0,
        lut=8 * (shifter + width + program.spectrum_bits + 4),
        ff=8 * (2 * width + program.spectrum_bits + levels + 4),
        bram36=0,
    )


def _slopes(program: Program) -> int:
    """LUTs of a lane with leaky ReLUs, as Yosys 0.68 maps them: of 26 bits of every pixel one is chosen."""
    slopes = len(program.leaks)
    return program.post_columns * (6 + 14 * slopes) if slopes else 0


def _window_pool(program: Program) -> Resources:
    """Of a lane where pooling windows overlap in some layer, as Yosys 0.68 maps it."""
    if not program.overlaps:
        return Resources(0, 0, 0, 0)
    columns = program.post_columns
    return Resources(dsp=0, lut=90 * columns - 60, ff=66 * columns + 20, bram36=0)


def _pairs(program: Program) -> Resources:
    """Of a lane with pointwise convolutions: words past the inverse transform, biases of imaginary parts."""
    if not program.pointwise:
        return Resources(0, 0, 0, 0)
    past = TRANSFORM_WORDS * 2 * PRODUCT_SUM.bits  # in shift registers
    bits = program.packed.re_bits if program.packed else program.accumulator_bits
    late = 2 * bits if program.packed else 4
    return Resources(
        dsp=0, lut=past + 2 * bits * program.config.drain, ff=late * program.config.drain, bram36=0
    )


def _array(program: Program) -> Resources:
    """The rows of a lane, three DSP slices each, and its drain."""
    rows, drain, acc = program.config.rows, program.config.drain, program.accumulator_bits
    groups = rows // drain
    index = max(1, (groups - 1).bit_length())
    muxed = 2 if program.run_ahead else 3  # held re and im, or the three sums
    hop = BANKS * 2 * program.spectrum_bits + 2  # X, on its way to the next group of rows
    return Resources(
        dsp=3 * rows,
        lut=6 * program.spectrum_bits * rows  # 8:1 select
        + 2
        * acc
        * (rows if program.run_ahead else drain)  # re and im, of a row that holds them or in the drain
        + drain * (7 * acc + 153)  # two parts through bias, shift, rounding and saturation
        + drain * muxed * acc * -(-(groups - 1) // 3),  # 4:1 multiplexers
        ff=(5 + 2 * acc if program.run_ahead else 3) * rows
        + hop * (groups - 1)
        + drain * ((10 if program.run_ahead else 13) * acc + 60 + muxed * index),
        bram36=0,
    )


def _packed_array(program: Program, packed: PackedProducts) -> Resources:
    """The rows of a lane, two DSP slices each, and its drain."""
    rows, drain = program.config.rows, program.config.drain
    groups, ahead = rows // drain, program.run_ahead
    index = max(1, (groups - 1).bit_length())
    added = packed.offset + 1 + packed.im_bits  # the fields of both sums
    muxed = (added if ahead else 2 * packed.sum_bits) + packed.wrap_bits
    hop = BANKS * 2 * packed.spectrum_bits + 2
    return Resources(
        dsp=2 * rows,
        lut=(6 * packed.spectrum_bits + 9 + packed.wrap_bits) * rows  # 8:1 select; the counter
        + added * (rows if ahead else drain)
        # Bias, wraps, and two parts through shift, rounding and saturation.
        + drain * (BIAS.bits + packed.wrap_bits + packed.im_bits + 3 * (packed.re_bits + packed.im_bits) + 76)
        + drain * muxed * -(-(groups - 1) // 3),  # 4:1 multiplexers
        ff=(21 + packed.wrap_bits) * rows
        + (3 + added + packed.wrap_bits) * rows * ahead
        + hop * (groups - 1)
        + drain * (muxed + added + 5 * (packed.re_bits + packed.im_bits) + 100 + 3 * index),
        bram36=0,
    )


def _shared(program: Program) -> Resources:
    """What exists once: memories, controllers, row weights, ports."""
    config = program.config
    line, layers, bits = config.line_pixels, len(program.network.layers), program.weight_bits
    groups = config.rows // config.drain
    # The weights of group j wait for j clocks: in shift registers from the third group on.
    ahead = program.run_ahead
    waiting = config.drain * (SELECT_BITS + 2 * bits + 2 * ahead)
    stages = -(-(line - 1).bit_length() // ROTATOR_LEVELS)
    banks = feature_banks(config, program.memory_lines)
    weights = _streamed(program) if config.stream_weights else _held(program)
    channel_bits = drain_group_bits(config.drain, program.shift_bits)
    table = memory if config.stream_weights else rom
    channels = _in_shares(table, [len(program.channel_bias)], channel_bits)
    if not channels.bram36 and not config.stream_weights:  # measured: most bits of a bias are its sign
        channels = replace(channels, lut=6 * len(program.channel_bias))
    controllers, control_port = 1100, 290 + 22 * layers
    rotators = line * ((2 * PIXEL_BITS + 1) * stages + 12)
    streams = _wide_streams(program)
    return Resources(
        dsp=0,
        lut=controllers
        + control_port
        + rotators
        + banks.lut
        + config.rows * (8 * bits + 30)  # factors; multiplexers after the weight memory
        + (config.rows * 8 if ahead else 0)  # mode of the bank selected; loads and holds on their way
        + max(0, groups - 3) * waiting
        + weights.lut
        + streams.lut
        + channels.lut,
        ff=750
        + 390
        + 64 * layers
        + line * 58
        + banks.ff
        + config.rows * (5 * bits + 8)
        + (config.rows * 4 + 2 * BANKS * groups if ahead else 0)
        + sum(range(min(groups, 3))) * waiting
        + weights.ff
        + streams.ff
        + channels.ff
        + 110,
        bram36=banks.bram36 + weights.bram36 + channels.bram36,
        uram=banks.uram,
    )


def _wide_streams(program: Program) -> Resources:
    """What streams take for every bit beyond the first 32, which are among the controllers: registers in
    image port, queue and result gate, the queue's memory, multiplexers between. As Yosys maps them (decision
    22), LUTs rounded up."""
    more = program.config.stream_bits - STREAM_BITS[0]
    return Resources(dsp=0, lut=2 * more, ff=3 * more + more // PIXEL_BITS, bram36=0)


def _held(program: Program) -> Resources:
    """The weight memory of a design that holds its weights."""
    bits = program.step_format.bits
    steps = _in_shares(rom, memory_depths(program.steps, min(bits, SHARE_BITS)), bits)
    return replace(steps, ff=steps.ff + bits)


def _streamed(program: Program) -> Resources:
    """Burst reader, channel loader, weight buffer and replay. Held against synthesis at 12 rows, not yet at
    64."""
    plan = program.stream
    bank = below_each_other(memory, memory_depths(plan.depth, UNIT_BITS), UNIT_BITS)
    rotator = plan.bus_bits * ((plan.beat_units - 1).bit_length() + 1) // ROTATOR_LEVELS
    sizes = len(set(plan.layer_units))
    column = plan.step_units * (UNIT_BITS * (sizes // 3 + 1) + 4)  # a LUT picks one of three units
    narrowest = min(layer.weight_bits for layer in program.layers)
    signs = program.step_format.bit_plane_width * (program.weight_bits - narrowest)  # sign extension
    queues = plan.bus_bits if program.config.memories > 1 else 0  # memory striping
    checksum = 340 + plan.bus_bits // 4  # 357 LUTs by Yosys for 64 bits, 610 for 1024
    loader = plan.drain_group_beats * plan.bus_bits  # an entry, and the beats of it that came before
    others = signs + checksum + 600 + memory(QUEUED_BEATS, queues)[1]
    return Resources(
        dsp=0,
        lut=rotator + column + plan.step_units * bank.lut + others,
        ff=plan.bus_bits + 2 * rotator + plan.step_units * (bank.ff + UNIT_BITS + 16) + 470 + queues + loader,
        bram36=plan.step_units * bank.bram36,
    )
