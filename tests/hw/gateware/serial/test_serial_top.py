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
from hw.contract.streamed_weights import StreamedPart, StreamedWeights
from hw.gateware.accelerator import Accelerator
from hw.gateware.ports.axi import AxiMemory, flat_ports
from hw.serial_design import TOP, emit_serial
from hw.util.errors import ConfigError
from tests.hw.gateware.conftest import RUN_YOSYS

HELD = AcceleratorConfig(4, 2, 2)
STREAMED = replace(HELD, stream_weights=True, bus_bits=128, memories=2)


def ports_of(config: AcceleratorConfig) -> dict[str, tuple[int, str]]:
    """Width and direction of an accelerator's ports."""
    component = Accelerator(compile_program(random_artifact(tiny(), seed=1), config))
    component._MustUse__silence = True
    found = {"clk": (1, "input"), "rst": (1, "input")}
    flows = {
        "_".join(map(str, path)): member.flow for path, member, _ in component.signature.flatten(component)
    }
    for name, (value, _) in flat_ports(component).items():
        found[name] = len(value), "input" if str(flows[name]) == "In" else "output"
    return found


def info_of(config: AcceleratorConfig, ports: dict[str, tuple[int, str]]) -> DesignInfo:
    widths = {name: width for name, (width, _) in ports.items()}
    layers = tuple(StreamedPart(1 + i, 5, 7) for i in range(len(tiny().layers)))
    stream = StreamedWeights(StreamedPart(0, 3, 8), layers) if config.stream_weights else None
    return DesignInfo("spec2", tiny(), config, "00" * 32, ports=widths, stream=stream)


@pytest.fixture(scope="module")
def ports() -> dict[str, tuple[int, str]]:
    return ports_of(HELD)


@pytest.fixture(scope="module")
def info(ports) -> DesignInfo:
    return info_of(HELD, ports)


@pytest.fixture(scope="module")
def streamed() -> tuple[dict[str, tuple[int, str]], DesignInfo]:
    """Ports and description of a design that reads its weights from two memories."""
    ports = ports_of(STREAMED)
    return ports, info_of(STREAMED, ports)


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
    check_connections(ports, text, tmp_path)


def test_memory_ports_lead_through_and_the_bridge_has_its_own(streamed, tmp_path) -> None:
    ports, info = streamed
    text = emit_serial(info, 16)
    flat = check_connections(ports, text, tmp_path)
    names = {name for name in ports if name.startswith("m_axi_")}
    assert {name.rsplit("_", 1)[0] for name in names} == {"m_axi_0", "m_axi_1"}
    found = {name: way for way, name in re.findall(r"wire (?:width \d+ )?(input|output) \d+ \\(\S+)", flat)}
    assert {name: found[name] for name in names} == {name: ports[name][1] for name in names}
    load = {name.removeprefix("m_load_") for name in found if name.startswith("m_load_")}
    assert load == set(AxiMemory(40, 32).members)


def check_connections(ports, text, tmp_path) -> str:
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
    return flat


@pytest.mark.parametrize("change", [{"s_axil_awaddr": 13}, {"extra": 1}, {"m_axis_tlast": None}])
def test_an_accelerator_with_other_ports_is_refused(info, change) -> None:
    widths = {name: width for name, width in {**info.ports, **change}.items() if width}
    with pytest.raises(ConfigError, match=rf"other ports than .* \({next(iter(change))}\): generate"):
        emit_serial(replace(info, ports=widths), 16)


def test_too_few_clocks_per_bit_are_refused(info) -> None:
    with pytest.raises(ConfigError, match="at least 4 clocks per bit, not 3"):
        emit_serial(info, 3)


def test_memories_of_other_ports_are_refused(streamed) -> None:
    _, info = streamed
    for ports in ({"m_axi_0_rdata": 32}, {"m_axi_0_arlen": 4}):
        with pytest.raises(ConfigError, match=r"other ports than .* generate the accelerator again"):
            emit_serial(replace(info, config=replace(info.config, memories=1), ports=info.ports | ports), 16)
    with pytest.raises(ConfigError, match=r"other ports than .*m_axi_1_arlen"):
        emit_serial(replace(info, ports={**info.ports, "m_axi_1_arlen": 4}), 16)


def test_streams_that_are_wider_than_the_serial_port_are_refused(info) -> None:
    wide = replace(info, config=replace(info.config, stream_bits=128))
    with pytest.raises(ConfigError, match=r"streams are 128 bits wide, and a serial port takes 32: .* 32$"):
        emit_serial(wide, 16)
