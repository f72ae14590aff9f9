"""The registers for others: what compilers and a reader of SystemRDL make of the files is the table again."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from systemrdl import RDLCompiler
from systemrdl.node import RegNode
from systemrdl.rdltypes import AccessType, OnWriteType

from bitstreams.flows.ip.c_header import c_header
from bitstreams.flows.ip.system_rdl import system_rdl
from hw.host.result_frame import result_bytes
from hw.host_interface import registers
from hw.host_interface.registers import Access

ACCESS = {
    Access.READ: AccessType.r,
    Access.READ_WRITE: AccessType.rw,
    Access.PULSE: AccessType.w,
    Access.CLEAR: AccessType.rw,
}


def expected(info) -> dict[int, tuple]:
    """By byte address: the name without index, what software may do, and every field with its bits."""
    layers = len(info.network.layers)
    found = {}
    for register in registers.TABLE:
        count = layers if register.name.startswith("LAYER_") else register.count
        fields = register.fields or (registers.Field("value", 0, 32, register.doc),)
        for number in range(count):
            found[register.address(number)] = (
                register.name,
                register.doc,
                ACCESS[register.access],
                tuple((field.name, field.low, field.low + field.width - 1, field.doc) for field in fields),
            )
    return found


@pytest.mark.parametrize("name", ["day", "night"])
def test_systemrdl_reads_the_table_back(ips, name):
    compiler = RDLCompiler()
    compiler.compile_file(str(ips[name].folder / f"{name}.rdl"))
    top = compiler.elaborate().top
    assert top.inst_name == f"{name}_registers" and top.size <= 1 << registers.ADDRESS_BITS
    found = {}
    for register in top.descendants(unroll=True):
        if not isinstance(register, RegNode):
            continue
        assert register.get_property("regwidth") == 32
        fields = list(register.fields())
        access = {field.get_property("sw") for field in fields}
        bits = tuple((f.inst_name, f.low, f.high, plain(f.get_property("desc"))) for f in fields)
        doc = plain(register.get_property("desc"))
        found[register.absolute_address] = (register.inst_name, doc, *access, bits)
    assert found == {address: with_plain(row) for address, row in expected(ips[name].info).items()}
    by_name = {register.inst_name: register for register in top.registers(unroll=True)}
    assert by_name["ID"].find_by_path("value").get_property("reset") == registers.MAGIC
    assert by_name["SHAPE"].find_by_path("layers").get_property("reset") == len(ips[name].info.network.layers)
    assert all(field.get_property("singlepulse") for field in by_name["CONTROL"].fields())
    writes = {each.get_property("onwrite") for each in by_name["INTERRUPT"].fields()}
    assert writes == {OnWriteType.woclr}
    assert by_name["INTERRUPT_ENABLE"].find_by_path("done").get_property("onwrite") is None


def plain(text: str) -> str:
    return " ".join(text.split())


def with_plain(row: tuple) -> tuple:
    name, doc, access, fields = row
    return name, plain(doc), access, tuple((*rest, plain(doc)) for *rest, doc in fields)


def test_the_host_program_of_the_page_compiles(ips, tmp_path):
    """With the header of an IP of the name that it has there."""
    page = (Path(__file__).parents[4] / "docs" / "integration.md").read_text()
    (tmp_path / "digits.h").write_text(c_header(replace(ips["day"].info, top="digits")))
    # That of the interrupt stands before the one whose functions it calls.
    (tmp_path / "host.c").write_text("".join(reversed(re.findall(r"^```c\n(.*?)^```", page, re.M | re.S))))
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *strict, "-c", "host.c"], cwd=tmp_path, check=True, timeout=100)


def test_text_of_the_table_cannot_end_a_string_or_a_comment(ips, monkeypatch):
    """Whatever the table says one day."""
    wild = registers.Register("WILD", 0x70, Access.READ, 'says "no" \\ */ #error')
    monkeypatch.setattr(registers, "TABLE", (*registers.TABLE[:3], wild))
    compiler = RDLCompiler()
    (ips["day"].folder.parent / "wild.rdl").write_text(system_rdl(ips["day"].info))
    compiler.compile_file(str(ips["day"].folder.parent / "wild.rdl"))
    register = next(r for r in compiler.elaborate().top.registers() if r.inst_name == "WILD")
    assert register.get_property("desc") == wild.doc
    assert "*/ #error" not in c_header(ips["day"].info)


@pytest.mark.parametrize(("compiler", "standard"), [("gcc", "c90"), ("g++", "c++17")])
def test_a_compiler_reads_the_addresses_of_the_table(ips, tmp_path, compiler, standard):
    """Both headers in one program, which prints every macro."""
    text = "".join(f'#include "{name}.h"\n' * 2 for name in ips) + "#include <stdio.h>\nint main(void) {\n"
    for name, made in ips.items():
        header = (made.folder / f"{name}.h").read_text()
        (tmp_path / f"{name}.h").write_text(header)
        names = re.findall(r"^#define (\w+) ", header, re.M)
        assert all(each.startswith(f"{name.upper()}_") for each in names) and len(set(names)) == len(names)
        text += "".join(f'  printf("{each} %lu\\n", {each});\n' for each in names)
    (tmp_path / "all.c").write_text(text + "  return 0;\n}\n")
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", f"-std={standard}"]
    subprocess.run([compiler, *strict, "all.c", "-o", "all"], cwd=tmp_path, check=True, timeout=100)
    said = subprocess.run([tmp_path / "all"], capture_output=True, text=True, check=True).stdout
    found = {name: int(value) for name, value in map(str.split, said.splitlines())}
    for name, made in ips.items():
        prefix, info = name.upper(), made.info
        for register in registers.TABLE:
            own = f"{prefix}_{register.name}"
            assert found[f"{own}_OFFSET"] == register.offset
            if register.count > 1:
                count = len(info.network.layers) if "LAYER_" in own else register.count
                assert (found[f"{own}_STRIDE"], found[f"{own}_COUNT"]) == (register.stride, count)
            for field in register.fields:
                bits = f"{own}_{field.name.upper()}"
                assert (found[f"{bits}_SHIFT"], found[f"{bits}_MASK"]) == (field.low, field.mask)
        beat = info.config.stream_pixels
        assert found[f"{prefix}_BEAT_BYTES"] == beat
        assert found[f"{prefix}_RESULT_BYTES"] == result_bytes(info, 1, len(info.network.layers) - 1)
        words = registers.digest_words(info.digest)
        assert [found[f"{prefix}_DIGEST_{i}_VALUE"] for i in range(8)] == words
    assert found["DAY_IMAGE_BYTES"] == 8 * 8 and found["NIGHT_IMAGE_BYTES"] == 2 * 9 * 16
    sizes = {(ips["night"].folder / f"night_weights_{i}.bin").stat().st_size for i in range(2)}
    assert sizes == {found["NIGHT_WEIGHT_BYTES"]} and found["NIGHT_MEMORIES"] == 2
    assert found["NIGHT_WEIGHT_CHECKSUM"] == ips["night"].info.stream.checksum(ips["night"].info.numbers)
    assert found["DAY_MEMORIES"] == 0 and "DAY_WEIGHT_BYTES" not in found
