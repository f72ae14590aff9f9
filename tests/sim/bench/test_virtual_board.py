"""The whole chain in software, from the driver through the UART to the accelerator and back."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from bitstreams.links.serial import open_serial
from hw.contract.design import DesignInfo
from hw.host.driver import Driver
from hw.util.errors import ArtifactError, ConfigError, DigestMismatch
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


def test_board_is_built_once(build) -> None:
    before = build.executable.stat().st_mtime_ns
    assert build_board(build.design_dir) == build
    assert build.executable.stat().st_mtime_ns == before


def test_design_or_rate_that_cannot_be_built_is_refused(accelerator, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no design"):
        build_board(tmp_path)
    with pytest.raises(ConfigError, match="at least 4 clocks per bit, not 3"):
        build_board(accelerator(*CASE)[0], 3)
