"""Another model onto an accelerator that exists: the same network with other integers.

An accelerator that streams its weights holds the shape of its network and how often steps are replayed, and
nothing of a model but a digest: channel table and steps come from memory. So weights that take no more room
than those it was generated for run on it as they are; where a block has fewer steps, steps that add nothing
make up for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from hw.compile.compiler import channel_table, drain_lift, layer_tables, longest_sums
from hw.compile.program import Program, accumulator_bits
from hw.compile.step_table import StepTable
from hw.contract.artifact import Artifact
from hw.contract.network import Network
from hw.util.errors import ConfigError


def onto(
    base: Program,
    artifact: Artifact,
    *,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Program:
    """The program of ``artifact`` on the accelerator of ``base``, which needs no other bitstream for it.

    processes, progress: as in :func:`hw.compile.compiler.compile_program`. Raises ``ConfigError`` with
    everything that keeps the model from it.
    """
    _check_network(base, artifact.network)
    tables = layer_tables(
        artifact, base.config.rows, in_step=not base.run_ahead, processes=processes, progress=progress
    )
    plans = list({plan.number: plan for plan in base.layers}.values())
    reasons = [*_beyond_the_numbers(base, artifact), *_beyond_the_steps(base, tables)]
    if not reasons:
        tables = [
            table.padded(plan.steps.block_lengths).in_format_of(plan.steps)
            for table, plan in zip(tables, plans, strict=True)
        ]
        layers = tuple(
            replace(plan, layer=artifact.network.layers[plan.number], steps=tables[plan.number])
            for plan in base.layers
        )
        pairs = zip(base.layers, layers, strict=True)
        reasons = [
            f"layer {new.layer.name!r} is no longer an average of every channel by itself"
            for old, new in pairs
            if old.passes_by != new.passes_by
        ]
    if reasons:
        raise ConfigError(
            f"the model does not fit the accelerator of network {base.network.name!r}: {'; '.join(reasons)}. "
            "Generate one of its own"
        )
    weights = [artifact.layers[layer.name] for layer in artifact.network.layers]
    channels = [channel_table((layer.bias, layer.shift), base.config) for layer in weights]
    program = replace(
        base,
        network=artifact.network,
        digest=artifact.digest,
        layers=layers,
        channel_bias=np.concatenate([bias for bias, _ in channels]),
        channel_shift=np.concatenate([shift for _, shift in channels]) + base.drain_lift,
        operations=artifact.pruned_from.operations,
    )
    assert (program.stream, program.step_format) == (base.stream, base.step_format)
    return program


def _check_network(base: Program, network: Network) -> None:
    """Raises ``ConfigError`` unless ``network`` is that of ``base``, but for names."""
    if not base.config.stream_weights:
        raise ConfigError(
            f"the accelerator of network {base.network.name!r} holds its weights: one that was generated "
            "with --stream-weights takes other models"
        )
    wanted, found = _nameless(base.network), _nameless(network)
    if wanted != found:
        pairs = zip(wanted["layers"], found["layers"], strict=False)
        other = [layer.name for layer, (a, b) in zip(network.layers, pairs, strict=False) if a != b]
        what = f"layers {', '.join(other)} differ" if other else "input or number of layers differ"
        raise ConfigError(
            f"network {network.name!r} is another one than the accelerator's, {base.network.name!r}: {what}; "
            "generate an accelerator of its own"
        )


def _nameless(network: Network) -> dict[str, Any]:
    """A network as plain data, without names: layers are told by their numbers."""
    named = ("name", "sources")
    layers = [
        (type(layer), {key: value for key, value in asdict(layer).items() if key not in named}, sources)
        for layer, sources in zip(network.layers, network.sources, strict=True)
    ]
    return {"input": network.input, "images": (network.spread, network.constant), "layers": layers}


def _beyond_the_numbers(base: Program, artifact: Artifact) -> Iterator[str]:
    """Number formats of ``artifact`` that the accelerator of ``base`` is not made for."""
    if artifact.spectrum_bits != base.spectrum_bits:
        yield f"its spectra have {artifact.spectrum_bits} bits, the accelerator's {base.spectrum_bits}"
    plans = {plan.number: plan for plan in base.layers}
    weights = [artifact.layers[layer.name] for layer in artifact.network.layers]
    for i, (layer, held) in enumerate(zip(artifact.network.layers, weights, strict=True)):
        if (bits := artifact.bits_of(layer.name)) > plans[i].weight_bits:
            yield f"layer {layer.name!r} has weights of {bits} bits, more than {plans[i].weight_bits}"
        if tuple(held.word_shift.tolist()) != plans[i].word_shift:
            yield f"the spectra of layer {layer.name!r} are cut otherwise"
    lift = drain_lift([(w.bias, w.shift) for w in weights], [w.word_shift for w in weights])
    most = max(int(w.shift.max()) for w in weights) + base.drain_lift
    if lift > base.drain_lift or most >> base.shift_bits:
        yield "its sums are shifted further than the accelerator's"
    sums = longest_sums(artifact)
    if base.packed:
        if any(new > old for new, old in zip(sums, base.longest, strict=True)):
            yield f"it has sums of {sums.most:,} products, more than the accelerator's counters hold"
        low = -(1 << base.weight_bits - 1)
        if any(int(w.weight.min(initial=0)) <= low for w in weights):
            yield f"it has a weight of {low}, for which packed products have no room"
    elif accumulator_bits(sums.most, base.weight_bits, base.spectrum_bits) > base.accumulator_bits:
        yield f"it has sums of {sums.most:,} products, more than {base.accumulator_bits} bits hold"


def _beyond_the_steps(base: Program, tables: Sequence[StepTable]) -> Iterator[str]:
    """Layers with a block of more steps than the accelerator of ``base`` replays."""
    held = {plan.number: plan.steps.block_lengths for plan in base.layers}
    for number, table in enumerate(tables):
        more = table.block_lengths - held[number]
        if (more > 0).any():
            block = int(more.argmax())
            name = base.network.layers[number].name
            yield (
                f"layer {name!r} takes {int(table.block_lengths[block])} steps in block {block}, more than "
                f"{int(held[number][block])}"
            )
