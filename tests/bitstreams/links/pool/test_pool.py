"""Boards behind one queue: every image is answered once and rightly, whichever of them fails, and when."""

import random
import threading
import time
from concurrent.futures import CancelledError
from contextlib import contextmanager

import numpy as np
import pytest

from bitstreams.links.pool.member import Member
from bitstreams.links.pool.pool import Pool
from bitstreams.links.serial import SerialLink
from hw.util.errors import ConfigError, DataError, DigestMismatch, LinkError
from sim import model
from tests.bitstreams import serial_wire
from tests.bitstreams.serial_wire import ARTIFACT, INFO, Board, ModelAccelerator, Wire

DICE = np.random.default_rng(11)
PICTURES = DICE.integers(0, 256, (24, *INFO.network.input), np.uint8)
EXPECTED = model.run(ARTIFACT, PICTURES)
SOON = 30.0


class Fake:
    """A member whose board is a model in virtual time. breaks: by number of the link, runs that it lives for;
    afterwards every run fails. gate: what a run waits for, so that a test says who takes what."""

    def __init__(self, name, breaks=(), gate=None, digest=None):
        self.name, self.breaks, self.gate = name, breaks, gate
        self.opened, self.accelerator = 0, None
        self.digest = digest

    @property
    def member(self):
        return Member(self.name, self.open)

    @contextmanager
    def open(self):
        number, self.opened = self.opened, self.opened + 1
        self.accelerator = accelerator = ModelAccelerator()
        if self.digest:
            accelerator.words |= self.digest
        lives = self.breaks[number] if number < len(self.breaks) else None
        if lives == "absent":
            raise LinkError(f"{self.name} is not there")
        wire = Wire(Board(accelerator))
        wire.limit = 10**9
        link = SerialLink(wire, serial_wire.BAUD, name=self.name)
        link.open()
        send = link.send

        async def gated(frame):
            if self.gate:
                assert self.gate.wait(SOON)
            if lives is not None and accelerator.runs > lives:
                raise LinkError(f"{self.name} was unplugged")
            await send(frame)

        link.send = gated
        yield link


def answers(pool, pictures=PICTURES, size=2):
    futures = [pool.submit(pictures[i : i + size]) for i in range(0, len(pictures), size)]
    return [future.result(SOON) for future in futures]


def test_images_are_shared_and_answers_come_in_the_order_of_the_images():
    boards = [Fake(name) for name in "abc"]
    with Pool(INFO, [board.member for board in boards]) as pool:
        found = answers(pool)
        records = pool.records
    np.testing.assert_array_equal(np.concatenate([answer.scores for answer in found]), EXPECTED)
    assert sum(record.images for record in records.values()) == len(PICTURES)
    assert all(answer.clocks > 0 and answer.seconds > 0 for answer in found)
    assert {answer.member for answer in found} <= set("abc") and not any(r.failures for r in records.values())


def test_both_boards_work_at_the_same_time():
    gates = [threading.Event(), threading.Event()]
    boards = [Fake(name, gate=gate) for name, gate in zip("ab", gates, strict=True)]
    with Pool(INFO, [board.member for board in boards]) as pool:
        futures = [pool.submit(PICTURES[i : i + 2]) for i in (0, 2)]
        until(lambda: all(board.accelerator and board.accelerator.runs == 1 for board in boards))
        assert pool.waiting == 0
        for gate in gates:
            gate.set()
        assert {future.result(SOON).member for future in futures} == set("ab")


@pytest.mark.parametrize("seed", range(6))
def test_no_image_is_lost_or_answered_wrong_whichever_boards_fail(seed):
    """One board stays; the others fail after any number of runs, come back or do not."""
    rng = random.Random(seed)
    kinds = ["absent", *range(4)]
    fails = [Fake(f"f{i}", [rng.choice(kinds) for _ in range(rng.randrange(1, 5))]) for i in range(2)]
    boards = [*fails, Fake("sound")]
    with Pool(INFO, [board.member for board in boards], pause=0.01) as pool:
        found = answers(pool)
        records = pool.records
    np.testing.assert_array_equal(np.concatenate([answer.scores for answer in found]), EXPECTED)
    assert sum(record.images for record in records.values()) == len(PICTURES)
    assert not records["sound"].out and records["sound"].failures == 0


