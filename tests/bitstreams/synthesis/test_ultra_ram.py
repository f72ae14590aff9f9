"""What Yosys makes of a feature memory that is to be UltraRAM."""

import msgspec
import pytest

from bitstreams.synthesis import netlist, yosys
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.cost.resources import feature_banks, spectrum_banks
from hw.emit import emit
from hw.gateware.datapath.ultra_bank import UltraBank
from hw.gateware.datapath.xbuffer import XBuffer
from hw.generate import generate
from hw.util.errors import ConfigError

SCRIPT = (
    "read_verilog bank.v; synth_xilinx -family xcup -top bank -noiopad -noclkbuf -uram; "
    "tee -q -o stat.json stat -json -top bank"
)
TIMEOUT = 600


@pytest.mark.parametrize(
    ("depth", "blocks"),
    [
        (15360, 1),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [(300, 1), (4096, 1), (4100, 1), (40000, 2)]
        ),
    ],
)
def test_a_bank_is_as_many_blocks_as_are_reckoned(tmp_path, depth, blocks):
    """UltraRAM and nothing else holds the lines, and no bitstream has to fill it."""
    made = emit(UltraBank(depth), "bank")
    assert made.images == {}
    (tmp_path / "bank.v").write_text(made.text)
    yosys._run(tmp_path, SCRIPT, tmp_path / yosys.LOG, TIMEOUT, None)
    stat = msgspec.to_builtins(netlist.read(tmp_path / "stat.json", netlist.Stat))
    found = yosys.count(stat, "xcup", 0)
    reckoned = feature_banks(AcceleratorConfig(line_pixels=8, feature_memory="ultra"), depth)
    assert 8 * found.uram == 8 * blocks == reckoned.uram and found.bram36 == 0
    assert not [name for name in found.cells if name.startswith("RAM")]
    if blocks == 1:  # of more, Yosys chains them in LUTs, a vendor tool in the column
        assert 8 * found.ff == reckoned.ff and 8 * found.lut <= 1.5 * reckoned.lut


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "bits", "blocks"), [(64, 16, 16), (64, 9, 8), (512, 16, 32), (4, 16, 0)])
def test_buffers_of_spectra_are_as_many_blocks_as_are_reckoned(tmp_path, groups, bits, blocks):
    """512 channels, at 9 bits a single column of blocks, 4,096 channels, and so few that LUTs hold them."""
    (tmp_path / "bank.v").write_text(emit(XBuffer(groups, bits=bits, ultra=True), "bank").text)
    yosys._run(tmp_path, SCRIPT, tmp_path / yosys.LOG, TIMEOUT, None)
    found = yosys.count(msgspec.to_builtins(netlist.read(tmp_path / "stat.json", netlist.Stat)), "xcup", 0)
    reckoned = spectrum_banks(AcceleratorConfig(spectrum_memory="ultra"), 16 * groups, 8 * bits)
    assert (found.uram, found.bram36) == (blocks, 0) == (reckoned.uram, reckoned.bram36)


@pytest.mark.parametrize("memory", ["feature_memory", "spectrum_memory"])
def test_a_device_without_any_is_refused(tmp_path, memory):
    generate(random_artifact(tiny()), AcceleratorConfig(4, 1, 1, **{memory: "ultra"}), tmp_path)
    with pytest.raises(
        ConfigError, match="has UltraRAM, of which xc7 has none: synthesise it for --family xcup"
    ):
        yosys.synthesise(tmp_path)


@pytest.mark.slow
def test_a_design_has_no_block_ram_for_maps(tmp_path):
    """Beside the same design with block RAM: all that differs is where maps lie, as the estimate has it."""
    found, expected = {}, {}
    for kind in ("block", "ultra"):
        config = AcceleratorConfig(4, 2, 1, feature_memory=kind)
        info = generate(random_artifact(tiny()), config, tmp_path / kind)
        found[kind] = yosys.synthesise(tmp_path / kind, family="xcup")
        expected[kind] = info.estimates
    banks = expected["ultra"]["uram"]
    assert found["ultra"].uram == banks > 0 and found["block"].uram == 0
    less = found["block"].bram36 - found["ultra"].bram36
    assert less == expected["block"]["bram36"] - expected["ultra"]["bram36"]
    assert found["ultra"].dsp == found["block"].dsp
