"""The board around the accelerator: the Verilog that goes beside ``spec2.v``."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.gateware.accelerator import Accelerator
from hw.gateware.ports.axi import flat_ports
from hw.serial_design import TOP, emit_serial
from hw.util.errors import ConfigError
from tests.hw.gateware.conftest import RUN_YOSYS


@pytest.fixture(scope="module")
def ports() -> dict[str, tuple[int, str]]:
    """Width and direction of the accelerator's ports."""
    component = Accelerator(compile_program(random_artifact(tiny(), seed=1), AcceleratorConfig(4, 2, 2)))
    component._MustUse__silence = True
    found = {"clk": (1, "input"), "rst": (1, "input")}
    flows = {
        "_".join(map(str, path)): member.flow for path, member, _ in component.signature.flatten(component)
    }
    for name, (value, _) in flat_ports(component).items():
        found[name] = len(value), "input" if str(flows[name]) == "In" else "output"
    return found


@pytest.fixture(scope="module")
def info(ports) -> DesignInfo:
    widths = {name: width for name, (width, _) in ports.items()}
    return DesignInfo("spec2", tiny(), AcceleratorConfig(4, 2, 2), "00" * 32, ports=widths)


@pytest.fixture(scope="module")
def text(info) -> str:
    return emit_serial(info, 16)


def test_the_same_design_gives_the_same_bytes(info, text) -> None:
    assert emit_serial(info, 16) == text
    assert emit_serial(info, 17) != text


def test_the_top_has_four_ports_and_one_accelerator(text) -> None:
    (found,) = re.findall(rf"^module {TOP}\((.*?)\);", text, re.MULTILINE)
    assert set(found.split(", ")) == {"clk", "rst", "uart_rx", "uart_tx"}
    assert len(re.findall(r"^  spec2 accelerator \($", text, re.MULTILINE)) == 1
    assert "module spec2(" not in text and "readmem" not in text


def test_names_of_its_modules_are_its_own(text) -> None:
    modules = re.findall(r"^module \\?(\S+?)\s*\(", text, re.MULTILINE)
    assert len(modules) > 5
    assert all(name == TOP or name.startswith(TOP + "_") for name in modules)


def test_it_connects_every_port_and_the_line_idles_high(ports, text, tmp_path) -> None:
    """Yosys joins it with a module that has the accelerator's ports, and finds where ``uart_tx`` starts."""
    declared = ", ".join(f"{way} [{width - 1}:0] {name}" for name, (width, way) in ports.items())
    (tmp_path / "board.v").write_text(text + f"\n(* blackbox *) module spec2({declared}); endmodule\n")
    script = (
        f"read_verilog board.v; hierarchy -check -top {TOP}; proc; check -assert; flatten; opt_clean; "
        f"select -assert-count 1 {TOP}/t:spec2; write_rtlil flat.il"
    )
    command = [sys.executable, "-c", RUN_YOSYS, "-p", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning: Resizing" not in done.stdout + done.stderr
    flat = (tmp_path / "flat.il").read_text()
    wires = re.findall(r"attribute \\init (\S+)\n(?:  attribute .*\n)*  wire .*\\transmitter\.tx\n", flat)
    wires += re.findall(
        r"attribute \\init (\S+)\n(?:  attribute .*\n)*  wire (?:output \d+ )?\\uart_tx\n", flat
    )
    assert wires == ["1'1"]
    for name in ports:
        assert f"\\{name} " in flat


@pytest.mark.parametrize("change", [{"s_axil_awaddr": 13}, {"extra": 1}, {"m_axis_tlast": None}])
def test_an_accelerator_with_other_ports_is_refused(info, change) -> None:
    widths = {name: width for name, width in {**info.ports, **change}.items() if width}
    with pytest.raises(ConfigError, match=rf"other ports than .* \({next(iter(change))}\): generate"):
        emit_serial(replace(info, ports=widths), 16)


def test_too_few_clocks_per_bit_are_refused(info) -> None:
    with pytest.raises(ConfigError, match="at least 4 clocks per bit, not 3"):
        emit_serial(info, 3)


def test_a_design_whose_weights_are_elsewhere_is_refused(info) -> None:
    streamed = replace(info, config=replace(info.config, stream_weights=True))
    with pytest.raises(ConfigError, match="without --stream-weights"):
        emit_serial(streamed, 16)


def test_streams_that_are_wider_than_the_serial_port_are_refused(info) -> None:
    wide = replace(info, config=replace(info.config, stream_bits=128))
    with pytest.raises(ConfigError, match=r"streams are 128 bits wide, and a serial port takes 32: .* 32$"):
        emit_serial(wide, 16)
