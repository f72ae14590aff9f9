"""The memory of virtual boards, in C++: every width, strobes, regions, errors, clocks, and the rules of AXI4.

``memory_program.cpp`` plays the managers.
"""

import subprocess
from pathlib import Path

import pytest

from sim.rtl.verilate import build_simulator
from sim.virtual.build import HARNESS
from sim.virtual.memory import STRIDE, MemoryConditions, ports_header

pytestmark = pytest.mark.verilator


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """The module in it is there for Verilator alone."""
    files = {"top.v": "module top(input clk); endmodule\n"}
    sources = [Path(__file__).with_name("memory_program.cpp")]
    sources += [HARNESS / name for name in ("memory.h", "read_port.h", "write_port.h")]
    files |= {path.name: path.read_text(encoding="utf-8") for path in sources}
    return build_simulator(tmp_path_factory.mktemp("memory"), "top", files)


def asked(program: Path, name: str) -> str:
    return subprocess.run([program, name], capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("widths", "fine"),
        ("store", "1 219 219"),
        ("strobes", "1 219 3 219 5 219 7 219"),
        ("outside", "0033 3 0"),
        ("last", "refused: WLAST with another beat than the last one of its burst"),
        ("page", "refused: a burst that leaves its 4 KiB"),
        ("unaligned", "refused: a burst that begins within a beat"),
        ("narrow", "refused: beats narrower than the bus"),
        ("fixed", "refused: a burst of another kind than INCR"),
        ("withdrawn", "refused: AR withdrew or changed what it offered"),
        ("changed", "refused: W withdrew or changed what it offered"),
    ],
)
def test_memory_does_as_it_is_told_and_refuses_what_axi_forbids(program, name, answer) -> None:
    assert asked(program, name) == answer


def test_every_burst_has_its_error(program) -> None:
    """One beat of a read; nothing of a write reaches memory."""
    *reads, write, unwritten, count = asked(program, "errors").split()
    assert all(sorted(read) == [*"00000002"] for read in reads) and len(set(reads)) > 1
    assert (write, unwritten, count) == ("2", "1", "3")


def test_conditions_take_their_clocks_and_are_the_same_again(program) -> None:
    plain, late, refreshed, rough, again = map(int, asked(program, "clocks").split())
    assert late == plain + 40
    assert 4 * 8 <= refreshed <= 4 * 10
    assert rough == again > plain + 9


def test_ports_are_told_to_the_harness() -> None:
    header = ports_header(["m_axi_0", "m_axi_1"], ["m_load"])
    assert f"PORT(m_axi_1, 0x{STRIDE:X}ull, 0x{STRIDE:X}ull)" in header
    assert f"PORT(m_load, 0x0ull, 0x{2 * STRIDE:X}ull)" in header
    assert "#define READ_PORTS(PORT)\n" in ports_header()


def test_every_condition_is_an_option_of_the_program() -> None:
    source = (HARNESS / "program.h").read_text()
    options = MemoryConditions().arguments()[::2]
    assert len(options) == 6 and all(f'"{name[2:]}"' in source for name in options)
