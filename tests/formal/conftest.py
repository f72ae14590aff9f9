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
    """The function ``refuted(proof, depth=, anywhere=)``: an assertion fails within ``depth`` clocks from
    time 0, or, where that is too far away, ``anywhere``: the step of induction fails, which the sound block's
    does not."""

    def check(proof, *, depth, anywhere=False):
        found = prove(proof, proof.inputs, tmp_path, depth=depth, bounded=not anywhere)
        assert found.verdict == ("UNKNOWN" if anywhere else "FAIL") and found.broken

    return check


@pytest.fixture
def planted():
    """The function ``planted(module, block, good, bad, **constants)``: the class ``block`` with one piece of
    its source replaced, and constants of its module with other values."""

    def change(module, block, good="", bad="", **constants):
        source = inspect.getsource(block)
        if good:
            assert source.count(good) == 1, f"{block.__name__} has {good!r} {source.count(good)} times"
            source = source.replace(good, bad)
        scope = {**vars(module), **constants}
        exec(compile(source, module.__file__, "exec"), scope)
        return scope[block.__name__]

    return change


def pytest_terminal_summary(terminalreporter):
    if ROWS and terminalreporter.config.getoption("markexpr") == "formal":
        terminalreporter.section("proofs")
        header = ("proof", "test", "assertions", "by", "seconds")
        widths = [max(map(len, column)) for column in zip(header, *ROWS, strict=True)]
        for row in (header, *ROWS):
            cells = (part.ljust(width) for part, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells))