def test_a_job_that_failed_waits_for_a_board_that_has_not_failed_at_it():
    """The board that comes back at once does not take it again, however long the other one is busy."""
    gate = threading.Event()
    bad, good = Fake("bad", [0] * 50), Fake("good", gate=gate)
    with Pool(INFO, [bad.member, good.member], pause=0.001, most_failures=0) as pool:
        until(lambda: good.opened and bad.opened)
        futures = [pool.submit(PICTURES[i : i + 2]) for i in range(0, 8, 2)]
        until(lambda: good.accelerator.runs == 1 and bad.opened > 3)
        gate.set()
        for i, future in enumerate(futures):
            answer = future.result(SOON)
            assert answer.member == "good"
            np.testing.assert_array_equal(answer.scores, EXPECTED[2 * i : 2 * i + 2])


def test_a_board_that_comes_back_works_again():
    board = Fake("a", [1, "absent"])
    with Pool(INFO, [board.member], pause=0.01) as pool:
        found = answers(pool, PICTURES[:8])
        record = pool.records["a"]
    np.testing.assert_array_equal(np.concatenate([answer.scores for answer in found]), EXPECTED[:8])
    assert (record.images, record.failures, record.out, board.opened) == (8, 2, False, 3)


def test_without_a_board_that_is_left_everyone_is_told_why():
    boards = [Fake("a", ["absent"] * 9), Fake("b", [0] * 9)]
    with Pool(INFO, [board.member for board in boards], pause=0.001) as pool:
        futures = [pool.submit(PICTURES[i : i + 1]) for i in range(3)]
        for future in futures:
            with pytest.raises(LinkError, match=r"unplugged|no board is left that answers"):
                future.result(SOON)
        until(lambda: all(record.out for record in pool.records.values()))
        with pytest.raises(LinkError, match=r"no board is left .* .a: a is not there; b: b was unplugged"):
            pool.submit(PICTURES[:1]).result(SOON)
    assert [board.opened for board in boards] == [3, 3]


def test_a_failure_is_told_once_while_it_is_the_same():
    """A board that is not there, comes twice and fails in the middle, and is away for good: told again."""
    told = []

    def lost(name, record):
        told.append((name, record.why, record.out))

    board = Fake("a", ["absent", "absent", 1, 0, "absent", "absent", "absent"])
    with Pool(INFO, [board.member], pause=0.001, most_failures=5, lost=lost) as pool:
        futures = [pool.submit(PICTURES[i : i + 1]) for i in range(3)]
        until(lambda: pool.records["a"].out)
        ends = [future.exception(SOON) for future in futures]
    absent, unplugged = "a is not there", "a was unplugged"
    assert told == [
        ("a", absent, False),
        ("a", unplugged, False),
        ("a", unplugged, False),
        ("a", absent, False),
        ("a", absent, True),
    ]
    assert ends[0] is None and isinstance(ends[2], LinkError)


def test_another_accelerator_is_out_at_once():
    from hw.host_interface.registers import DIGEST

    other, good = Fake("other", digest={DIGEST.address(0): 1}), Fake("good")
    with Pool(INFO, [other.member, good.member]) as pool:
        found = answers(pool)
        until(lambda: pool.records["other"].out)
        assert "was generated from artifact" in pool.records["other"].why
    assert {answer.member for answer in found} == {"good"} and other.opened == 1


def test_weights_that_can_be_loaded_again_are():
    """A member that prepares its board is opened anew where weights were wrong; others are out."""
    prepared = []

    async def prepare(driver, link):
        prepared.append(link)
        if len(prepared) == 1:
            raise DigestMismatch("stale")

    board = Fake("a")
    with Pool(INFO, [Member("a", board.open, prepare)], pause=0.01) as pool:
        answers(pool, PICTURES[:4])
    assert len(prepared) == 2 == board.opened


