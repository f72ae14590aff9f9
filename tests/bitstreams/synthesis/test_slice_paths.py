"""What limits the clock of wide designs: a slice of the one for VGG16 at 224 × 224."""

import pytest

from bitstreams.synthesis import netlist, yosys
from bitstreams.synthesis.paths import excesses
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import vgg16
from hw.generate import generate

SLICE = AcceleratorConfig(
    rows=64,
    lanes=1,
    batch=1,
    line_pixels=64,
    memory_lines=49_152,
    stream_weights=True,
    bus_bits=1024,
    memories=2,
    weight_steps=16_384,
    products="packed",
    stream_bits=256,
)
"""One lane of ten, and all that they share as ten have it: lines of 64 pixels, two row bands, 128 bytes of
weights in a clock from two memories, streams of 256 bits."""

LOADS = 160
"""A fourth of what is allowed: eight rows of 19 bits hear in the same clock that a step comes."""

TIMEOUT = 3600


@pytest.mark.slow
def test_a_slice_of_vgg16_has_no_long_paths_or_wide_nets(tmp_path):
    """All 13 convolutions, N = 64, an eighth of the words, spectra of 11 bits, packed products."""
    generate(random_artifact(vgg16(), seed=1, density=1 / 8, spectrum_bits=11), SLICE, tmp_path / "design")
    folder = tmp_path / "design"
    info = DesignInfo.load(folder)
    script = yosys._script(info, "xc7") + yosys.NETLIST_SCRIPT
    yosys._run(folder, script, folder / yosys.LOG, TIMEOUT, None)
    mapped = netlist.read(folder / yosys.NETLIST, netlist.Netlist)
    assert excesses(mapped, info.top, loads=LOADS) == []
