"""The save file of GTKWave beside the waves: signals in a group for every stage, in it one for every unit."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from vcd.gtkw import GTKWSave

from hw.util.files import write
from sim.rtl.waves.stages import Signal, Unit


def save_file(waves: Path) -> Path:
    """Where the save file of ``waves`` lies."""
    return waves.with_suffix(".gtkw")


def write_save_file(waves: Path, clock: str, groups: Mapping[str, Sequence[Unit]], start: int) -> Path:
    """Write it; returns its path.

    clock: the path of the clock in the waves. groups: units by stage. start: what time, in ns, the window
    begins with. Raises ``ArtifactError`` if it cannot be written.
    """
    text = io.StringIO()
    save, path = GTKWSave(text), save_file(waves)
    save.dumpfile(str(waves.resolve()))
    save.savefile(str(path.resolve()))
    save.timestart(start)
    save.trace(clock, alias="clk")
    for stage, units in groups.items():
        with save.group(stage):
            for unit in units:
                with save.group(unit.name, closed=True):
                    for signal in unit.signals:
                        save.trace(_name(signal), alias=f"{unit.name}.{signal.shown}")
    write(path, text.getvalue())
    return path


def _name(signal: Signal) -> str:
    """As GTKWave calls signals of FST files: with their range."""
    return f"{signal.path}[{signal.width - 1}:0]" if signal.width > 1 else signal.path