def test_a_job_that_every_board_fails_at_is_given_up_and_the_boards_go_on(monkeypatch):
    """Three tries, at least one on each: else it would take the boards with it."""
    run = ModelAccelerator.push
    poison = PICTURES[0]

    def push(self, beat, last, patience):
        from hw.host_interface.stream_format import pack_image

        first = int.from_bytes(pack_image(poison)[:4], "little")
        if not self.image and beat == first:
            self.ready_for = 0
        return run(self, beat, last, patience)

    monkeypatch.setattr(ModelAccelerator, "push", push)
    boards = [Fake("a"), Fake("b")]
    with Pool(INFO, [board.member for board in boards], pause=0.01) as pool:
        bad = pool.submit(poison[None])
        with pytest.raises(LinkError):
            bad.result(SOON)
        found = answers(pool, PICTURES[2:8])
        records = pool.records
    np.testing.assert_array_equal(np.concatenate([answer.scores for answer in found]), EXPECTED[2:8])
    assert sum(record.failures for record in records.values()) == 3
    assert min(record.failures for record in records.values()) == 1 and not any(
        r.out for r in records.values()
    )


def test_a_pool_that_is_closed_leaves_nobody_waiting():
    gate = threading.Event()
    board = Fake("a", gate=gate)
    with Pool(INFO, [board.member]) as pool:
        begun, waits = pool.submit(PICTURES[:1]), pool.submit(PICTURES[1:2])
        until(lambda: board.accelerator and board.accelerator.runs == 1)
        closing = threading.Thread(target=pool.close)
        closing.start()
        with pytest.raises(CancelledError):
            waits.result(SOON)
        gate.set()
        np.testing.assert_array_equal(begun.result(SOON).scores, EXPECTED[:1])
        closing.join(SOON)
        with pytest.raises(LinkError, match="the pool is closed"):
            pool.submit(PICTURES[:1]).result(SOON)


def test_a_job_that_nobody_wants_any_more_is_not_run():
    gate = threading.Event()
    board = Fake("a", gate=gate)
    with Pool(INFO, [board.member]) as pool:
        first, second, third = (pool.submit(PICTURES[i : i + 1]) for i in range(3))
        until(lambda: board.accelerator and board.accelerator.runs == 1)
        assert second.cancel() and not first.cancel()
        gate.set()
        np.testing.assert_array_equal(third.result(SOON).scores, EXPECTED[2:3])
        assert board.accelerator.runs == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_takes_its_board_out_and_leaves_nobody_waiting():
    async def prepare(driver, link):
        raise KeyError("a bug")

    good = Fake("good")
    with Pool(INFO, [Member("bad", Fake("bad").open, prepare), good.member]) as pool:
        assert {answer.member for answer in answers(pool, PICTURES[:6])} == {"good"}
        until(lambda: pool.records["bad"].out)
    with (
        Pool(INFO, [Member("bad", Fake("bad").open, prepare)]) as pool,
        pytest.raises(LinkError, match="a bug"),
    ):
        pool.submit(PICTURES[:1]).result(SOON)


def test_refusals():
    with pytest.raises(ConfigError, match="at least one board"):
        Pool(INFO, [])
    with Pool(INFO, [Fake("a").member]) as pool:
        with pytest.raises(DataError, match="a run takes 1 to 2 images, not 3"):
            pool.submit(PICTURES[:3])
        with pytest.raises(DataError):
            pool.submit(PICTURES[:1, :1])


def test_members_of_one_name_are_told_apart():
    pool = Pool(INFO, [Fake("virtual").member, Fake("x").member, Fake("virtual").member])
    assert list(pool.records) == ["virtual (1)", "x", "virtual (2)"]


def until(true):
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)
