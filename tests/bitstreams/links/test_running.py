"""Ctrl-C ends what blocks, at once."""

import os
import signal
import threading
import time

import pytest

from bitstreams.links.running import run


@pytest.fixture
def python_s_own_handler():
    """Workers of pytest-xdist ignore Ctrl-C, and so would what they run."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_interrupt_ends_a_link_that_blocks(python_s_own_handler):
    began = threading.Event()
    tries = []

    async def wait_for_a_board():
        for _ in range(300):  # as attempts at a silent port
            tries.append(1)
            began.set()
            time.sleep(0.1)

    def interrupt():
        began.wait()
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run(wait_for_a_board())
    assert len(tries) < 10
    assert signal.getsignal(signal.SIGINT) is before


def test_results_and_errors_come_through_and_other_handlers_stay():
    async def answer():
        return 42

    async def fail():
        raise ValueError("no")

    assert run(answer()) == 42
    with pytest.raises(ValueError, match="no"):
        run(fail())
    found = []
    threading.Thread(target=lambda: found.append(run(answer()))).run()
    assert found == [42]
