"""Block RAMs and their output registers, in netlists."""

import pytest

from bitstreams.synthesis.output_registers import unregistered
from bitstreams.synthesis.paths import excesses
from tests.bitstreams.synthesis.test_paths import cell

FLIP_FLOP = {"first": cell("FDRE", {"D": [1]}, {"Q": [3]}), "second": cell("FDRE", {"D": [2]}, {"Q": [4]})}


@pytest.mark.parametrize(
    ("kind", "readers", "what"),
    [
        ("RAMB36E1", FLIP_FLOP, None),
        ("URAM288", FLIP_FLOP, None),
        ("RAM64M", {"lut": cell("LUT2", {"I0": [1], "I1": [2]}, {"O": [3]})}, None),
        ("RAMB18E1", FLIP_FLOP | {"lut": cell("LUT1", {"I0": [2]}, {"O": [5]})}, "LUT1"),
        ("RAMB36E2", FLIP_FLOP | {"third": cell("FDRE", {"D": [1]}, {"Q": [5]})}, "two registers"),
        ("RAMB36E1", {"enable": cell("FDRE", {"D": [9], "CE": [1]}, {"Q": [3]})}, "FDRE"),
        ("URAM288", FLIP_FLOP | {"other": cell("RAMB36E1", {"ADDRARDADDR": [1]}, {})}, "RAMB36E1"),
    ],
)
def test_a_block_is_read_by_registers_of_its_own_alone(kind, readers, what):
    """Bits that nothing reads do not matter; two blocks of a memory are one."""
    blocks = {
        "core.lane_3.memory.0.0": cell(kind, {"CLKARDCLK": [7]}, {"DOADO": [1, 6]}),
        "core.lane_3.memory.0.1": cell(kind, {"CLKARDCLK": [7]}, {"DOADO": [2], "DOPADOP": []}),
    }
    found = unregistered(blocks | readers)
    said = f"core.lane_3.memory: read by {what}, not by registers of its own"
    assert found == ([said] if what else [])
    netlist = {"modules": {"top": {"cells": blocks | readers, "netnames": {}}}}
    assert excesses(netlist, "top") == found
