"""Waves of a simulation: what two readers of others find in them, and the save file beside."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylibfst
import pytest
import pywellen
from vcd.gtkw import GTKWFlag

from hw.contract.design import DesignInfo
from hw.host_interface.stream_format import map_beats, pack_image, pack_scores
from hw.util.errors import ConfigError, LinkError
from sim import model, rtl
from sim.bench.job import PERIOD
from sim.rtl.waves.recording import MOST, Recording
from sim.rtl.waves.save_file import save_file
from sim.rtl.waves.stages import REST, STAGES, grouped
from tests.sim.bench.accelerators import images

DESIGN = "spec2_bench.dut"
PICTURES = images("tiny", 2)


@pytest.fixture(scope="module")
def design(accelerator):
    """The folder of the smallest design, and its model."""
    return accelerator("tiny", "adaptive", 4, 1, 1)


@pytest.fixture(scope="module")
def recorded(design, tmp_path_factory) -> Path:
    """Waves of two whole runs, of images that are equal to the integer model's."""
    folder, artifact = design
    waves = tmp_path_factory.mktemp("waves") / "my run.fst"
    found = rtl.simulate(folder, PICTURES, waves=Recording(waves))
    assert np.array_equal(found.scores, model.run(artifact, PICTURES))
    return waves


def in_save_file(waves: Path) -> dict[str, list[str]]:
    """Paths of signals by stage, as the save file has them."""
    stages: dict[str, list[str]] = {}
    flags, groups = 0, []
    for line in save_file(waves).read_text().splitlines():
        if line.startswith("@"):
            flags = int(line[1:], 16)
        elif flags & GTKWFlag.grp_begin.value:
            groups.append(line.removeprefix("-"))
            stages.setdefault(groups[0], [])
        elif flags & GTKWFlag.grp_end.value:
            assert groups.pop() == line.removeprefix("-")
        elif groups:
            stages[groups[0]].append(line.split("} ")[-1])
    assert not groups
    return stages


def of_gtkwave(waves: Path) -> set[str]:
    """Every signal, by the reader that is GTKWave's own."""
    reader = pylibfst.lib.fstReaderOpen(str(waves).encode())
    assert reader != pylibfst.ffi.NULL
    _, signals = pylibfst.get_scopes_signals2(reader)
    pylibfst.lib.fstReaderClose(reader)
    return {name.replace(" ", "") for name in signals.by_name}


@pytest.mark.verilator
def test_every_signal_of_the_save_file_is_in_the_waves(recorded) -> None:
    found, known = in_save_file(recorded), of_gtkwave(recorded)
    assert list(found) == list(STAGES), "a unit that no stage knows, or a stage without units"
    for stage, signals in found.items():
        assert len(signals) >= 5, stage
        assert set(signals) <= known, (stage, sorted(set(signals) - known)[:5])
    assert f"{DESIGN}.core.fetch.r_line" in {re.sub(r"\[.*", "", name) for name in found["fetch"]}
    text = save_file(recorded).read_text()
    assert f'[dumpfile] "{recorded.resolve()}"' in text and "+{s_axis.tdata} " in text


