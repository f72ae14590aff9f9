"""Quantised ONNX files: QONNX, and QuantizeLinear with DequantizeLinear (QDQ).

Weights are real numbers behind their quantiser, and are taken as such. A quantiser of a map is its range, in
place of calibration; between QuantizeLinear and DequantizeLinear a map stands for itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from hw.contract.formats import PIXEL_BITS
from hw.util.errors import UnsupportedNetwork
from pruning.importers import onnx_quantisers
from pruning.importers.onnx_nodes import position_of
from pruning.importers.onnx_quantisers import TO_NEAREST, Grid, is_quantiser
from pruning.importers.onnx_steps import Steps
from pruning.importers.refusals import refuse, unsupported
from pruning.importers.values import Value

LEFT_AS_THEY_ARE = {"Flatten", "Identity", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""Operations that whole numbers go through as real ones do."""


class Quantised(Steps):
    """Takes quantisers, and everything else as before.

    Members: ``grids`` of maps that are whole numbers, by name; ``widths``, bits of what quantisers round maps
    to; ``directed``, where they do not round to the nearest.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.grids: dict[str, Grid] = {}
        self.widths: set[int] = set()
        self.directed: list[str] = []

    def step(self, node: onnx.NodeProto, names: list[str]) -> dict[str, Value]:
        self.current = names[0]
        value = self.values[self.current]
        if is_quantiser(node):
            if value.blocked is not None:
                return {node.output[0]: replace(value, ends=(*value.ends, position_of(node)))}
            try:
                return {node.output[0]: self._quantised(node, value)}
            except _ForTheHost as error:
                return {node.output[0]: self.assembler.leave(value, position_of(node), error)}
        if any(name in self.grids for name in names):
            return self._of_whole_numbers(node, names)
        found = super().step(node, names)
        if node.op_type in ("Gemm", "MatMul") and (step := self.constants.steps.get(node.input[1])):
            for made in found[node.output[0]].parts:
                if made is not None:
                    made.step = step
        return found

    def taken(self) -> list[str]:
        """Sentences on what the file gave."""
        found = []
        if self.constants.widths:
            found.append(
                f"weights of up to {max(self.constants.widths)} bits are the real numbers of the file"
            )
        if narrow := {bits for bits in self.widths if bits < PIXEL_BITS}:
            found.append(f"maps of {_listed(narrow)} bits have finer steps in the same range")
        if self.directed:
            found.append(f"rounded to the nearest, not in one direction: {', '.join(self.directed)}")
        if self.assembler.uncut:
            found.append(f"means above their range are not cut: {', '.join(self.assembler.uncut)}")
        return found

    def _quantised(self, node: onnx.NodeProto, value: Value) -> Value:
        """What a quantiser gives for a map."""
        position, name = position_of(node), self.current
        if node.input[0] != name:
            raise refuse(position, "its step follows from a map", "give it a constant one")
        if node.op_type == "BipolarQuant":
            raise _two_values(position)
        grid = onnx_quantisers.grid(node, self.constants.values, self.shapes[name])
        if node.op_type == "DequantizeLinear":
            if name not in self.grids:
                raise refuse(
                    position, "it takes a map of real numbers", "put a QuantizeLinear in front of it"
                )
            before = self.grids[name]
            if not (_same(before.step, grid.step) and _same(before.zero, grid.zero)):
                raise refuse(
                    position,
                    "its step or zero point is not that of the QuantizeLinear in front of it",
                    "give both the same",
                )
            return value
        if not grid.uniform:
            raise refuse(
                position,
                "the channels of a map have steps of their own",
                "quantise maps as a whole (per tensor), and weights alone by channel",
            )
        cut = onnx_quantisers.cut_bits(node, self.constants.values) if node.op_type == "Trunc" else None
        if cut is not None:
            return self._truncated(node, value, grid, cut)
        value = self._ranged(node, value, grid)
        if node.op_type == "QuantizeLinear":
            self.grids[node.output[0]] = grid
        return value

    def _ranged(self, node: onnx.NodeProto, value: Value, grid: Grid) -> Value:
        position = position_of(node)
        if grid.bits > PIXEL_BITS:
            raise _for_the_host(
                position,
                f"a map of {grid.bits} bits, and the hardware's maps have {PIXEL_BITS}",
                f"quantise it to {PIXEL_BITS} bits or fewer",
            )
        if grid.bits == 1:
            raise _two_values(position)
        self.widths.add(grid.bits)
        if grid.rounding not in TO_NEAREST:
            self.directed.append(position)
        return self.assembler.ranged(value, position, *grid.range, step=float(grid.step.flat[0]))

    def _truncated(self, node: onnx.NodeProto, value: Value, grid: Grid, cut: int) -> Value:
        """A Trunc that leaves bits out and counts in the same steps, so that its map becomes smaller."""
        position = position_of(node)
        if bool((grid.zero != 0).any()):
            raise refuse(position, "it truncates around a zero point", "quantise with a zero point of 0")
        if grid.rounding not in TO_NEAREST:
            self.directed.append(position)
        if value.average is not None:
            return self.assembler.average(value, position, lambda x: x * 0.5**cut)
        return self.assembler.affine(value, position, node.op_type, factor=0.5**cut)

    def _of_whole_numbers(self, node: onnx.NodeProto, names: list[str]) -> dict[str, Value]:
        """An operation between QuantizeLinear and DequantizeLinear."""
        grid = self.grids.get(names[0])
        if grid is None or len(names) > 1 or node.input[0] != names[0]:
            raise _in_integers(node)
        if node.op_type == "Clip":
            ends = [*node.input[1:], "", ""][:2]
            least, most = (
                self.constants.number(node, i + 1, end) if ends[i] else end
                for i, end in enumerate((grid.least, grid.most))
            )
            found = {node.output[0]: self._ranged(node, self.values[names[0]], grid.within(least, most))}
            grid = grid.within(least, most)
        elif node.op_type in LEFT_AS_THEY_ARE:
            found = super().step(node, names)
        else:
            raise _in_integers(node)
        self.grids |= dict.fromkeys(found, grid)
        return found


class _ForTheHost(UnsupportedNetwork):
    """A map that the hardware cannot have, but that the host can make of the last one."""


def _for_the_host(position: str, what: str, way_out: str) -> UnsupportedNetwork:
    return _ForTheHost(str(refuse(position, what, way_out)))


def _two_values(position: str) -> UnsupportedNetwork:
    return _for_the_host(
        position,
        "a map of two values, which is a step function, and the hardware's maps go straight from zero",
        "use activations of 2 bits or more",
    )


def _in_integers(node: onnx.NodeProto) -> UnsupportedNetwork:
    return unsupported(position_of(node), "QLinear")


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(np.allclose(first, second, rtol=1e-6, atol=0))


def _listed(numbers: set[int]) -> str:
    return " and ".join(str(n) for n in sorted(numbers))
