"""One mutant against the tests: in a process of its own, forked from one that has imported everything.

No file changes: functions of the running modules get the code of the mutated ones, constants their values.
"""

from __future__ import annotations

import ast
import os
import resource
import signal
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import pytest
from amaranth import Shape

from tests.mutation.sites import Site, mutated

KILLED, SURVIVED, SLOW = "killed", "survived", "timeout"

NO_PROGRAM = 78
"""Exit code for a mutant that Python does not take: a fault of ours, not one that a test has found."""

MEMORY = 16 << 30
"""Bytes of address space that a mutant may take."""


def module_of(file: str) -> types.ModuleType:
    """The running module of a source file."""
    return sys.modules[file.removesuffix(".py").replace("/", ".")]


def put_in(root: Path, site: Site) -> None:
    """Put the mutant into the running modules."""
    module = module_of(site.file)
    new = types.ModuleType(module.__name__)
    new.__file__ = module.__file__
    # Names that a mutant may use and its module has not imported.
    import amaranth

    vars(module).setdefault("Cat", amaranth.Cat)
    new.__dict__.update(Cat=amaranth.Cat)
    tree: ast.Module = mutated(root, site)
    try:
        program = compile(tree, module.__file__ or site.file, "exec")
    except (SyntaxError, TypeError, ValueError):
        os._exit(NO_PROGRAM)
    exec(program, new.__dict__)
    _take(module, new, module.__name__)


def _take(old: object, new: object, name: str) -> None:
    """Everything that ``old``, a module or a class of module ``name``, defines becomes as in ``new``."""
    for key, value in list(vars(new).items()):
        mine = vars(old).get(key)
        if _defined(value, name) and isinstance(value, type) and isinstance(mine, type):
            _take(mine, value, name)
        elif isinstance(value, types.FunctionType) and isinstance(mine, types.FunctionType):
            if value.__module__ == name:
                mine.__code__, mine.__defaults__ = value.__code__, value.__defaults__
                mine.__kwdefaults__ = value.__kwdefaults__
        elif isinstance(value, property) and isinstance(mine, property) and value.fget and mine.fget:
            mine.fget.__code__ = value.fget.__code__
        elif isinstance(value, int | tuple | Shape) and value != mine and not key.startswith("__"):
            if isinstance(old, type):
                setattr(old, key, value)
            else:
                for user in list(sys.modules.values()):  # whoever imported the constant
                    if (
                        getattr(user, "__name__", "").startswith(("hw.", "tests."))
                        and vars(user).get(key) == mine
                    ):
                        setattr(user, key, value)


def _defined(value: object, name: str) -> bool:
    return getattr(value, "__module__", None) == name


class Order:
    """The quickest tests first, and none that counts the cells of a block: no mutant is worth a synthesis."""

    seconds: ClassVar[dict[str, float]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [one for one in items if not {"synthesise", "fan_out"} & set(one.fixturenames)]
        items.sort(key=lambda one: self.seconds.get(one.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.seconds[report.nodeid] = report.duration


def run_tests(arguments: Sequence[str]) -> int:
    """pytest's exit code."""
    return int(pytest.main(["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *arguments], [Order()]))


def forked(
    action: Callable[[], int], seconds: int, log: Path, meaning: Mapping[int, str] = MappingProxyType({})
) -> tuple[str, float]:
    """``action`` in a process of its own, at most so many seconds of processor time; its output in ``log``.

    Returns the verdict and the seconds of processor time. An exit code of zero is survival, those of
    ``meaning`` have one of their own, every other one is death.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        code = 3
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            signal.alarm(20 * seconds)  # for one that waits forever
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            code = action()
        except BaseException as error:  # a mutant may raise anything
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status, usage = os.wait4(child, 0)
    used = usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status):
        return SLOW if os.WTERMSIG(status) in (
            signal.SIGXCPU,
            signal.SIGKILL,
            signal.SIGALRM,
        ) else KILLED, used
    code = os.WEXITSTATUS(status)
    if code == NO_PROGRAM:
        raise RuntimeError("a mutant is no program")
    return meaning.get(code, KILLED if code else SURVIVED), used


def judge(root: Path, site: Site, tests: Sequence[str], seconds: int, log: Path) -> tuple[str, float]:
    """Whether ``tests`` find the mutant."""

    def action() -> int:
        put_in(root, site)
        return run_tests(tests)

    return forked(action, seconds, log)
