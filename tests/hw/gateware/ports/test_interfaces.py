"""The AXI interfaces of an accelerator: found by the names of its ports, and what tools are told of them."""

from dataclasses import replace

import pytest

from hw.gateware.ports.interfaces import Port, declarations, interfaces, module, qualifiers
from hw.util.errors import ConfigError
from tests.bitstreams.vivado_design import AXI, design, streamed


def test_directions_follow_the_side_of_a_port():
    ports = {port.name: port.output for each in interfaces(design(m_axi=AXI)) for port in each.ports}
    assert not ports["s_axil_awvalid"] and ports["s_axil_awready"] and ports["s_axil_rdata"]
    assert not ports["s_axis_tdata"] and ports["s_axis_tready"]
    assert ports["m_axis_tdata"] and not ports["m_axis_tready"]
    assert ports["m_axi_awvalid"] and not ports["m_axi_awready"] and not ports["m_axi_rlast"]


def test_every_port_but_clock_and_reset_belongs_to_an_interface_and_streams_get_qualifiers():
    info = design(256, m_axi=AXI)
    found = {each.name: each for each in interfaces(info)}
    assert list(found) == ["s_axil", "s_axis", "m_axis", "m_axi"]
    own = [port.name for each in found.values() for port in each.ports if not port.added]
    assert sorted(own) == sorted(set(info.ports) - {"clk", "rst"})
    added = {port.name: port.width for each in found.values() for port in each.ports if port.added}
    assert added == {"s_axis_tkeep": 32, "m_axis_tkeep": 32}
    assert qualifiers(list(found.values())) == [f"  assign m_axis_tkeep = 32'b{'1' * 32};"]
    assert [each.manager for each in found.values()] == [False, False, True, True]
    assert [each.stream for each in found.values()] == [False, True, True, False]


def test_sizes_are_those_of_the_ports():
    of = {each.name: each for each in interfaces(streamed(2, stream_bits=64))}
    assert (of["s_axil"].address_bits, of["s_axil"].data_bits) == (12, 32)
    assert (of["m_axis"].address_bits, of["m_axis"].data_bits) == (0, 64)
    assert (of["m_axi_1"].address_bits, of["m_axi_1"].data_bits) == (40, 256)
    assert (
        of["m_axi_1"].parameters["READ_WRITE_MODE"] == "READ_ONLY"
        and of["m_axi_1"].parameters["ID_WIDTH"] == 4
    )
    assert of["s_axil"].parameters == {"PROTOCOL": "AXI4LITE", "DATA_WIDTH": 32, "ADDR_WIDTH": 12}
    assert of["s_axis"].parameters["TDATA_NUM_BYTES"] == 8


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"irq": 1}, "the design has a port 'irq' that no wrapper connects"),
        ({"s_axis_tuser": 1}, "the design has a port 's_axis_tuser' that no wrapper connects"),
        ({"m_axis_tdata": 64}, "m_axis_tdata of the design is not 32 bits wide"),
    ],
)
def test_ports_that_nobody_connects_are_refused(change, sentence):
    info = design()
    with pytest.raises(ConfigError, match=sentence):
        interfaces(replace(info, ports=info.ports | change))


def test_an_interface_that_is_missing_is_named():
    info = design()
    ports = {name: width for name, width in info.ports.items() if not name.startswith(("m_axis", "s_axil"))}
    with pytest.raises(ConfigError, match="the design has no m_axis, s_axil port"):
        interfaces(replace(info, ports=ports))


def test_a_module_has_commas_behind_its_ports_and_none_behind_the_last():
    assert Port("m_axi", "araddr", 40).declaration == "output [39:0] m_axi_araddr"
    assert Port("m_axi", "arready", 1).declaration == "input m_axi_arready"
    lines = module("top", ["  (* A = 1 *)", "  input a", "  output b"], ["  assign b = a;"])
    assert lines == [
        "module top (",
        "  (* A = 1 *)",
        "  input a,",
        "  output b",
        ");",
        "  assign b = a;",
        "endmodule",
    ]
    said = declarations(interfaces(design()))
    assert said[1].endswith('ASSOCIATED_BUSIF s_axil:s_axis:m_axis, ASSOCIATED_RESET aresetn" *)')
    assert "  input aclk" in said and "  input aresetn" in said and "  output [31:0] m_axis_tdata" in said