@pytest.mark.verilator
def test_waves_hold_what_crossed_the_ports(recorded, design) -> None:
    """Beats of both streams, clock by clock, by the reader of Surfer: equal to images and scores."""
    waves = pywellen.Waveform(str(recorded))
    signals = {var.full_name: var for var in waves.all_vars()}

    def signal(name):
        return signals[f"{DESIGN}.{name}"].signal

    def beats(bus: str) -> list[int]:
        data, valid, ready = (signal(f"{bus}_{name}") for name in ("tdata", "tvalid", "tready"))
        times = range(PERIOD // 2 - 1, pylibfst_end(recorded), PERIOD)
        ends = [t for t in times if all(str(part.value_at(t)) == "1" for part in (valid, ready))]
        return [int(str(data.value_at(t))) for t in ends]

    sent = np.frombuffer(b"".join(map(pack_image, PICTURES)), "<u4").tolist()
    assert beats("s_axis") == sent and len(sent) == 2 * map_beats(PICTURES[0].shape)
    scores = model.run(design[1], PICTURES)
    assert beats("m_axis") == np.frombuffer(b"".join(pack_scores(s[None]) for s in scores), "<u4").tolist()


def pylibfst_end(waves: Path) -> int:
    reader = pylibfst.lib.fstReaderOpen(str(waves).encode())
    end = pylibfst.lib.fstReaderGetEndTime(reader)
    pylibfst.lib.fstReaderClose(reader)
    return end


@pytest.mark.verilator
def test_command_records_a_window(recorded, design, tmp_path, run) -> None:
    waves, whole = tmp_path / "w.fst", recorded.stat().st_size
    command = ("simulate", design[0], "--images", 1, "--random", "--waves", waves, "--json")
    done = run(*command, "--waves-from", 200, "--waves-to", 300)
    assert done.code == 0, done.err
    said = json.loads(done.out)["waves"]
    assert said["bytes"] == waves.stat().st_size < whole / 2
    assert Path(said["save_file"]) == save_file(waves) and f"[timestart] {200 * PERIOD}" in (
        save_file(waves).read_text()
    )
    reader = pylibfst.lib.fstReaderOpen(str(waves).encode())
    start = pylibfst.lib.fstReaderGetStartTime(reader)
    pylibfst.lib.fstReaderClose(reader)
    assert (start, pylibfst_end(waves)) == (200 * PERIOD, 300 * PERIOD - PERIOD // 2)
    waves.unlink()
    assert "ended after" in run(*command, "--waves-from", 10**6).sentence and not waves.exists()
    assert "cannot write" in run(*command[:-2], "/proc/no/w.fst").sentence


@pytest.mark.verilator
def test_waves_of_a_run_that_fails_are_kept(design, tmp_path) -> None:
    waves = tmp_path / "failed.fst"
    with pytest.raises(LinkError, match="within 30 clocks"):
        rtl.simulate(design[0], PICTURES, waves=Recording(waves), timeout=30)
    assert pylibfst_end(waves) > 30 * PERIOD and save_file(waves).exists()


def test_every_unit_of_a_design_belongs_to_a_stage(accelerator) -> None:
    """Also where weights come from memories, and in a design of several lanes."""
    options = {"stream_weights": True, "bus_bits": 64, "memories": 2}
    folder, _ = accelerator("tiny", "adaptive", 4, 2, 1, **options)
    info = DesignInfo.load(folder)
    groups = grouped((folder / info.verilog).read_text(), info.top, DESIGN)
    assert REST not in groups, [unit.name for unit in groups[REST]]
    units = {stage: [unit.name for unit in units] for stage, units in groups.items()}
    assert {"reader", "weights", "m_axi_0", "m_axi_1"} <= set(units["weights"])
    assert {"lane_0", "lane_1", "issue"} <= set(units["array"])


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--waves", "w.vcd"), "waves are written as FST, not as '.vcd'"),
        (("--waves", "w"), "waves are written as FST, not as 'w'"),
        (("--waves", 'a"b.fst'), "the save file cannot hold the name"),
        (("--waves", "a\nb.fst"), "the save file cannot hold the name"),
        (("--waves", "w.fst", "--waves-from", 9, "--waves-to", 9), "leave no clock between"),
        (("--waves-to", 9), "bound --waves: name its file"),
        (("--waves", "w.fst", "--layers"), "--waves records whole runs: leave --layers out"),
    ],
)
def test_waves_that_cannot_be_are_refused(fake_design, run, options, message) -> None:
    assert message in run("simulate", fake_design.design, "--random", *options).sentence
    assert not fake_design.calls


def test_waves_that_would_fill_a_disk_are_refused(fake_design, run) -> None:
    info = DesignInfo.load(fake_design.design)
    assert Recording(Path("w.fst")).check(info, 4, False) is None
    large = replace(info, estimates={**info.estimates, "cycles": 10**6, "ff": 10**5})
    with pytest.raises(
        ConfigError, match=r"about 2,000,000 clocks .* about 50 GB: ask for fewer .* for 2 GB"
    ):
        Recording(Path("w.fst")).check(large, 8, False)
    Recording(Path("w.fst"), 0, int(MOST / 25_000)).check(large, 8, False)
