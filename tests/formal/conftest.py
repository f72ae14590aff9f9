"""What proofs share: one that must hold, one that must not, and blocks with a fault planted in them."""

import inspect

import pytest

from tests.formal.proof import prove

ROWS = []
"""Figures of every proof of this process, for the table at its end."""


@pytest.fixture
def proven(request, tmp_path):
    """The function ``proven(proof, depth=, bounded=)``: all assertions of a proof hold."""

    def check(proof, *, depth, bounded=False):
        found = prove(proof, proof.inputs, tmp_path, depth=depth, bounded=bounded)
        assert found.verdict == "PASS", f"{found.verdict}: {', '.join(found.broken)}"
        assert found.assertions > 0
        kind = f"{depth} clocks" if bounded else f"induction, {depth}"
        ROWS.append(
            (type(proof).__name__, request.node.name, str(found.assertions), kind, str(found.seconds))
        )

    return check


@pytest.fixture
def refuted(tmp_path):
    """The function ``refuted(proof, depth=)``: from the state at time 0, an assertion fails within ``depth``."""

    def check(proof, *, depth):
        found = prove(proof, proof.inputs, tmp_path, depth=depth, bounded=True)
        assert found.verdict == "FAIL" and found.broken

    return check


@pytest.fixture
def planted():
    """The function ``planted(module, block, good, bad)``: the class ``block`` with one piece of its source
    replaced."""

    def change(module, block, good, bad):
        source = inspect.getsource(block)
        assert source.count(good) == 1, f"{block.__name__} has {good!r} {source.count(good)} times"
        scope = dict(vars(module))
        exec(compile(source.replace(good, bad), module.__file__, "exec"), scope)
        return scope[block.__name__]

    return change


def pytest_terminal_summary(terminalreporter):
    if ROWS and terminalreporter.config.getoption("markexpr") == "formal":
        terminalreporter.section("proofs")
        header = ("proof", "test", "assertions", "by", "seconds")
        for row in (header, *ROWS):
            terminalreporter.write_line(
                "  ".join(part.ljust(w) for part, w in zip(row, (20, 50, 10, 14, 7), strict=True))
            )
