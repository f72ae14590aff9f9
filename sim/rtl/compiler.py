"""The C++ compiler of simulators: clang where it works, g++ elsewhere.

clang builds a simulator at -O2 in less time than g++ at -O1, and the simulator is faster
(``python -m sim.rtl.benchmark``, on a path with clang and on one without). What is computed is the same.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hw.util.files import temporary
from sim.rtl.tools import find_tool, version_of

OPTIMISATION = {"clang++": "-O2", "g++": "-O1"}
"""Of what runs in every clock, by compiler, the one that is preferred first. With g++, -O2 and -O3 take
twice as long to build and are hardly faster. -O0 takes 0.6 of the time for the tiny design, and half again as
long to run: for tests, which run for some thousand clocks. At -O0 all is compiled as a single file, in half
of the time again: Verilator's headers, two precompiled ones by default, take longer than the code."""

STANDARD = "-std=gnu++17"
"""Of the language: clang 14 takes an older one unless it is told."""

LIBRARIES = {"clang++": "-latomic", "g++": ""}
"""What Verilator's runtime has to be linked with besides."""

PROBE = """#include <atomic>
#include <string_view>
struct Wide { long words[4]; };
int main() { return std::atomic<Wide>{}.is_lock_free() && std::string_view("x").empty(); }
"""
"""Takes the standard library, and atomics that are a call into the other."""


@dataclass(frozen=True)
class Compiler:
    """A compiler that works. name: of the program; version: the first line of what it says of that."""

    name: str
    version: str

    @property
    def flags(self) -> list[str]:
        """Variables of Verilator's makefile."""
        level = OPTIMISATION[self.name]
        single = ["VM_PARALLEL_BUILDS=0"] if level == "-O0" else []
        return [*single, f"OPT_FAST={level}", f"CXX={self.name} {STANDARD}", f"LINK={self.name}"]

    @property
    def libraries(self) -> str:
        """Flags of the linker."""
        return LIBRARIES[self.name]


def find_compiler() -> Compiler:
    """The compiler to take. Raises ``ToolNotFound`` where there is none."""
    for name in OPTIMISATION:
        if name == "g++" or ((found := shutil.which(name)) and _links(found, LIBRARIES[name])):
            break
    return Compiler(name, version_of(find_tool(name), os.environ))


@functools.cache
def _links(program: str, libraries: str) -> bool:
    """Whether it makes a program of C++: it may be there without a standard library."""
    with temporary() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text(PROBE, encoding="utf-8")
        command = [program, STANDARD, "-o", str(source.with_suffix("")), str(source), *libraries.split()]
        try:
            return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False
