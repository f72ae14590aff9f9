"""Which C++ compiler builds simulators."""

import shutil
import stat

import pytest

from hw.util.errors import ToolNotFound
from sim.rtl import compiler
from sim.rtl.compiler import find_compiler


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Has stand-ins of compilers, by name what each does when it is to make a program, on the path alone."""

    def install(**bodies):
        for name, body in bodies.items():
            program = tmp_path / name.replace("clang", "clang++").replace("gcc", "g++")
            program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{name} 1.2" && exit\n{body}\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))
        compiler._links.cache_clear()

    yield install
    compiler._links.cache_clear()


@pytest.mark.parametrize(
    ("installed", "taken"),
    [
        ({"clang": "exit 0", "gcc": "exit 0"}, "clang++"),
        ({"clang": "exit 0"}, "clang++"),
        ({"clang": "exit 1", "gcc": "exit 0"}, "g++"),  # without a standard library, say
        ({"gcc": "exit 1"}, "g++"),  # the build will say why
    ],
)
def test_clang_is_taken_where_it_works(programs, installed, taken):
    programs(**installed)
    found = find_compiler()
    assert found.name == taken and found.version.endswith(" 1.2")
    assert {f"CXX={taken} -std=gnu++17", f"LINK={taken}"} < set(found.flags)
    assert found.libraries == ("-latomic" if taken == "clang++" else "")


@pytest.mark.parametrize("installed", [{}, {"clang": "exit 1"}])
def test_without_any_the_usual_one_is_asked_for(programs, installed):
    programs(**installed)
    with pytest.raises(ToolNotFound, match=r"g\+\+ is not installed.*apt-get install"):
        find_compiler()


def test_clang_makes_programs_where_it_is_installed():
    if not (found := shutil.which("clang++")):
        pytest.skip("clang is not installed")
    assert compiler._links(found, compiler.LIBRARIES["clang++"])
    assert not compiler._links(found, "-lno_such_library")


def test_a_file_for_each_module_where_it_is_optimised(monkeypatch):
    for level, single in (("-O0", True), ("-O1", False)):
        monkeypatch.setitem(compiler.OPTIMISATION, "g++", level)
        flags = compiler.Compiler("g++", "g++ 1").flags
        assert f"OPT_FAST={level}" in flags and ("VM_PARALLEL_BUILDS=0" in flags) == single
