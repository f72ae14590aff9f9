"""Synthesis of small designs whose cells are known, and refusal of unsound logic."""

import json
from dataclasses import replace

import pytest

from bitstreams.synthesis import yosys
from bitstreams.synthesis.paths import paths
from hw.contract import results
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.emit import emit
from hw.gateware.datapath.wrap_counter import WrapCounter
from hw.util.errors import ArtifactError, ConfigError, ToolFailed
from tests.design_folder import save_design

MULTIPLIERS = """
module product(input clk, input signed [15:0] a, b, output reg signed [31:0] p);
  always @(posedge clk) p <= a * b;
endmodule
module spec2(input clk, input [9:0] address, input signed [15:0] a, b, output signed [31:0] p, q,
             output reg [31:0] word, output reg d);
  product first(clk, a, b, p);
  product second(clk, b, p[15:0], q);
  reg [31:0] rom [0:1023];
  initial $readmemh("rom.mem", rom);
  always @(posedge clk) word <= rom[address];
  always @(posedge clk) d <= a[0] ^ b[0];
endmodule
"""


def design(folder, verilog):
    """A design folder with that Verilog; everything else in it is ordinary."""
    digest = random_artifact(tiny()).digest
    rom = "".join(f"{i * 2654435761 & 0xFFFFFFFF:08x}\n" for i in range(1024))
    info = DesignInfo("spec2", tiny(), AcceleratorConfig(), digest)
    save_design(folder, info, {"spec2.v": verilog, "rom.mem": rom})
    return folder


def test_counts_cells_of_every_instance(tmp_path):
    passes, folder = [], design(tmp_path / "design", MULTIPLIERS)
    (tmp_path / "elsewhere").write_text("mine")
    links = [folder / name for name in (yosys.CHECK, yosys.LOG, yosys.STAT, yosys.NETLIST, results.SYNTHESIS)]
    for link in links:
        link.symlink_to(tmp_path / "elsewhere")
    result = yosys.synthesise(folder, progress=passes.append)
    assert result.resources == {"dsp": 2, "bram36": 1, "uram": 0, "lut": 1, "ff": 1}
    assert "product" not in result.cells, "an instance of a module is not a cell"
    assert result.tool.startswith("Yosys")
    assert "SYNTH_XILINX" in passes
    assert results.load(folder, results.SYNTHESIS) == json.loads(json.dumps(result.to_json()))
    assert not any(link.is_symlink() for link in links), "a link in a folder of others leads anywhere"
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_packed_products_are_not_split_over_narrow_slices(tmp_path):
    folder = design(tmp_path, MULTIPLIERS)
    replace(DesignInfo.load(folder), estimates={"wide_port": 27}).save(folder)
    with pytest.raises(ConfigError, match=r"port of 27 bits, the DSP48E1 of xc7 has 25: .* --family xcup"):
        yosys.synthesise(folder)


def test_a_wrap_counter_takes_a_lut_a_bit(tmp_path):
    """Yosys 0.68 maps for speed: in one module with the counter, the logic that adds up two wraps was
    repeated in each bit, in LUTs joined by MUXF7 and MUXF8, two to three more a bit, on short paths."""
    bits = 12
    found = yosys.synthesise(design(tmp_path, emit(WrapCounter(bits), "spec2").text))
    assert found.resources["lut"] <= bits + 9, found.cells
    assert found.resources["dsp"] == 0 and not any(cell.startswith("MUXF") for cell in found.cells)


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("output reg y); always @* if (a) y = b;", "latch"),
        ("output y); assign y = a; assign y = b;", "drivers"),
        ("output y); wire hidden; assign y = a & hidden;", "driver"),
        ("output y); wire loop; assign loop = (loop ^ a) & b; assign y = loop;", "loop"),
    ],
    ids=["latch", "two drivers", "no driver", "combinational loop"],
)
def test_refuses_unsound_logic_and_keeps_no_old_result(tmp_path, body, finding):
    folder = design(tmp_path, f"module spec2(input a, b, {body} endmodule")
    results.save(folder, results.SYNTHESIS, {"dsp": 1})
    with pytest.raises(ToolFailed, match=finding):
        yosys.synthesise(folder)
    assert results.load(folder, results.SYNTHESIS) is None


def test_a_syntax_error_names_the_log(tmp_path):
    with pytest.raises(ToolFailed, match=r"syntax error.*synthesis\.log"):
        yosys.synthesise(design(tmp_path, "module spec2(;"))


def test_what_fails_behind_the_mapping_to_luts_is_told(tmp_path):
    """Yosys in WebAssembly prints nothing any more behind its first ABC pass; its own log has it."""
    (tmp_path / "t.v").write_text("module t(input a, b, output y); assign y = a & b; endmodule\n")
    script = "read_verilog t.v; synth_xilinx -top t; select -assert-none t:LUT2"
    with pytest.raises(ToolFailed, match="Assertion failed: selection is not empty: t:LUT2"):
        yosys._run(tmp_path, script, tmp_path / yosys.LOG, 300, None)
    assert "Executing ABC pass" in (tmp_path / yosys.LOG).read_text()


def test_a_time_limit_ends_the_tool(tmp_path):
    with pytest.raises(ToolFailed, match="time limit"):
        yosys.synthesise(design(tmp_path, MULTIPLIERS), timeout=0)


def test_without_a_design(tmp_path):
    with pytest.raises(ArtifactError, match="spec2 generate"):
        yosys.synthesise(tmp_path)


def test_paths_are_counted_in_luts_between_registers(tmp_path):
    """A parity over 30 bits takes two levels of LUT6, one over 4 bits takes one; carry chains take none."""
    body = """
module spec2(input clk, input [29:0] d, input [7:0] f, input e,
             output reg wide, output reg narrow, output reg [7:0] sum, output unused);
  reg [29:0] r; reg [7:0] a; reg en; reg [99:0] many;
  always @(posedge clk) begin
    r <= d; a <= f; en <= e;
    wide <= ^r; narrow <= ^a[3:0]; sum <= sum + a;
    if (en) many <= {many[98:0], wide} ^ {many[0], many[99:1]};
  end
  assign unused = many[99];
endmodule
"""
    found = yosys.synthesise(design(tmp_path, body), paths=True).paths
    assert found is not None and found.longest == 2
    longest = found.worst[0]
    assert longest.levels == 2 and longest.start.startswith("r") and longest.end == "wide"
    assert len(longest.cells) == 2 and set(longest.cells) <= {f"LUT{inputs}" for inputs in range(2, 7)}
    ends = {path.end.split("[")[0]: path.levels for path in found.worst}
    assert ends["narrow"] == 1 and ends["sum"] == 1  # the carry chain behind the LUT is no level
    assert dict(found.fanout)["en"] == 100
    assert not (tmp_path / yosys.NETLIST).exists()


def test_a_loop_in_a_netlist_is_named():
    lut = {"type": "LUT2", "port_directions": {"I0": "input", "I1": "input", "O": "output"}}
    cells = {
        "a": lut | {"connections": {"I0": [2], "I1": [3], "O": [4]}},
        "b": lut | {"connections": {"I0": [4], "I1": [3], "O": [2]}},
    }
    with pytest.raises(ToolFailed, match="loop without a register"):
        paths({"modules": {"top": {"cells": cells, "netnames": {}}}}, "top")
