"""``component.xml``: the IP in IP-XACT, in the edition that Vivado writes (IEEE 1685-2009).

What the attributes of the wrapper say stands here again, since Vivado reads one or the other; both come from
:mod:`hw.gateware.ports.interfaces`. Registers stand one by one: this edition has no arrays with gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from bitstreams.flows.ip import register_map
from hw.contract.design import DesignInfo
from hw.contract.design_files import VERILOG
from hw.gateware.ports.interfaces import CLOCK, INTERRUPT, RESET, Interface, interfaces
from hw.host_interface.registers import Access

FILE_NAME = "component.xml"

VENDOR, LIBRARY, VERSION = "spec2", "ip", "1.0"
"""What tools know an IP by, beside its name."""

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"

FAMILIES = (
    "artix7", "artix7l", "kintex7", "kintex7l", "spartan7", "virtex7", "zynq", "artixuplus", "kintexu",
    "kintexuplus", "virtexu", "virtexuplus", "virtexuplusHBM", "zynquplus",
)  # fmt: skip
"""Vivado's names of families whose DSP slices and block RAMs the accelerator is made for."""

ACCESS = {
    Access.READ: "read-only",
    Access.READ_WRITE: "read-write",
    Access.PULSE: "write-only",
    Access.CLEAR: "read-write",
}

TCL = ".tcl"

FILE_TYPES = {
    VERILOG: ("fileType", "verilogSource"),
    TCL: ("fileType", "tclSource"),
    ".mem": ("userFileType", "mem"),
}
"""By suffix: the element that says what a file is, of the standard or of Vivado, and what it is."""


@dataclass(frozen=True)
class View:
    """A use of the IP: ``files`` in the order that they are read in. top: module; none of its settings."""

    name: str
    purpose: str
    top: str
    files: tuple[str, ...]


def component(info: DesignInfo, views: Iterable[View]) -> str:
    """The description of a design's wrapper (:mod:`bitstreams.flows.ip.wrapper`)."""
    found = interfaces(info)
    ElementTree.register_namespace("spirit", SPIRIT)
    ElementTree.register_namespace("xilinx", XILINX)
    root = Element(_spirit("component"))
    _texts(root, {"vendor": VENDOR, "library": LIBRARY, "name": info.top, "version": VERSION})
    buses = _add(root, "busInterfaces")
    for interface in found:
        _bus(buses, interface)
    _special(buses, RESET, "reset", "RST", {"POLARITY": "ACTIVE_LOW"})
    names = ":".join(interface.name for interface in found)
    _special(buses, CLOCK, "clock", "CLK", {"ASSOCIATED_BUSIF": names, "ASSOCIATED_RESET": RESET})
    _special(buses, INTERRUPT, "interrupt", "INTERRUPT", {"SENSITIVITY": "LEVEL_HIGH"}, side="master")
    if memories := [each for each in found if each.manager and not each.stream]:
        spaces = _add(root, "addressSpaces")
        for each in memories:
            space = _add(spaces, "addressSpace")
            _texts(space, {"name": each.name, "range": 1 << each.address_bits, "width": each.data_bits})
    _registers(_add(root, "memoryMaps"), info)
    views = tuple(views)
    _model(_add(root, "model"), found, views)
    sets = _add(root, "fileSets")
    for view in views:
        files = _add(sets, "fileSet")
        _texts(files, {"name": f"{view.name}_files"})
        for name in view.files:
            _file(files, name)
    _texts(root, {"description": _described(info)})
    _parameters(root, {"Component_Name": f"{info.top}_v1_0"}, "PARAM_VALUE", resolve="user")
    _extensions(_add(root, "vendorExtensions"), info)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _described(info: DesignInfo) -> str:
    return f"spec2 accelerator of network {info.network.name}, model {info.digest[:16]}"


# --- interfaces -------------------------------------------------------------------------------------------


def _bus(buses: Element, interface: Interface) -> None:
    bus = _interface(buses, interface.name, "interface", interface.kind)
    side = _add(bus, "master" if interface.manager else "slave")
    if not interface.stream:
        reference = "addressSpaceRef" if interface.manager else "memoryMapRef"
        _add(side, reference, {reference: interface.name})
    maps = _add(bus, "portMaps")
    for port in interface.ports:
        _port_map(maps, port.signal.upper(), port.name)
    _parameters(bus, interface.parameters, f"BUSIFPARAM_VALUE.{interface.name.upper()}")


def _special(
    buses: Element,
    name: str,
    kind: str,
    signal: str,
    parameters: Mapping[str, str],
    side: str = "slave",
) -> None:
    bus = _interface(buses, name, "signal", kind)
    _add(bus, side)
    _port_map(_add(bus, "portMaps"), signal, name)
    _parameters(bus, parameters, f"BUSIFPARAM_VALUE.{name.upper()}")


