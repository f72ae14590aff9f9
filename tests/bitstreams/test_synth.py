"""Synthesis of small designs whose cells are known, and refusal of unsound logic."""

import json

import pytest

from bitstreams import synth
from hw import results
from hw.artifact import random_artifact
from hw.config import AcceleratorConfig
from hw.design import DesignInfo
from hw.errors import ArtifactError, ToolFailed
from hw.network import tiny

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
    (folder / "spec2.v").write_text(verilog)
    (folder / "rom.mem").write_text("".join(f"{i * 2654435761 & 0xFFFFFFFF:08x}\n" for i in range(1024)))
    DesignInfo("spec2", tiny(), AcceleratorConfig(), digest, files=("spec2.v", "rom.mem")).save(folder)
    return folder


def test_counts_cells_of_every_instance(tmp_path):
    passes = []
    result = synth.synthesise(design(tmp_path, MULTIPLIERS), progress=passes.append)
    assert result.resources == {"dsp": 2, "bram36": 1, "uram": 0, "lut": 1, "ff": 1}
    assert "product" not in result.cells, "an instance of a module is not a cell"
    assert result.tool.startswith("Yosys")
    assert "SYNTH_XILINX" in passes
    assert results.load(tmp_path, results.SYNTHESIS) == json.loads(json.dumps(result.to_json()))


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
        synth.synthesise(folder)
    assert results.load(folder, results.SYNTHESIS) is None


def test_a_syntax_error_names_the_log(tmp_path):
    with pytest.raises(ToolFailed, match=r"syntax error.*synthesis\.log"):
        synth.synthesise(design(tmp_path, "module spec2(;"))


def test_a_time_limit_ends_the_tool(tmp_path):
    with pytest.raises(ToolFailed, match="time limit"):
        synth.synthesise(design(tmp_path, MULTIPLIERS), timeout=0)


def test_without_a_design(tmp_path):
    with pytest.raises(ArtifactError, match="spec2 generate"):
        synth.synthesise(tmp_path)
