"""Deliberate faults in the accelerator: every one must show as a mismatch with the integer model.

The comparison is only worth what it catches. One fault is put into the memory images, where the running
simulator finds it, others into the gateware before it is generated.
"""

import shutil

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.memory_shares import SHARE_BITS
from hw.gateware.datapath import post, tile_input
from hw.gateware.primitives.micro_instruction import step_layout
from hw.generate import generate
from sim import model, rtl
from sim.rtl.mismatch import SCORES, first_mismatch
from tests.design_folder import seal
from tests.sim.bench.accelerators import NETWORKS, images

pytestmark = pytest.mark.verilator

CASE = ("tiny", "adaptive", 4, 2, 2)
STEPS = "spec2_steps_{}.mem"


def mismatch(folder, artifact):
    pictures = images("tiny", 4)
    return first_mismatch(model.run(artifact, pictures), rtl.simulate(folder, pictures).scores, SCORES)


@pytest.fixture
def design(accelerator, tmp_path):
    """A copy of a good design with its simulator, for a test to spoil."""
    folder, artifact = accelerator(*CASE)
    rtl.build(folder)
    copy = shutil.copytree(folder, tmp_path / "design", ignore=shutil.ignore_patterns("run"))
    return copy, artifact


def flip(folder, program, field, step):
    """Flip one bit of a field of one step in the weight memory: of ``bit_planes`` the sign of row 0's weight.

    A lower bit of a weight may be rounded away after the inverse transform, and rightly goes unseen.
    """
    offset = step_layout(program.step_format)[field].offset
    if field == "bit_planes":
        offset += (program.weight_bits - 1) * program.step_format.bit_plane_width
    share, offset = divmod(offset, SHARE_BITS)
    path = folder / STEPS.format(share)
    lines = path.read_text().split("\n")
    first = next(i for i, line in enumerate(lines) if set(line) <= {"0", "1"} and line)
    line = lines[first + step]
    place = len(line) - 1 - offset
    lines[first + step] = line[:place] + "10"[int(line[place])] + line[place + 1 :]
    path.write_text("\n".join(lines))
    seal(folder)


def test_without_a_fault_nothing_is_caught(design):
    assert mismatch(*design) is None


@pytest.mark.parametrize("field", ["bit_planes", "rows", "groups", "word"])
def test_a_flipped_bit_of_a_step_is_caught(design, field):
    """A weight bit, a bank address bit and a spectrum word bit of the second convolution."""
    folder, artifact = design
    program = compile_program(artifact, DesignInfo.load(folder).config)
    conv2 = program.layers[1]
    # A step whose row 0 multiplies in the second channel group, so that the address matters.
    busy = np.any(conv2.steps.weight[:, 0] != 0, axis=-1) & (conv2.steps.groups[:, 0] == 1)
    flip(folder, program, field, conv2.first_step + int(np.flatnonzero(busy)[0]))
    assert mismatch(folder, artifact) is not None


def regenerate(tmp_path):
    artifact = random_artifact(NETWORKS["tiny"], seed=7, kind=CASE[1])
    generate(artifact, AcceleratorConfig(*CASE[2:]), tmp_path / "design")
    return tmp_path / "design", artifact


@pytest.mark.slow
def test_a_wrong_rounding_constant_is_caught(tmp_path, monkeypatch):
    """Floor instead of half up after the inverse transform."""
    monkeypatch.setattr(post, "round_shift", lambda x, shift: x >> shift)
    assert mismatch(*regenerate(tmp_path)) is not None


@pytest.mark.slow
def test_a_wrong_bank_address_is_caught(tmp_path, monkeypatch):
    """Channels go to the bank beside their own."""

    monkeypatch.setattr(tile_input, "bank_and_group", lambda channel: (channel[:3] ^ 1, channel[3:]))
    assert mismatch(*regenerate(tmp_path)) is not None
