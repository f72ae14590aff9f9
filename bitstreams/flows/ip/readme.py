"""The page of a package: what its files are, its ports, and how to run it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bitstreams.flows.ip import wrapper
from bitstreams.flows.ip.component import LIBRARY, VENDOR, VERSION
from bitstreams.flows.ip.litex_module import SUFFIX as LITEX
from hw.contract.design import DesignInfo
from hw.gateware.ports.interfaces import CLOCK, INTERRUPT, RESET, Interface, interfaces
from hw.util import quote

_TEXT = """# {name}

An accelerator for the network {network}, made by spec2. Instantiate the module `{wrapper}`. Its registers,
the frames of its streams and how runs end are explained in `docs/registers.md` of spec2, how to connect it in
`docs/integration.md`.

## Ports of `{wrapper}`

{ports}

`{clock}` is the clock of all of them. `{reset}` is active low, sampled at the rising edge of the clock, and
may stay high from the beginning: after configuration registers hold what they hold after a reset.
`s_axis_tkeep` is not looked at. `{interrupt}` is an output, level-sensitive, high; it stays low until the
register `INTERRUPT_ENABLE` is written.

## Files

{files}

## Simulation

The testbench sends one image and compares every beat of the results with those of the integer model. It reads
files, so it runs in this folder, with Icarus Verilog or with Verilator 5:

```sh
iverilog -g2012 -s {name}_tb -o {name}_tb.vvp {name}_tb.v {name}_ip.v {name}.v
vvp -n {name}_tb.vvp
verilator --binary -Wno-fatal --top-module {name}_tb {name}_tb.v {name}_ip.v {name}.v
./obj_dir/V{name}_tb
fusesoc --cores-root . run --target sim {vlnv}
```

Verilator from its Python package wants `-CFLAGS -std=c++20 -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include` as well.

## Vivado

Add this folder to the IP repositories of a project (*Settings*, *IP*, *Repository*, or
`set_property ip_repo_paths`); the IP is `{vlnv}`. Without the IP catalogue: add `{name}.v`,
`{name}_ip.v` and the `.mem` files to the sources; attributes name the interfaces to block designs.
"""


def readme(info: DesignInfo, images: Iterable[str], weights: Mapping[str, int]) -> str:
    """The page, in Markdown. images: of the memories inside; weights: bytes of each file for one outside."""
    files = [
        (f"{info.top}.v", "the accelerator"),
        (f"{wrapper.name_of(info)}.v", "the wrapper: an active low reset, and interfaces that Vivado knows"),
        *((name, "contents of a memory inside, read by `$readmemb`") for name in images),
        *((name, f"{size:,} bytes that external memory has to hold") for name, size in weights.items()),
        ("component.xml", "the IP in IP-XACT (IEEE 1685-2009), for Vivado's IP catalogue"),
        (f"{info.top}_settings.tcl", "the dialogue of that IP"),
        (f"{info.top}.core", "the same for FuseSoC, with a target `sim`"),
        (f"{info.top}.h", "registers and sizes for C and C++"),
        (f"{info.top}.rdl", "the registers in SystemRDL 2.0"),
        (f"{info.top}{LITEX}", "a module for LiteX: registers, DMAs and interrupt in a SoC"),
        (f"{info.top}_tb.v", "a testbench, with `_tb_image.hex` and `_tb_result.hex`"),
        ("design.json", "the design, as spec2 and its host driver read it"),
    ]
    return _TEXT.format(
        name=info.top,
        network=quote.code(info.network.name),
        wrapper=wrapper.name_of(info),
        clock=CLOCK,
        reset=RESET,
        interrupt=INTERRUPT,
        vlnv=f"{VENDOR}:{LIBRARY}:{info.top}:{VERSION}",
        ports=_table(["port", "kind", "bits of a beat"], map(_row, interfaces(info))),
        files=_table(["file", "what it is"], ([f"`{name}`", what] for name, what in files)),
    )


def _row(interface: Interface) -> list[str]:
    kind = "AXI4-Stream" if interface.stream else "AXI4-Lite" if interface.name == "s_axil" else "AXI4, reads"
    side = "manager" if interface.manager else "subordinate"
    return [f"`{interface.name}_*`", f"{kind}, {side}", str(interface.data_bits)]


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
