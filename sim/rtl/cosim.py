"""Run a built simulator with a cocotb module inside, and keep watch over the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import hw
from hw.util import processes
from hw.util.errors import ToolFailed
from sim.bench.job import PROGRESS
from sim.rtl.verilate import Simulator


def run_module(
    simulator: Simulator,
    module: str,
    run_dir: Path,
    *,
    arguments: Sequence[str] = (),
    work_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seed: int = 0,
    wall_seconds: float = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Run the cocotb tests of ``module`` and return the log's path.

    arguments: of the simulator. run_dir: takes the log and cocotb's result file. work_dir: where the
    simulator runs, and thus finds memory images (default ``run_dir``). wall_seconds: end it after that
    time, 0 for never.
    Raises ``ToolFailed`` naming the log when a test fails, or the simulator crashes or takes too long.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    log, results = run_dir / "simulation.log", run_dir / "results.xml"
    results.unlink(missing_ok=True)
    command = [str(simulator.executable), *arguments]
    env = {**_cocotb_environment(), **(environment or {})}
    env |= {
        "COCOTB_TOPLEVEL": simulator.top,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_RANDOM_SEED": str(seed),
    }
    limit = wall_seconds or None
    with log.open("w", encoding="utf-8") as file:

        def hear(line: str) -> None:
            if line.startswith(PROGRESS):
                done, total = map(int, line[len(PROGRESS) :].split())
                if progress:
                    progress(done, total)
            else:
                file.write(line)

        try:
            code = processes.run(command, work_dir or run_dir, hear, environment=env, seconds=limit)
        except subprocess.TimeoutExpired:
            raise ToolFailed(
                f"the simulation did not end within {wall_seconds:.0f} seconds: see {log}"
            ) from None
    if code:
        raise ToolFailed(f"the simulator ended with code {code}: see {log}")
    text = results.read_text(encoding="utf-8") if results.exists() else ""
    if "<testcase" not in text:
        raise ToolFailed(f"the simulator ended before {module} did: see {log}")
    if "<failure" in text or "<error" in text:
        raise ToolFailed(f"{module} failed in the simulator: see {log}")
    return log


def _cocotb_environment() -> dict[str, str]:
    """What cocotb needs to start this very Python inside the simulator."""
    import find_libpython
    from cocotb_tools import config

    paths = [str(Path(hw.__file__).parent.parent), *filter(None, sys.path)]
    library = find_libpython.find_libpython()
    if library is None:
        raise ToolFailed(
            f"{sys.executable} has no shared libpython, which cocotb needs: use a Python built with "
            "--enable-shared, or your system's package of it"
        )
    shared = [str(config.libs_dir), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(shared),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{library};{config.pygpi_entry_point()}",
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_ANSI_OUTPUT": "0",
        # Rewriting assertions would load pytest and its plugins: three times the start-up of a bench.
        "COCOTB_REWRITE_ASSERTION_FILES": "",
    }
