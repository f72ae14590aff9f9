"""Timing of routed designs from a small SDF as nextpnr-xilinx writes it, and the data sheets' delays."""

import json

import pytest

from bitstreams.flows import block_delays, sdf
from bitstreams.flows.routed_timing import Block, analyse, blocks
from hw.util.errors import ToolFailed

REGISTERED = {"AREG": 1, "BREG": 2, "MREG": 1, "PREG": 1}


def delay(ns):
    return f"({ns * 500:g}:{ns * 750:g}:{ns * 1000:g}) ({ns * 500:g}:{ns * 500:g}:{ns * 900:g})"


def cell(kind, name, *, paths=(), setup=()):
    """A cell in the writer's words; flip-flops have the 0.1 ns that nextpnr-xilinx takes for all of them."""
    lines = [f'  (CELL\n    (CELLTYPE "{kind}")\n    (INSTANCE {name})']
    lines += [f"        (IOPATH {a} {b} {delay(ns)})" for a, b, ns in paths]
    for port in setup:
        lines += [
            f"      (SETUPHOLD ({edge} {port}) (posedge CK) {delay(0.1)})" for edge in ("posedge", "negedge")
        ]
    return "\n".join([*lines, "    )"])


def flip_flop(name):
    return cell("SLICE_FFX", name, paths=[("CK", "Q", 0.1)], setup=["D", "CE"])


def text(wires, *cells):
    connects = [f"        (INTERCONNECT {a} {b} {delay(ns)})" for a, b, ns in wires]
    head = (
        '(DELAYFILE\n  (SDFVERSION "3.0")\n  (TIMESCALE 1ps)\n  (CELL\n    (CELLTYPE "top")\n    (INSTANCE )'
    )
    return "\n".join([head, "    (DELAY\n      (ABSOLUTE", *connects, "      )\n    )\n  )", *cells, ")"])


CELLS = [
    *map(flip_flop, ("a", "b", r"serial.bytes\[3\]")),
    cell("SLICE_LUTX", r"\$abc\$7\$lut", paths=[("A1", "O6", 0.2), ("A6", "O6", 0.1)]),
    cell("RAMB36E1_RAMB36E1", r"core.memory\[0\]"),
    cell("DSP48E1_DSP48E1", "mac"),
    cell("BUFGCTRL", "buffer", paths=[("I0", "O", 0.2)]),
]
WIRES = [
    ("a/Q", r"\$abc\$7\$lut/A1", 1.0),
    ("b/Q", r"\$abc\$7\$lut/A6", 1.5),
    (r"\$abc\$7\$lut/O6", r"serial.bytes\[3\]/D", 0.5),
    ("buffer/O", "a/CK", 9.0),
    ("buffer/O", r"core.memory\[0\]/CLKARDCLKL", 9.0),
    ("buffer/O", "mac/CLK", 9.0),
]
RAM = {"core.memory[0]": Block("RAMB36E1", {"DOA_REG": 0, "DOB_REG": 1})}
DSP = {"mac": Block("DSP48E1", REGISTERED)}


def timing(*wires, found=None):
    return analyse(sdf.parse(text([*WIRES, *wires], *CELLS).splitlines()), {} if found is None else found)


def test_logic_alone_is_timed_as_nextpnr_does():
    """0.1 to Q, 1.5, 0.1 in the LUT, 0.5, 0.1 of setup: the longer one of two ways, and no clock."""
    routed = timing()
    assert routed.period_ns == pytest.approx(2.3) and routed.mhz == pytest.approx(434.78, abs=0.01)
    assert (routed.start, routed.end) == ("b/Q", "serial.bytes[3]/D")
    assert routed.worst == {"logic to logic": 2.3} and routed.unknown == ()


def test_block_rams_begin_and_end_paths():
    wires = ("a/Q", r"core.memory\[0\]/ADDRARDADDRL5", 1.0), (r"core.memory\[0\]/DOADO12", "b/D", 0.9)
    assert timing(*wires).period_ns == 2.3, "what nextpnr-xilinx sees"
    routed = timing(*wires, found=RAM)
    assert routed.worst == {"RAMB36E1 to logic": 3.46, "logic to RAMB36E1": 1.75, "logic to logic": 2.3}
    assert routed.period_ns == 3.46 and routed.start == "core.memory[0]/DOADO12"
    assert routed.to_json()["mhz"] == 289.02
    registered = timing((r"core.memory\[0\]/DOBDO12", "b/D", 0.9), found=RAM)
    assert registered.worst["RAMB36E1 to logic"] == 1.89, "port B has its output register"


