"""Vivado's text reports as figures: slack, clocks, utilisation, routing, warnings.

Reads ``report_timing_summary``, ``report_utilization`` (flat and hierarchical) and ``report_route_status``
as releases 2018.3 to 2025.x write them. Whatever cannot be read is an error: a figure that is not there must
not look like a good one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitstreams.flows.vivado_figures import Clock, Report, Timing, Use
from hw.util import documents
from hw.util.errors import ToolFailed

MOST = 64 << 20
"""Bytes of a report; the largest one seen has some megabytes."""


def read(folder: Path, log: str) -> Report:
    """Read every report in ``folder``. Raises ``ToolFailed`` when one is missing or cannot be read."""
    texts = {name: _text(folder / f"{name}.rpt") for name in _FILES}
    return Report(
        tool=tool(texts["timing"]),
        timing=timing(texts["timing"]),
        utilisation=utilisation(texts["utilization"]),
        hierarchy=hierarchy(texts["utilization_hierarchical"]),
        unrouted=unrouted(texts["route_status"]),
        warnings=len(re.findall(r"^WARNING: ", log, re.M)),
        critical_warnings=len(re.findall(r"^CRITICAL WARNING: ", log, re.M)),
    )


_FILES = ("timing", "utilization", "utilization_hierarchical", "route_status")


def _text(path: Path) -> str:
    try:
        return documents.read(path, MOST).decode(errors="replace")
    except OSError:
        raise ToolFailed(f"Vivado left no report {path.name}: its log shows how far it came") from None


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Words where numbers should be, and columns that are missing, are that sentence."""
    try:
        yield
    except (ValueError, KeyError, IndexError, OverflowError):
        raise _unreadable(what) from None


def _unreadable(what: str) -> ToolFailed:
    return ToolFailed(f"Vivado's report has no {what} that can be read: open an issue with the file")


def tool(text: str) -> str:
    """``Vivado 2023.2`` from a report's head."""
    found = re.search(r"^\| Tool Version\s*: Vivado v\.(\S+)", text, re.M)
    if not found:
        raise _unreadable("tool version")
    return f"Vivado {found[1]}"


_NUMBER = r"-?\d{1,12}(?:\.\d{1,12})?|NA|inf"


def timing(text: str) -> Timing:
    """The design's slack from ``report_timing_summary``."""
    summary = re.search(r"\| Design Timing Summary.*?WNS\(ns\)[^\n]*\n[-\s]+\n\s*(\S[^\n]*)\n", text, re.S)
    values = summary[1].split() if summary else []
    if len(values) < 12 or not all(re.fullmatch(_NUMBER, value) for value in values[:12]):
        raise _unreadable("timing summary")
    if "NA" in (values[0], values[4]):
        raise ToolFailed("no path of the design is timed: a clock constraint is missing")
    with _reading("timing summary"):
        pulse = 0.0 if values[8] == "NA" else float(values[8])
        return Timing(
            wns=float(values[0]), tns=float(values[1]),
            setup_failing=int(values[2]), endpoints=int(values[3]),
            whs=float(values[4]), ths=float(values[5]), hold_failing=int(values[6]), wpws=pulse,
            clocks=tuple(_clocks(text)),
        )  # fmt: skip


def _clocks(text: str) -> Iterator[Clock]:
    """Clocks of the Clock Summary, with their slack from the Intra Clock Table."""
    slacks = {}
    for line in _section(text, "Intra Clock Table"):
        name, *values = line.split()
        # A clock without timed paths has its pulse width columns only.
        if len(values) == 12 and re.fullmatch(_NUMBER, values[0]) and values[0] != "NA":
            slacks[name] = float(values[0])
    for line in _section(text, "Clock Summary"):
        found = re.match(r"\s*(\S+)\s+\{[^}]*\}\s+(\d{1,12}\.\d{1,12})\s+\d+\.\d+", line)
        if found and float(found[2]) > 0:
            yield Clock(found[1], float(found[2]), slacks.get(found[1]))


def _section(text: str, title: str) -> list[str]:
    """The lines of a section of the timing summary, without its rules and blank lines."""
    found = re.search(rf"^\| {title}\s*\n\|[ -]*\n-+\n(.*?)(?=^-{{20,}}$|\Z)", text, re.M | re.S)
    lines = found[1].splitlines() if found else []
    return [line for line in lines if line.strip() and not re.fullmatch(r"[-\s]+", line)]


# Our names of resources, and the rows of 7 series and UltraScale+.
_ROWS = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "ff": ("Slice Registers", "CLB Registers"),
    "bram36": ("Block RAM Tile",),
    "uram": ("URAM",),
    "dsp": ("DSPs",),
}


def utilisation(text: str) -> dict[str, Use]:
    """Resources by our names from ``report_utilization``; those that the device lacks are absent."""
    rows: dict[str, Use] = {}
    for header, cells in _table_rows(text):
        if "Site Type" not in header or "Available" not in header:
            continue
        row = dict(zip(header, cells, strict=True))
        name = row["Site Type"].rstrip("*")
        with _reading("utilisation"):
            if name not in rows and row["Used"] and row["Available"]:
                rows[name] = Use(_number(row["Used"]), _number(row["Available"]))
    found = {ours: rows[name] for ours, names in _ROWS.items() for name in names if name in rows}
    if not {"lut", "ff", "bram36", "dsp"} <= set(found):
        raise _unreadable("utilisation")
    return found


def _number(text: str) -> float:
    """A count that is not negative (``12.5`` block RAMs). Raises ``ValueError``."""
    if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text):
        raise ValueError(text)
    return float(text)


def hierarchy(text: str) -> dict[str, dict[str, int]]:
    """The instances right below the top from ``report_utilization -hierarchical``: name to resources."""
    found: dict[str, dict[str, int]] = {}
    read = False
    for header, cells in _table_rows(text, strip=False):
        names = [name.strip() for name in header]
        if "Instance" not in names or "Total LUTs" not in names:
            continue
        read = True
        row = dict(zip(names, cells, strict=True))
        depth = (len(row["Instance"]) - len(row["Instance"].lstrip()) - 1) // 2
        name = row["Instance"].strip()
        if depth == 1 and not name.startswith("("):  # in parentheses: what lies in the top itself
            columns = {key: value.strip() for key, value in row.items() if key not in ("Instance", "Module")}
            with _reading("hierarchy"):
                found[name] = {
                    key: int(re.sub(r"\(.*", "", value)[:12]) for key, value in columns.items() if value
                }
    if not read:
        raise _unreadable("hierarchy")
    return found


def _table_rows(text: str, *, strip: bool = True) -> Iterator[tuple[list[str], list[str]]]:
    """Rows of every ``| a | b |`` table, with the header of their table."""
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|") or not line.rstrip().endswith("|"):
            if not line.startswith("+"):
                header = []
            continue
        cells = [cell.strip() if strip else cell for cell in line.rstrip().strip("|").split("|")]
        if not header:
            header = cells
        elif len(cells) == len(header):
            yield header, cells


def unrouted(text: str) -> int:
    """Nets that are not routed, or routed with errors, from ``report_route_status``."""
    counts = {row: int(count) for row, count in re.findall(r"# of ([a-z ]+?)[. ]*:\s*(\d{1,12})\s*:", text)}
    if "routable nets" not in counts:
        raise _unreadable("route status")
    return counts.get("nets with routing errors", 0) + counts.get("unrouted nets", 0)
