"""Any fault of the wire, the board or another client: a run through the link ends in the exact scores or in
an error, after a bounded time.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bitstreams.links.serial import SerialLink
from bitstreams.links.serial_client import ATTEMPTS, SLACK
from hw.host.driver import Driver
from hw.host_interface import protocol
from hw.host_interface.registers import DIGEST
from hw.util.errors import DigestMismatch, LinkError
from tests.bitstreams.serial_wire import (
    BAUD,
    IMAGES,
    INFO,
    SCORES,
    Board,
    Faults,
    ModelAccelerator,
    Wire,
    finish,
)

REQUESTS = 120
"""Bound on the requests of one client: it opens, connects, runs three images, and a few more."""

ATTEMPT = SLACK + 0.5 + 2100 * protocol.BITS_PER_BYTE / BAUD
"""Bound on the seconds of one attempt, the longest wait on the board included."""


def connect(wire: Wire, session: int | None = None) -> tuple[SerialLink, Driver]:
    link = SerialLink(wire, BAUD, session=session)
    return link, Driver(link, INFO)


def play(wire: Wire, session: int | None = None) -> np.ndarray | Exception:
    """What a client gets that opens the board, connects and runs: scores, or one of the errors allowed."""
    link, driver = connect(wire, session)

    async def run() -> np.ndarray:
        await driver.connect()
        return await driver.run(IMAGES)

    try:
        link.open()
        return finish(run())
    except (LinkError, DigestMismatch) as error:
        assert str(error)
        return error


def ends_well(answer: np.ndarray | Exception) -> bool:
    """Exactly the scores, or an error. (Other errors have not been caught.)"""
    return isinstance(answer, Exception) or bool(np.array_equal(answer, SCORES))


# --- any fault at all --------------------------------------------------------------------------------

SEEDS = st.integers(0, 2**32 - 1)
RATES = st.sampled_from([1e-3, 1e-3, 3e-3, 0.01, 0.05])
BURSTS = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 60)), max_size=3).map(tuple)
LATE = st.sampled_from([0.0, 0.0, 2e-3, 0.01])
NOISE = st.builds(Faults, SEEDS, RATES, BURSTS, late=LATE)
DELAYS = st.builds(Faults, SEEDS, late=LATE)
CUTS = st.builds(Faults, cut=st.integers(0, 1000))
CLEAN = st.builds(Faults)
TROUBLE = (
    "nothing",
    "noise",
    "noise",
    "noise",
    "delays",
    "cable",
    "stuck",
    "client",
    "weights",
    "everything",
)


@settings(max_examples=1500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_fault_ends_in_the_exact_scores_or_in_an_error(data) -> None:
    """Never in wrong scores, never in a hang: bounded virtual time, whatever the wire and the board do."""
    trouble = data.draw(st.sampled_from(TROUBLE), "trouble")

    def has(*kinds: str) -> bool:
        return trouble in kinds or trouble == "everything"

    accelerator = ModelAccelerator()
    board = Board(accelerator)
    faults = NOISE if has("noise") else CUTS if has("cable") else DELAYS if has("delays") else CLEAN
    wire = Wire(board, data.draw(faults, "to the board"), data.draw(faults, "from the board"))
    wires, others = [wire], []
    if has("stuck"):
        name = data.draw(st.sampled_from(["ready_for", "answers_for", "accesses"]), "stuck")
        setattr(accelerator, name, data.draw(st.integers(0, 40), name))
    if has("weights"):
        accelerator.words[DIGEST.address(data.draw(st.integers(0, 7)))] ^= 1
    if has("client"):
        at = data.draw(st.integers(0, 900), "second client at byte")
        hears_all = data.draw(st.booleans(), "both hear everything")
        their_faults = data.draw(st.one_of(CLEAN, NOISE), "second client's")

        def intrude(first: Wire) -> None:
            if first.sent == at:
                second = Wire(board, their_faults)
                wires.append(second)
                if not hears_all:
                    board.ends.remove(first)
                others.append(play(second, session=0x7C2222))
                if not hears_all:
                    board.ends.append(first)

        wire.before_byte = intrude

    answer = play(wire, session=0xFA1111)
    event(f"{trouble}: {type(answer).__name__}")
    assert ends_well(answer) and all(ends_well(other) for other in others)
    assert sum(w.writes for w in wires) <= len(wires) * REQUESTS * ATTEMPTS
    assert board.now <= sum(w.writes for w in wires) * ATTEMPT
    if trouble == "nothing":
        assert isinstance(answer, np.ndarray)
    if trouble == "weights":
        assert isinstance(answer, DigestMismatch)


def conversation() -> tuple[int, int]:
    """Bytes to and from the board in a client's whole life."""
    wire = Wire(Board(ModelAccelerator()))
    assert ends_well(play(wire, session=0xFA1111))
    return wire.up.count, wire.down.count


@pytest.mark.parametrize("kind", ["flip", "loss", "double"])
@pytest.mark.parametrize("direction", ["to the board", "from the board"])
def test_a_single_fault_anywhere_is_made_good(direction: str, kind: str) -> None:
    """Every byte of a client's whole life in turn; each request is executed once all the same."""
    up = direction == "to the board"
    length = conversation()[0 if up else 1]
    assert length > 400
    for at in range(length):
        faults = Faults(at={at: {"flip": at % 8, "loss": -1, "double": -2}[kind]})
        accelerator = ModelAccelerator()
        wire = Wire(Board(accelerator), *([faults] if up else [Faults(), faults]))
        answer = play(wire, session=0xFA1111)
        assert isinstance(answer, np.ndarray) and np.array_equal(answer, SCORES), (at, answer)
        assert accelerator.runs == 2
