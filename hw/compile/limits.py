"""What no accelerator goes beyond: one list, checked wherever a program is made, with weights or without.

Each limit follows from a register's field, a number format or a slice; :mod:`hw.contract.config` has those of
single parameters.
"""

from __future__ import annotations

from hw.compile.program import Program, signed_channels
from hw.compile.weight_stream import LEAST_PORT_BITS, StreamPlan
from hw.contract.artifact import Artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Network
from hw.contract.packed_products import SUM_BITS
from hw.host_interface.registers import LAYERS, MAX_LAYERS, MEMORY_ADDRESS_BITS, SHAPE
from hw.util.errors import ConfigError, UnsupportedNetwork

MOST_LAYERS = min(MAX_LAYERS, SHAPE.largest("layers"))
"""Layers with counters of their own, and a number that SHAPE can tell."""

MOST_INSTRUCTIONS = LAYERS.largest("last") + 1
"""Instructions of the layer program that LAYERS can name."""


def check_network(network: Network) -> None:
    """Raises ``UnsupportedNetwork`` for a network that no configuration can run."""
    if len(network.layers) > MOST_LAYERS:
        raise UnsupportedNetwork(
            f"network {network.name!r} has {len(network.layers)} layers, more than the {MOST_LAYERS} "
            "that the accelerator's registers count: leave the last ones to the host"
        )
    for number in range(len(network.layers)):
        signed_channels(network, number)


def check_sums(program: Program) -> None:
    """Raises ``ConfigError`` where sums of ``program`` need more bits than a slice has, or packed weights."""
    bits = program.accumulator_bits
    if program.packed is None and bits > SUM_BITS:
        raise ConfigError(
            f"a sum of {program.longest.most:,} products with weights of {program.weight_bits} bits takes "
            f"{bits} bits, more than the {SUM_BITS} of a DSP slice: take narrower weights, or prune harder"
        )


def check_symmetric(artifact: Artifact) -> None:
    """Raises ``ConfigError`` for a weight that packed products have no room for: the lowest of its width."""
    if names := lowest_weights(artifact):
        bits = max(map(artifact.bits_of, artifact.layers))
        top = (1 << bits - 1) - 1
        raise ConfigError(
            f"layer {names[0]!r} has a weight of {-top - 1}, and packed products take {-top} to {top} of "
            f"{bits} bits: requantise it, or set products = three"
        )


def lowest_weights(artifact: Artifact) -> list[str]:
    """Layers with a weight that is the lowest of the widest layer's width: it has no positive counterpart."""
    lowest = -(1 << max(map(artifact.bits_of, artifact.layers)) - 1)
    return [name for name, layer in artifact.layers.items() if layer.weight.min(initial=0) <= lowest]


def check_instructions(instructions: int, layers: int, config: AcceleratorConfig) -> None:
    """Raises ``ConfigError`` where layers in row bands make a layer program of too many ``instructions``."""
    if instructions > MOST_INSTRUCTIONS:
        raise ConfigError(
            f"with {config.memory_lines} memory_lines {layers} layers in row bands are {instructions} "
            f"instructions of the layer program, more than the {MOST_INSTRUCTIONS} that a register can name: "
            "raise memory_lines or line_pixels"
        )


def check_stream(plan: StreamPlan, config: AcceleratorConfig) -> None:
    """Raises ``ConfigError`` for memories too many for the beat of ``plan``, and for weights beyond the last
    address of any."""
    if plan.bus_bits // config.memories < LEAST_PORT_BITS:
        most = max(1, plan.bus_bits // LEAST_PORT_BITS)
        raise ConfigError(
            f"a step of this design takes {plan.bus_bits} bits a clock at most, less than "
            f"{LEAST_PORT_BITS} for each of {config.memories} memories: set memories to {most}, or raise rows"
        )
    if plan.bytes > 1 << MEMORY_ADDRESS_BITS:
        raise ConfigError(
            f"weights of {plan.bytes:,} bytes are more than {MEMORY_ADDRESS_BITS} address bits reach"
        )
