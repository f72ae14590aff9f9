"""Run images through the generated Verilog: the same driver as on a board, a simulator in its place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.compile.weight_stream import SHORTEST_BURST
from hw.contract.design import DesignInfo
from hw.host.counters import Counters
from hw.host.driver import DEFAULT_TIMEOUT
from hw.host_interface.stream_format import check_images
from hw.util.errors import ConfigError, LinkError, ToolFailed
from hw.util.files import replacing
from sim.bench import wrapper
from sim.bench.job import PERIOD, VARIABLE, Answer, Job, Memory
from sim.rtl.cosim import run_module
from sim.rtl.verilate import Simulator, locked, verilate
from sim.rtl.waves.recording import Recording
from sim.rtl.waves.save_file import write_save_file
from sim.rtl.waves.stages import grouped

LOG = logging.getLogger(__name__)

STANDARD_PORTS = ("clk", "rst", "s_axil_*", "s_axis_*", "m_axis_*")
"""Ports of every accelerator."""

FACTOR, STALL_FACTOR = 10, 20
"""How much longer than estimated a run may take, and one when every channel is paused half of the time."""


@dataclass(frozen=True)
class SimBuild:
    """The simulator of the design in ``design_dir``."""

    design_dir: Path
    info: DesignInfo
    simulator: Simulator


@dataclass(frozen=True)
class RtlResult:
    """What came out of the Verilog.

    scores: class scores (n, classes) or feature maps (n, c, h, w), int32.
    counters: one per run. cycles: busy clocks of all runs. clocks: simulated ones in all, host included.
    """

    scores: NDArray[np.int32]
    counters: tuple[Counters, ...]
    cycles: int
    clocks: int


def load_design(folder: Path) -> DesignInfo:
    """The description of the design in ``folder``; ``ArtifactError`` unless its files are as generated."""
    info = DesignInfo.load(folder)
    info.check(folder)
    return info


def build(
    design_dir: Path | str, *, build_dir: Path | None = None, threads: int = 1, waves: bool = False
) -> SimBuild:
    """Make the simulator of a design, or take the one made before from the same Verilog.

    build_dir: where it is kept, by default ``sim_build`` in the design's folder. threads: of the
    simulator. waves: record all signals (slow, large).
    Raises ``ArtifactError`` without a design, ``ToolNotFound`` and ``ToolFailed`` as from ``verilate``.
    """
    folder = Path(design_dir)
    info = load_design(folder)
    target = build_dir or folder / ("sim_build_waves" if waves else "sim_build")
    verilog = (folder / info.verilog).read_text(encoding="utf-8")
    ports, top = tuple(info.ports) or STANDARD_PORTS, info.top
    if info.ports:
        held = [folder / name for name in info.weight_files]
        verilog, outer = wrapper.wrapped(info, verilog, held)
        ports, top = tuple(outer), wrapper.TOP
    return SimBuild(folder, info, verilate(verilog, top, ports, target, threads=threads, waves=waves))


def patience(info: DesignInfo, beats: int, memory: Memory, stalls: bool) -> int:
    """Clocks to wait for the results of a run before it counts as hung.

    beats: that the largest of its memories delivers in a run. To the multiple of the estimate comes what
    ``memory`` takes at most: its latency for every burst, as if there were one at a time and the shortest.
    """
    factor = STALL_FACTOR if stalls else FACTOR
    estimate = factor * int(info.estimates.get("cycles", 0)) or DEFAULT_TIMEOUT
    bursts = -(-beats // SHORTEST_BURST) + len(info.numbers)  # and a rest in every instruction
    return estimate + 2 * (beats * (1 + memory.gap) + bursts * memory.latency if beats else 0)


def weight_beats(made: SimBuild) -> int:
    """Beats in the largest file that a memory of the design holds; 0 where it has none."""
    files, ports = made.info.weight_files, made.info.ports
    if not files:
        return 0
    width = min(bits for name, bits in ports.items() if name.endswith("_rdata") and name.startswith("m_axi"))
    sizes = [(made.design_dir / name).stat().st_size for name in files]
    return -(-max(sizes) * 8 // width)


def simulate(
    design_dir: Path | str,
    images: NDArray[np.uint8],
    *,
    batch: int = 0,
    layers: tuple[int, int] | None = None,
    stalls: bool = False,
    seed: int = 0,
    reset_midway: bool = False,
    memory: Memory | None = None,
    timeout: int = 0,
    wall_seconds: float = 0,
    waves: Recording | None = None,
    traced: bool = False,
    threads: int = 1,
    build_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RtlResult:
    """Run ``images`` (n, c, h, w), or (n, h, w) for one channel, through the design's Verilog.

    batch: images per run, 0 for as many as the accelerator takes. layers: first and last layer to
    run, as in :meth:`hw.host.driver.Driver.run`. stalls: pause every channel of every port at random. seed:
    of the stalls. reset_midway: interrupt a run with a reset first; the results must not change. memory: how
    external memory behaves, where weights come from there. timeout: clocks to wait for a run's results, 0 for
    :func:`patience`. wall_seconds: end the simulator after that time, 0 for never. waves: record
    these, with their save file; also of a run that fails. traced: take the simulator that could record, so
    that no other one is built. progress: called with (images done, images in all) after each run.

    Raises ``DataError`` for images or a batch that do not fit, ``LinkError`` when the accelerator does
    not answer, ``DigestMismatch`` when it holds other weights, ``ArtifactError`` when waves cannot be
    written, ``ConfigError`` when the simulation ends before their window, and what :func:`build` raises.
    """
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, not {threads}")
    made = build(design_dir, build_dir=build_dir, threads=threads, waves=traced or waves is not None)
    images = check_images(images, made.info.network.given(layers[0] if layers else 0))
    memory = memory or Memory()
    timeout = timeout or patience(made.info, weight_beats(made), memory, stalls)
    run_dir = made.simulator.executable.parent / "run"
    run_dir.mkdir(exist_ok=True)
    size = batch or made.info.config.batch
    with locked(run_dir):
        LOG.info(
            "images: %d, in a run: %d, seed: %d%s", len(images), size, seed, ", stalls" if stalls else ""
        )
        job = Job(made.info, images, size, stalls, seed, reset_midway, timeout, layers, memory)
        job.save(run_dir)
        with _recorded(waves, made) as arguments:
            log = run_module(
                made.simulator,
                "sim.bench.session",
                run_dir,
                arguments=arguments,
                work_dir=made.design_dir,
                environment={VARIABLE: str(run_dir)},
                seed=seed,
                wall_seconds=wall_seconds,
                progress=progress,
            )
            answer = Answer.load(run_dir, log)
            if waves is not None and answer.clocks <= waves.first:
                raise ConfigError(
                    f"the simulation ended after {answer.clocks:,} clocks, before --waves-from "
                    f"{waves.first}: begin earlier"
                )
    cycles = sum(counters.cycles for counters in answer.counters)
    return RtlResult(answer.scores, answer.counters, cycles, answer.clocks)


@contextmanager
def _recorded(waves: Recording | None, made: SimBuild) -> Iterator[Sequence[str]]:
    """Give the simulator's arguments. After the block waves are in their place, with their save file, even
    if the run failed in the simulator: then they are wanted most."""
    if waves is None:
        yield ()
        return
    info, failed = made.info, None
    with replacing(waves.file) as part:
        try:
            yield waves.arguments(part)
        except (LinkError, ToolFailed) as error:
            failed = error
            if not part.stat().st_size:  # it did not come so far
                raise
    verilog = (made.design_dir / info.verilog).read_text(encoding="utf-8")
    above = f"{wrapper.TOP}.{wrapper.DESIGN}" if info.ports else info.top
    write_save_file(waves.file, f"{above}.clk", grouped(verilog, info.top, above), waves.first * PERIOD)
    if failed is not None:
        raise failed