def test_a_path_through_logic_keeps_where_it_began():
    lut = r"\$abc\$7\$lut"
    wires = [
        (r"core.memory\[0\]/DOADO0", f"{lut}/A2", 0.4),
        (f"{lut}/O6", r"core.memory\[0\]/ENARDENU", 2.0),
    ]
    cells = [*CELLS[:3], cell("SLICE_LUTX", lut, paths=[("A1", "O6", 0.2), ("A2", "O6", 0.1)]), *CELLS[4:]]
    routed = analyse(sdf.parse(text([*WIRES, *wires], *cells).splitlines()), RAM)
    assert routed.worst["RAMB36E1 to RAMB36E1"] == round(2.46 + 0.4 + 0.1 + 2.0 + 0.48, 3)
    assert (routed.start, routed.end) == ("core.memory[0]/DOADO0", "core.memory[0]/ENARDENU")


def test_dsp_slices_begin_and_end_paths():
    wires = [("a/Q", "mac/A3", 1.0), ("a/Q", "mac/B3", 0.5), ("a/Q", "mac/CEP", 0.2), ("mac/P0", "b/CE", 0.7)]
    routed = timing(*wires, found=DSP)
    assert routed.worst["logic to DSP48E1"] == 1.48 and routed.worst["DSP48E1 to logic"] == 1.28
    slow = timing(*wires, found={"mac": Block("DSP48E1", {"MREG": 1})})
    assert slow.worst["logic to DSP48E1"] == 4.76 and slow.worst["DSP48E1 to logic"] == 3.44


def test_what_no_table_knows_is_named():
    routed = timing(("a/Q", "mac/ACIN3", 1.0), ("mac/ACOUT0", "b/D", 50.0), found=DSP)
    assert routed.unknown == ("mac/ACIN3",) and routed.period_ns == 2.3


@pytest.mark.parametrize(
    ("kind", "port", "registers", "ns"),
    [
        ("RAMB18E1", "DIADI15", {}, 0.78),
        ("RAMB18E1", "DIPBDIP1", {}, 0.78),
        ("RAMB36E1", "WEBWEU7", {}, 0.54),
        ("RAMB36E1", "REGCEAREGCEL", {}, 0.48),
        ("RAMB36E1", "RSTREGARSTREGL", {}, 0.48),
        ("RAMB36E1", "ADDRBWRADDRU14", {}, 0.65),
        ("DSP48E1", "A29", {"PREG": 1}, 5.89),
        ("DSP48E1", "C47", {"PREG": 1}, 2.33),
        ("DSP48E1", "D24", {"DREG": 1, "ADREG": 1, "MREG": 1, "PREG": 1}, 0.42),
        ("DSP48E1", "RSTM", REGISTERED, 0.27),
        ("DSP48E1", "OPMODE6", REGISTERED, 2.33),
        ("DSP48E1", "PCIN47", REGISTERED, 1.84),
        ("DSP48E1", "A0", {}, None),
        ("DSP48E1", "CARRYINSEL2", {"MREG": 1}, None),
    ],
)
def test_the_table_of_setups(kind, port, registers, ns):
    assert block_delays.setup(kind, port, registers) == ns


def test_blocks_of_a_netlist(tmp_path):
    path = tmp_path / "top.json"
    cells = {
        "ram": {"type": "RAMB18E1", "parameters": {"DOA_REG": "1".zfill(32), "RAM_MODE": "TDP", "SIM": ""}},
        "lut": {"type": "LUT2", "parameters": {"INIT": "1000"}},
        "mac": {"type": "DSP48E1", "parameters": {"AREG": "10".zfill(32), "USE_MULT": "MULTIPLY"}},
    }
    path.write_text(json.dumps({"creator": "y", "modules": {"top": {"cells": cells, "ports": {}}}}))
    assert blocks(path) == {"ram": Block("RAMB18E1", {"DOA_REG": 1}), "mac": Block("DSP48E1", {"AREG": 2})}
    path.write_text('{"modules": {}}')
    with pytest.raises(ToolFailed, match="no module 'top'"):
        blocks(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("(1000:1000:1000)", "(1000)"), "a line that is not read"),
        (("TIMESCALE 1ps", "TIMESCALE 1ns"), "in units of '1ns'"),
    ],
)
def test_another_sdf_is_refused(change, message):
    line = text([("a/Q", "b/D", 1.0)], *CELLS).replace("(500:750:1000)", "(1000:1000:1000)").replace(*change)
    with pytest.raises(ToolFailed, match=message):
        sdf.parse(line.splitlines())


def test_no_timing_without_paths(tmp_path):
    with pytest.raises(ToolFailed, match="left no SDF"):
        sdf.read(tmp_path / "absent")
    (tmp_path / "empty.sdf").write_text("(DELAYFILE\n)\n")
    with pytest.raises(ToolFailed, match="no wires"):
        sdf.read(tmp_path / "empty.sdf")
    with pytest.raises(ToolFailed, match="no path from a register"):
        analyse(sdf.parse(text([("buffer/O", "a/CK", 1.0)], *CELLS).splitlines()), {})


def test_logic_in_a_circle_is_refused():
    lut = r"\$abc\$7\$lut"
    with pytest.raises(ToolFailed, match="a loop without a register"):
        timing((f"{lut}/O6", f"{lut}/A1", 0.1))
