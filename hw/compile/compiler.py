"""The compiler: artifact and configuration to the layer program the sequencer runs.

It decides, per layer: how the P lanes lie over the tile grid (R rows × Q columns), where maps live in
feature memory, how masks become steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw.compile.block_sets import group_work, set_sizes
from hw.compile.feature_maps import plan_maps
from hw.compile.lane_layout import GroupWork, LaneLayout, line_pixels
from hw.compile.layer_plan import LayerPlan
from hw.compile.limits import check_instructions, check_network, check_stream, check_sums, check_symmetric
from hw.compile.program import Program
from hw.compile.step_format import row_bits, step_format
from hw.compile.step_table import StepTable, irregular_tables, step_table
from hw.contract.artifact import Artifact
from hw.contract.config import BANKS, AcceleratorConfig
from hw.contract.formats import SPECTRUM
from hw.contract.narrow import no_shift
from hw.contract.network import Layer, Network, Shape
from hw.contract.packed_products import LongestSums

Channels = tuple[NDArray[np.integer], NDArray[np.integer]]
"""Bias and shift of every output channel of a layer."""


def compile_program(
    artifact: Artifact,
    config: AcceleratorConfig,
    *,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Program:
    """Compile ``artifact`` for an accelerator of ``config``.

    processes: how many irregular layers are scheduled at a time (:func:`hw.util.processes.in_order`), where
    that takes up to a minute each. ``progress`` hears the name of every layer that is waited for. Raises
    ``ConfigError`` when ``line_pixels`` is too small for a layer, and what :mod:`hw.compile.limits` raises.
    """
    check_network(artifact.network)
    if config.products == "packed":
        check_symmetric(artifact)
    layers = [artifact.layers[layer.name] for layer in artifact.network.layers]
    tables = layer_tables(artifact, config.rows, processes=processes, progress=progress)
    longest = longest_sums(artifact)
    if config.spare_steps:
        tables = [table.padded(_spared(table.block_lengths, config)) for table in tables]
        longest = LongestSums(*(int(_spared(np.array(count), config)) for count in longest))
    return assemble(
        artifact.network,
        config,
        tables,
        [(weights.bias, weights.shift) for weights in layers],
        digest=artifact.digest,
        weight_bits=[artifact.bits_of(layer.name) for layer in artifact.network.layers],
        longest=longest,
        operations=artifact.pruned_from.operations,
        spectrum_bits=artifact.spectrum_bits,
        word_shifts=[weights.word_shift for weights in layers],
    )


def _spared(counts: NDArray[np.int64], config: AcceleratorConfig) -> NDArray[np.int64]:
    """``counts`` of a model, of one that shall fit."""
    return -(-counts * (100 + config.spare_steps) // 100)


def layer_tables(
    artifact: Artifact,
    rows: int,
    *,
    in_step: bool = False,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> list[StepTable]:
    """The steps of every layer for an array of ``rows``; ``in_step``: its rows never run ahead. Otherwise as
    :func:`compile_program`."""
    layers = [(layer.name, artifact.layers[layer.name], layer.dot) for layer in artifact.network.layers]
    planned = {name for name, _, _ in layers if in_step or artifact.regular(name)}
    irregular = [(weights, dot) for name, weights, dot in layers if name not in planned]
    scheduled = irregular_tables(irregular, rows, processes)
    tables: list[StepTable] = []
    for name, weights, dot in layers:
        if progress:
            progress(name)
        if name in planned:
            tables.append(step_table(weights, rows, dot=dot, regular=True))
        else:
            tables.append(next(scheduled))
    return tables


def assemble(
    network: Network,
    config: AcceleratorConfig,
    tables: Sequence[StepTable],
    channels: Sequence[Channels],
    *,
    digest: str,
    weight_bits: Sequence[int],
    longest: LongestSums,
    operations: int,
    spectrum_bits: int = SPECTRUM.bits,
    word_shifts: Sequence[NDArray[np.integer]] | None = None,
) -> Program:
    """The program of ``network`` whose layers take the steps of ``tables`` (made for ``config.rows``), with
    the bias and shift of every output channel, weights of ``weight_bits`` per layer, sums of at most
    ``longest`` products, and spectra of ``spectrum_bits``, cut by the ``word_shifts`` of every layer. Needs
    no weights.

    Raises ``ConfigError`` when ``line_pixels`` is too small for a layer, and what :mod:`hw.compile.limits`
    raises.
    """
    check_network(network)
    pairs = zip(network.layers, network.inputs, strict=True)
    groups = max(-(-layer.weight_shape(shape)[1] // BANKS) for layer, shape in pairs)
    step = step_format(config.rows, max(weight_bits), groups, tables)
    sets = set_sizes(config, step, tables, weight_bits)
    work = [group_work(network, config, table) for table in tables]
    config = replace(config, line_pixels=config.line_pixels or line_pixels(network, config, work))

    def best_work(i: int, packs: bool) -> GroupWork:
        """Of layer i, with the number of sets that suits it. Of a chain with one block a set: its layers may
        be made in row bands, which cost more in layouts that are better otherwise."""
        layer, shape = network.layers[i], network.inputs[i]
        if not config.stream_weights or layer.dot or network.chain:
            return work[i]
        return sets.with_layout(layer, shape, tables[i], work[i], weight_bits[i], config, packs)

    steps = [
        len(table) * config.rows * row_bits(width) for table, width in zip(tables, weight_bits, strict=True)
    ]
    maps = plan_maps(network, config, best_work, steps)
    check_instructions(len(maps.instructions), len(network.layers), config)
    if not config.stream_weights:  # steps that the design holds name their words
        every = zip(tables, maps.lanes, network.layers, strict=True)
        tables = [table.repeated(layout.words(layer)) for table, layout, layer in every]
    cuts: Sequence[NDArray[np.integer]] = word_shifts or [no_shift() for _ in network.layers]
    lift = drain_lift(channels, cuts)
    table = [channel_table(channel, config) for channel in channels]
    first_steps = _before(list(map(len, tables)))
    first_drain_groups = _before([len(bias) for bias, _ in table])
    plans = []
    for instruction in maps.instructions:
        i = instruction.layer
        layer = network.layers[i]
        tile_rows, tile_columns = _tiles(layer, network.inputs[i], maps.lanes[i], config)
        plan = LayerPlan(
            layer=layer,
            number=i,
            source=maps.sources[i],
            dest=maps.dests[i],
            lanes=maps.lanes[i],
            tile_rows=tile_rows,
            tile_columns=tile_columns,
            top_group=instruction.top,
            group_rows=instruction.groups,
            blocks=-(-layer.outputs // config.rows),
            steps=tables[i],
            weight_bits=weight_bits[i],
            first_step=first_steps[i],
            first_drain_group=first_drain_groups[i],
            blocks_per_transform=-(-layer.outputs // config.rows),
            word_shift=tuple(cuts[i].tolist()),
        )
        if config.stream_weights and not layer.dot and _replayed(plan, config):
            blocks = sets.choose(layer, network.inputs[i], tables[i], work[i], maps.lanes[i], weight_bits[i])
            plan = replace(plan, weights_stay=True, blocks_per_transform=blocks)
        plans.append(plan)
    program = Program(
        network=network,
        config=config,
        digest=digest,
        layers=tuple(plans),
        channel_bias=np.concatenate([bias for bias, _ in table]),
        channel_shift=np.concatenate([shift for _, shift in table]) + lift,
        memory_lines=maps.lines,
        groups=groups,
        longest=longest,
        operations=operations,
        spectrum_bits=spectrum_bits,
        drain_lift=lift,
    )
    check_sums(program)
    if config.stream_weights:
        check_stream(program.stream, config)
    return program


def _tiles(layer: Layer, shape: Shape, lanes: LaneLayout, config: AcceleratorConfig) -> tuple[int, int]:
    """(rows, columns) of tiles; in dot mode an image is a tile, and those of a batch lie in a column."""
    return (config.batch, 1) if layer.dot else layer.tiles(shape, lanes.height)


def _replayed(plan: LayerPlan, config: AcceleratorConfig) -> bool:
    """Whether a block has several tile groups to go over."""
    return not plan.dot and plan.source.stacks(config.batch) * plan.group_rows * plan.group_columns > 1


def _before(counts: list[int]) -> list[int]:
    """Sums of ``counts`` before each."""
    return [sum(counts[:i]) for i in range(len(counts))]


def channel_table(
    channels: Channels, config: AcceleratorConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bias and shift of a layer, (blocks · rows / drain, drain), padded with zeros."""
    outputs = len(channels[0])
    size = -(-outputs // config.rows) * config.rows
    bias = np.zeros(size, np.int64)
    shift = np.zeros(size, np.int64)
    bias[:outputs], shift[:outputs] = channels
    return bias.reshape(-1, config.drain), shift.reshape(-1, config.drain)


def longest_sums(artifact: Artifact) -> LongestSums:
    """Products in the longest sums of a row."""
    word, dot = 1, 0
    for layer in artifact.network.layers:
        per_word = artifact.layers[layer.name].mask.sum(axis=1)  # (out, 32)
        if layer.dot:
            dot = max(dot, int(per_word.sum(axis=1).max()))
        else:
            word = max(word, int(per_word.max()))
    return LongestSums(word, dot)


def drain_lift(channels: Sequence[Channels], word_shifts: Sequence[NDArray[np.integer]]) -> int:
    """By how much a word is cut more than its sums are shifted, at most: 0 but for weights of few bits."""
    most = [int(cut.max()) - int(shift.min()) for (_, shift), cut in zip(channels, word_shifts, strict=True)]
    return max(0, *most)
