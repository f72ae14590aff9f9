"""Run a built simulator with a cocotb module inside, and keep watch over the process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import hw
from hw.errors import ToolFailed
from sim.verilate import Simulator

PROGRESS = "@progress "
"""A line of the simulator's output that starts so carries ``done total`` and is not logged."""


def run_module(
    simulator: Simulator,
    module: str,
    run_dir: Path,
    *,
    work_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seed: int = 0,
    wall_seconds: float = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Run the cocotb tests of ``module`` and return the log's path.

    run_dir: takes the log, cocotb's result file and the waves. work_dir: where the simulator runs, and
    thus finds memory images (default ``run_dir``). wall_seconds: end it after that time, 0 for never.
    Raises ``ToolFailed`` naming the log when a test fails, or the simulator crashes or takes too long.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    log, results = run_dir / "simulation.log", run_dir / "results.xml"
    results.unlink(missing_ok=True)
    command = [str(simulator.executable)]
    if simulator.waves:
        command += ["--trace", "--trace-file", str(run_dir / "waves.vcd")]
    env = {**_cocotb_environment(), **(environment or {})}
    env |= {
        "COCOTB_TOPLEVEL": simulator.top,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_RANDOM_SEED": str(seed),
    }
    process = subprocess.Popen(
        command,
        cwd=work_dir or run_dir,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
        errors="replace",
    )
    overdue = threading.Event()

    def end() -> None:
        overdue.set()
        _kill(process)

    watchdog = threading.Timer(wall_seconds, end)
    if wall_seconds:
        watchdog.start()
    try:
        _copy_output(process, log, progress)
        code = process.wait()
    finally:
        watchdog.cancel()
        _kill(process)
        process.communicate()
    if overdue.is_set():
        raise ToolFailed(f"the simulation did not end within {wall_seconds:.0f} seconds: see {log}")
    if code:
        raise ToolFailed(f"the simulator ended with code {code}: see {log}")
    text = results.read_text() if results.exists() else ""
    if "<testcase" not in text:
        raise ToolFailed(f"the simulator ended before {module} did: see {log}")
    if "<failure" in text or "<error" in text:
        raise ToolFailed(f"{module} failed in the simulator: see {log}")
    return log


def _kill(process: subprocess.Popen[str]) -> None:
    """End the process and its children, if they still run."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _copy_output(
    process: subprocess.Popen[str], log: Path, progress: Callable[[int, int], None] | None
) -> None:
    """The simulator's output to ``log`` until it ends, progress lines to ``progress``."""
    assert process.stdout is not None
    with log.open("w") as file:
        for line in process.stdout:
            if line.startswith(PROGRESS):
                done, total = map(int, line[len(PROGRESS) :].split())
                if progress:
                    progress(done, total)
            else:
                file.write(line)


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
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{library};{config.pygpi_entry_point()}",
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_ANSI_OUTPUT": "0",
        # Rewriting assertions would load pytest and its plugins: three times the start-up of a bench.
        "COCOTB_REWRITE_ASSERTION_FILES": "",
    }
