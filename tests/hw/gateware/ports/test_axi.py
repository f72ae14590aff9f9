"""Port bundles: names, widths and directions are those of the AXI specifications; names of flat ports."""

import pytest
from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.ports.axi import ID_BITS, AxiLite, AxiRead, AxiStream, Response, flat_ports

# Channel: the side that offers ("m" starts transfers), and its payload.
LITE = {
    "aw": ("m", {"addr": 12, "prot": 3}),
    "w": ("m", {"data": 32, "strb": 4}),
    "b": ("s", {"resp": 2}),
    "ar": ("m", {"addr": 12, "prot": 3}),
    "r": ("s", {"data": 32, "resp": 2}),
}
READ = {
    "ar": ("m", {"id": ID_BITS, "addr": 40, "len": 8, "size": 3, "burst": 2, "prot": 3}),
    "r": ("s", {"id": ID_BITS, "data": 128, "resp": 2, "last": 1}),
}
STREAM = {"t": ("m", {"data": 64, "last": 1})}


def members(channels):
    """``{name: (driven by the side that starts transfers, bits)}``."""
    found = {}
    for name, (side, payload) in channels.items():
        found |= {name + one: (side == "m", bits) for one, bits in payload.items()}
        found |= {f"{name}valid": (side == "m", 1), f"{name}ready": (side == "s", 1)}
    return found


@pytest.mark.parametrize(
    ("bundle", "sizes", "channels"),
    [(AxiLite, (12,), LITE), (AxiRead, (40, 128), READ), (AxiStream, (64,), STREAM)],
)
def test_every_channel_has_its_signals(bundle, sizes, channels):
    signature = bundle(*sizes)
    ports = wiring.PureInterface(signature, path=())
    found = {
        "_".join(path): (member.flow == Out, len(Value.cast(value)))
        for path, member, value in signature.flatten(ports)
    }
    assert found == members(channels)


def test_an_okay_is_zero_and_an_error_of_the_other_side_two():
    assert {one.name: one.value for one in Response} == {"OKAY": 0b00, "SLVERR": 0b10}


def test_flat_ports_join_with_one_underscore_and_number_arrays():
    members_of_block = {"control": In(AxiLite(12)), "memory": Out(AxiRead(40, 64)).array(2), "start": In(1)}
    block = wiring.PureInterface(wiring.Signature(members_of_block), path=())
    ports = flat_ports(block)
    names = {f"control_{name}" for name in members(LITE)} | {"start"}
    names |= {f"memory_{i}_{name}" for i in range(2) for name in members(READ)}
    assert set(ports) == names
    assert ports["memory_1_araddr"][0] is block.memory[1].araddr
    assert len(ports["control_bresp"][0]) == 2, "an enumeration as plain bits"
