"""The whole chain in software, from the driver through the UART to the accelerator and back."""

import asyncio
from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bitstreams.links.pool.member import Member
from bitstreams.links.pool.pool import Pool
from bitstreams.links.serial import open_serial
from hw.contract.design import DesignInfo
from hw.host.driver import Driver
from hw.util.errors import ArtifactError, ConfigError, DigestMismatch, ToolFailed
from sim import model
from sim.virtual.board import CLOCK_HZ, VirtualBoard
from sim.virtual.build import VirtualBuild, build_board
from tests.sim.bench.accelerators import images

pytestmark = pytest.mark.verilator

CASE = ("tiny", "adaptive", 8, 4, 4)


@pytest.fixture(scope="module")
def build(accelerator) -> VirtualBuild:
    return build_board(accelerator(*CASE)[0])


def classify(board: VirtualBoard, info: DesignInfo, pictures: np.ndarray) -> np.ndarray:
    """One client's session, from opening the port to closing it."""

    async def session(link) -> np.ndarray:
        driver = Driver(link, info)
        await driver.connect()
        return await driver.run(pictures)

    with open_serial(board.path, board.baud, clock_hz=CLOCK_HZ) as link:
        return asyncio.run(session(link))


def test_clients_get_the_scores_of_the_integer_model(accelerator, build) -> None:
    folder, artifact = accelerator(*CASE)
    info = DesignInfo.load(folder)
    with VirtualBoard(build) as board:
        for seed, count in enumerate((9, 1)):
            pictures = images("tiny", count, seed)
            np.testing.assert_array_equal(classify(board, info, pictures), model.run(artifact, pictures))
        other = DesignInfo.from_json({**info.to_json(), "digest": "ab" * 32, "accelerator": "ab" * 32})
        with pytest.raises(DigestMismatch, match="not from abababab"):
            classify(board, other, pictures)
    assert board.statistics["framing_errors"] == board.statistics["bytes_lost"] == 0


def test_images_of_a_board_that_is_killed_are_run_by_the_other(accelerator, build) -> None:
    """Killed in mid-run, as soon as it has taken images; its program is gone when it is opened again."""
    folder, artifact = accelerator(*CASE)
    info, pictures = DesignInfo.load(folder), images("tiny", 6, 5)
    with VirtualBoard(build) as second, pytest.raises(ToolFailed), VirtualBoard(build) as first:
        opens = [partial(open_serial, board.path, board.baud, clock_hz=CLOCK_HZ) for board in (first, second)]
        members = [Member(name, link) for name, link in zip(("first", "second"), opens, strict=True)]
        with Pool(info, members, pause=0.05) as pool:
            futures = [pool.submit(pictures[i : i + 2]) for i in range(0, len(pictures), 2)]
            wait(futures, return_when=FIRST_COMPLETED)
            first._process.kill()
            scores = np.concatenate([future.result(60).scores for future in futures])
            records = pool.records
            assert records["first"].images + records["second"].images == 6
            assert pool.submit(pictures[:1]).result(60).member == "second"
    np.testing.assert_array_equal(scores, model.run(artifact, pictures))
    assert records["second"].failures == 0 < records["first"].failures


def test_board_is_built_once(build) -> None:
    before = build.executable.stat().st_mtime_ns
    assert build_board(build.design_dir) == build
    assert build.executable.stat().st_mtime_ns == before


def test_design_or_rate_that_cannot_be_built_is_refused(accelerator, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no design"):
        build_board(tmp_path)
    with pytest.raises(ConfigError, match="at least 4 clocks per bit, not 3"):
        build_board(accelerator(*CASE)[0], 3)
