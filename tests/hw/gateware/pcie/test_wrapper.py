"""The wrapper that says what every port of the accelerator is."""

import subprocess
import sys
from dataclasses import replace

import pytest

from bitstreams.flows import vivado_designs
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


def checked(folder, info, processor, script=""):
    """The wrapper, which yosys finds sound around an accelerator, and with which ``script`` ends well."""
    text = wrapper.wrapper(info, processor=processor)
    texts = {"core.v": core(info), "wrap.v": text, **vivado_designs.shell_modules(info)}
    for name, content in texts.items():
        (folder / name).write_text(content)
    read = f"read_verilog {' '.join(texts)}; hierarchy -check -top spec2_axi; proc; flatten; check -assert"
    script = f"{read}; {script}"
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, "-q", "-p", script], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return text


@pytest.mark.parametrize(
    ("bits", "more"),
    [(32, {}), (256, {}), (32, {"m_axi": AXI, "m_axi_b": AXI})],
    ids=["streams", "wide streams", "memory too"],
)
@pytest.mark.parametrize("processor", [False, True], ids=["PCI Express", "processor"])
def test_wrapper_connects_every_port_of_the_accelerator(tmp_path, bits, more, processor):
    info = design(bits, **more)
    text = checked(tmp_path, info, processor)
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


@pytest.mark.parametrize("has", [True, False])
def test_a_processor_gets_the_interrupt(has):
    """Vivado finds it by its attributes; of a design without it stays low."""
    info = design()
    text = wrapper.wrapper(
        replace(info, ports={**info.ports, "interrupt": 1}) if has else info, processor=True
    )
    assert "xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT" in text and "request" not in text
    assert "  output interrupt\n" in text
    assert ("    .interrupt(interrupt)\n  );" in text) == has
    assert ("assign interrupt = 1'b0;" in text) == (not has)


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        ("answer_rresp 2", "32'hffffffff"),
        ("answer_rresp 3", "32'hffffffff"),
        ("answer_rresp 0", "5"),
    ],
)
def test_a_processor_never_gets_a_bus_error(tmp_path, answer, given):
    """It would end the program. Ones come in place of what a read with an error gave."""
    proof = f"sat -verify -set {answer} -set answer_rdata 5 -prove s_axil_rdata {given} -prove s_axil_rresp 0"
    checked(
        tmp_path, design(), True, f"delete t:$dff* t:$sdff* t:$adff*; {proof} -prove s_axil_bresp 0 spec2_axi"
    )


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