def _interface(buses: Element, name: str, library: str, kind: str) -> Element:
    bus = _add(buses, "busInterface")
    _texts(bus, {"name": name})
    for element, suffix in (("busType", ""), ("abstractionType", "_rtl")):
        known = {"vendor": "xilinx.com", "library": library, "name": f"{kind}{suffix}", "version": "1.0"}
        _add(bus, element, known)
    return bus


def _port_map(maps: Element, logical: str, physical: str) -> None:
    pair = _add(maps, "portMap")
    _texts(_add(pair, "logicalPort"), {"name": logical})
    _texts(_add(pair, "physicalPort"), {"name": physical})


def _parameters(
    parent: Element, values: Mapping[str, str | int], prefix: str, resolve: str = "immediate"
) -> None:
    parameters = _add(parent, "parameters")
    for name, value in values.items():
        parameter = _add(parameters, "parameter")
        _texts(parameter, {"name": name})
        kept = _add(parameter, "value", {"id": f"{prefix}.{name}", "resolve": resolve})
        kept.text = str(value)


# --- registers --------------------------------------------------------------------------------------------


def _registers(maps: Element, info: DesignInfo) -> None:
    table = _add(maps, "memoryMap")
    _texts(table, {"name": "s_axil"})
    block = _add(table, "addressBlock")
    _texts(block, {"name": "registers", "baseAddress": 0, "range": register_map.SPAN})
    _texts(block, {"width": register_map.WORD, "usage": "register"})
    for element in register_map.elements(info):
        access = ACCESS[element.register.access]
        register = _add(block, "register")
        _texts(register, {"name": element.name, "description": element.register.doc})
        _texts(
            register, {"addressOffset": f"0x{element.address:X}", "size": register_map.WORD, "access": access}
        )
        for field in register_map.fields(element.register):
            bits = _add(register, "field")
            _texts(bits, {"name": field.name, "description": field.doc, "bitOffset": field.low})
            _texts(bits, {"bitWidth": field.width, "access": access})
            if element.register.access is Access.CLEAR:
                _texts(bits, {"modifiedWriteValue": "oneToClear"})


# --- ports and files --------------------------------------------------------------------------------------


def _model(model: Element, found: Iterable[Interface], views: Iterable[View]) -> None:
    listed = _add(model, "views")
    for view in views:
        each = _add(listed, "view")
        _texts(each, {"name": view.name, "envIdentifier": view.purpose})
        if view.top:
            _texts(each, {"language": "Verilog", "modelName": view.top})
        _texts(_add(each, "fileSetRef"), {"localName": f"{view.name}_files"})
    ports = _add(model, "ports")
    uses = [view.name for view in views if view.top]
    for name in (CLOCK, RESET):
        _port(ports, name, "in", 1, uses)
    _port(ports, INTERRUPT, "out", 1, uses)
    for interface in found:
        for port in interface.ports:
            _port(ports, port.name, "out" if port.output else "in", port.width, uses)


def _port(ports: Element, name: str, direction: str, width: int, uses: Iterable[str]) -> None:
    port = _add(ports, "port")
    _texts(port, {"name": name})
    wire = _add(port, "wire")
    _texts(wire, {"direction": direction})
    if width > 1:
        _texts(_add(wire, "vector"), {"left": width - 1, "right": 0})
    kind = _add(_add(wire, "wireTypeDefs"), "wireTypeDef")
    _texts(kind, {"typeName": "wire"})
    for use in uses:
        _texts(kind, {"viewNameRef": use})


def _file(files: Element, name: str) -> None:
    suffix = name[name.rindex(".") :]
    entry = _add(files, "file")
    _texts(entry, {"name": name})
    element, kind = FILE_TYPES[suffix]
    _texts(entry, {element: kind})
    if suffix == TCL:
        _texts(entry, {"userFileType": "XGUI_VERSION_2"})


def _extensions(parent: Element, info: DesignInfo) -> None:
    core = SubElement(parent, _xilinx("coreExtensions"))
    families = SubElement(core, _xilinx("supportedFamilies"))
    for name in FAMILIES:
        family = SubElement(families, _xilinx("family"), {_xilinx("lifeCycle"): "Production"})
        family.text = name
    SubElement(SubElement(core, _xilinx("taxonomies")), _xilinx("taxonomy")).text = "/UserIP"
    SubElement(core, _xilinx("displayName")).text = info.top
    SubElement(core, _xilinx("coreRevision")).text = "1"


# --- elements ---------------------------------------------------------------------------------------------


def _spirit(name: str) -> str:
    return f"{{{SPIRIT}}}{name}"


def _xilinx(name: str) -> str:
    return f"{{{XILINX}}}{name}"


def _add(parent: Element, name: str, attributes: Mapping[str, str] | None = None) -> Element:
    return SubElement(
        parent, _spirit(name), {_spirit(key): value for key, value in (attributes or {}).items()}
    )


def _texts(parent: Element, texts: Mapping[str, str | int]) -> None:
    for name, text in texts.items():
        _add(parent, name).text = str(text)
