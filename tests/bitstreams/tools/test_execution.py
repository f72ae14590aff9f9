"""How a program of others runs: its output, its end, and an interruption."""

import os
import sys

import pytest

from bitstreams.tools import execution
from hw.util.errors import ToolNotFound


def test_a_program_that_does_not_start(tmp_path):
    with pytest.raises(ToolNotFound, match="does not start"):
        execution.execute([str(tmp_path / "absent")], tmp_path, tmp_path / "log")


def test_an_interruption_ends_the_tool(tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        execution.execute([sys.executable, "-c", code], tmp_path, tmp_path / "log", listen=interrupt)
    pid = int((tmp_path / "log").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_output_is_heard_line_by_line_and_kept(tmp_path):
    heard = []
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(5)"
    assert (
        execution.execute([sys.executable, "-uc", code], tmp_path, tmp_path / "log", listen=heard.append) == 5
    )
    assert heard == ["one", "two"] and (tmp_path / "log").read_text() == "one\ntwo\n"
