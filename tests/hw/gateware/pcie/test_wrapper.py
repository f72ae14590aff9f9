"""The wrapper that says what every port of the accelerator is."""

import subprocess
import sys
from dataclasses import replace

import pytest

from bitstreams.flows import vivado
from bitstreams.synthesis.yosys import LAUNCH
from hw.gateware.pcie import wrapper
from hw.gateware.ports.interfaces import interfaces
from tests.bitstreams.vivado_design import AXI, design, streamed


def core(info):
    """Verilog of a module with the accelerator's ports and nothing in it."""
    ports = {port.name: port for each in interfaces(info) for port in each.ports if not port.added}
    lines = ["input clk", "input rst"]
    for name, width in info.ports.items():
        if name in ports:
            lines.append(f"{'output' if ports[name].output else 'input'} [{width - 1}:0] {name}")
    outputs = [f"assign {name} = 0;" for name, port in ports.items() if port.output]
    return f"module spec2({', '.join(lines)});\n" + "\n".join(outputs) + "\nendmodule\n"


@pytest.mark.parametrize(
    ("bits", "more"),
    [(32, {}), (256, {}), (32, {"m_axi": AXI, "m_axi_b": AXI})],
    ids=["streams", "wide streams", "memory too"],
)
def test_wrapper_connects_every_port_of_the_accelerator(tmp_path, bits, more):
    info = design(bits, **more)
    texts = {"core.v": core(info), "wrap.v": wrapper.wrapper(info), **vivado.shell_modules(info)}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    script = f"read_verilog {' '.join(texts)}; hierarchy -check -top spec2_axi; proc; flatten; check -assert"
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, "-q", "-p", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    text = texts["wrap.v"]
    for name in info.ports:
        assert name in ("clk", "rst") or f"{name}" in text
    assert "XIL_INTERFACENAME s_axil, PROTOCOL AXI4LITE, DATA_WIDTH 32, ADDR_WIDTH 12" in text
    assert text.count(f"TDATA_NUM_BYTES {bits // 8}, HAS_TKEEP 1") == 2
    buses = ":".join(["s_axil", "s_axis", "m_axis", *more])
    assert f"XIL_INTERFACENAME aclk, ASSOCIATED_BUSIF {buses}, ASSOCIATED_RESET aresetn" in text
    assert ("PROTOCOL AXI4, DATA_WIDTH 64, ADDR_WIDTH 32" in text) == bool(more)


def test_the_interrupt_is_left_open_where_there_is_one():
    """By name, so that no tool takes it for forgotten; ``request``, XDMA's own, stays low."""
    info = design()
    assert ".interrupt" not in wrapper.wrapper(info)
    text = wrapper.wrapper(replace(info, ports={**info.ports, "interrupt": 1}))
    assert text.count("interrupt") == 1 and "    .interrupt()\n  );" in text
    assert "assign request = 1'b0;" in text


def test_wrapper_says_what_a_memory_port_does_not_do():
    """A crossbar then has no channels for writes, and as much room as the burst reader uses."""
    text = wrapper.wrapper(streamed(2))
    says = (
        "PROTOCOL AXI4, DATA_WIDTH 256, ADDR_WIDTH 40, ID_WIDTH 4, READ_WRITE_MODE READ_ONLY, HAS_BURST 1, "
        "SUPPORTS_NARROW_BURST 0, MAX_BURST_LENGTH 64, NUM_READ_OUTSTANDING 8"
    )
    for bus in ("m_axi_0", "m_axi_1"):
        assert f"XIL_INTERFACENAME {bus}, {says}" in text
    both = wrapper.wrapper(design(m_axi=AXI))
    assert "XIL_INTERFACENAME m_axi, PROTOCOL AXI4, DATA_WIDTH 64, ADDR_WIDTH 32, ID_WIDTH 0" in both
    assert "READ_WRITE_MODE READ_WRITE" in both
