"""Design folders that plans are made of, without the time that a generated one takes."""

from dataclasses import replace

from hw.contract.streamed_weights import stream_files
from tests.bitstreams.vivado_design import design as described
from tests.bitstreams.vivado_design import streamed
from tests.design_folder import save_design

FILES = {
    "spec2.v": 'module spec2(input clk);\n  initial $readmemb("a.mem", rom);\nendmodule\n',
    "a.mem": "0101\n",
}


ESTIMATES = {"dsp_total": 24, "lut": 12832, "ff": 17083, "bram36": 8.5, "cycles": 1847}


def save(folder, **estimates):
    """A design folder with the ports of a generated one."""
    save_design(folder, replace(described(), estimates={**ESTIMATES, **estimates}), FILES)
    return folder


def save_streamed(folder, memories=2, bits=256):
    """A design folder with the ports of one that reads its weights."""
    weights = {name: bytes([0xF7]) * 4096 for name in stream_files("spec2", memories)}  # no text
    save_design(folder, replace(streamed(memories, bits), estimates=ESTIMATES), FILES | weights)
    return folder
