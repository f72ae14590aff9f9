"""Aligned delay lines and per-layer constants."""

from collections.abc import Sequence

from amaranth import Array, Const, Module, Shape, Signal
from amaranth.hdl import ValueCastable
from amaranth.utils import bits_for


def delay(m: Module, value, clocks: int, *, name: str, reset: bool = False):
    """``value`` as it was ``clocks`` clocks ago.

    ``reset`` for control (valid bits, tokens); data lines are not reset, so that they become shift
    registers (SRL).
    """
    for i in range(clocks):
        shape = value.shape()
        stage = Signal(shape, name=f"{name}_{i + 1}", reset_less=not reset)
        m.d.sync += stage.eq(value)
        value = stage
    return value


def without_reset(m: Module, port, *, name: str):
    """A register for an output port which is no control: assign it in place of ``port``."""
    init = {} if isinstance(port, ValueCastable) else {"init": port.init}
    register = Signal(port.shape(), name=name, reset_less=True, **init)
    m.d.comb += port.eq(register)
    return register


MAX_FANOUT = 64
"""Loads that a register should drive at most, of signals that drive the bits of a step, a line or a beat."""


def replicate(m: Module, value, *, name: str, reset: bool = False) -> Signal:
    """A register of ``value`` that stays apart from others of the same value; ``reset`` as for :func:`delay`.

    Synthesis merges registers with equal inputs, and the replicas of a signal that drives too much for
    one register would be one again. ``keep`` on the register stops yosys and Vivado alike.
    """
    out = Signal(value.shape(), name=name, reset_less=not reset, attrs={"keep": "true"})
    m.d.sync += out.eq(value)
    return out


def replicas(m: Module, value, count: int, *, name: str, reset: bool = False) -> list[Signal]:
    """``count`` registers of ``value`` that stay apart, for as many shares of what it drives."""
    return [replicate(m, value, name=f"{name}_{i}", reset=reset) for i in range(count)]


def per_layer(m: Module, layer: Signal, values: Sequence[int], *, name: str) -> Signal:
    """A register that holds ``values[layer]``, one clock after ``layer``.

    The sequencer changes ``layer`` at least two clocks before it starts the layer.
    """
    signed = min(values) < 0
    width = max(bits_for(v, require_sign_bit=signed) for v in values)
    shape = Shape(width, signed)
    out = Signal(shape, name=name, reset_less=True)
    m.d.sync += out.eq(Array(Const(v, shape) for v in values)[layer])
    return out
