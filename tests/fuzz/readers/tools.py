"""What tools leave: netlists, logs, reports."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.fuzz import mutate
from tests.fuzz.readers.row import Reader


def make_stat(folder: Path) -> None:
    cells = {"FDRE": 800, "LUT6": 500, "RAMB18E1": 3, "RAMB36E1": 2, "DSP48E1": 24, "SRL16E": 9}
    stat = {"creator": "Yosys 0.6 (git)", "modules": {"\\spec2": {}}, "design": {"num_cells_by_type": cells}}
    (folder / "synthesis.stat.json").write_text(json.dumps(stat))


def read_stat(folder: Path) -> None:
    import msgspec

    from bitstreams.synthesis import netlist
    from bitstreams.synthesis.yosys import count

    count(msgspec.to_builtins(netlist.read(folder / "synthesis.stat.json", netlist.Stat)), "xc7", 1.0)


def make_netlist(name: str) -> Callable[[Path], None]:
    def cell(kind: str, **ports: tuple[str, int]) -> dict:
        return {
            "type": kind,
            "port_directions": {port: way for port, (way, _) in ports.items()},
            "connections": {port: [bit] for port, (_, bit) in ports.items()},
        }

    def make(folder: Path) -> None:
        cells = {
            "r0": cell("FDRE", C=("input", 2), D=("input", 6), Q=("output", 3)),
            "l0": cell("LUT2", I0=("input", 3), O=("output", 4)),
            "l1": cell("LUT6", I0=("input", 4), O=("output", 5)),
            "r1": cell("FDRE", C=("input", 2), D=("input", 5), Q=("output", 6)),
        }
        nets = {"a": {"bits": [3]}, "b": {"bits": [6, "0"]}, "$c": {"bits": [4, 5]}}
        found = {"creator": "Yosys 0.6", "modules": {"top": {"cells": cells, "netnames": nets}}}
        (folder / name).write_text(json.dumps(found))

    return make


def read_paths(folder: Path) -> None:
    from bitstreams.synthesis import netlist
    from bitstreams.synthesis.paths import paths

    paths(netlist.read(folder / "synthesis.net.json", netlist.Netlist), "top").to_json()


def read_top(folder: Path) -> None:
    from bitstreams.flows.openxc7 import synthesised

    synthesised(folder / "top.json").to_json()


NEXTPNR = """\
Info: Device utilisation:
Info:             SLICE_LUTX: 12586/126800     9%
Info:               RAMB18E1:     8/  270     2%
Info: Max frequency for clock 'clk': 51.00 MHz (PASS at 50.00 MHz)
Info: Max frequency for clock   'clk': 52.10 MHz (PASS at 50.00 MHz)
"""


def make_nextpnr(folder: Path) -> None:
    (folder / "nextpnr.log").write_text(NEXTPNR)


def read_nextpnr(folder: Path) -> None:
    from bitstreams.flows.nextpnr import read

    found = read(folder / "nextpnr.log", clock_hz=50e6, allow_timing_fail=True)
    json.dumps(found.to_json(), allow_nan=False)
    min(clock.slack_ns for clock in found.clocks)


def make_reports(folder: Path) -> None:
    from tests.bitstreams.vivado_texts import reports

    for name, text in reports().items():
        (folder / Path(name).name).write_text(text)


def read_reports(folder: Path) -> None:
    from bitstreams.flows.vivado_reports import read

    found = read(folder, "WARNING: x\n")
    found.timing.to_json(), found.fmax(200.0)


READERS = [
    Reader("synthesis.stat.json", make_stat, mutate.document, read_stat),
    Reader("synthesis.net.json", make_netlist("synthesis.net.json"), mutate.document, read_paths),
    Reader("top.json", make_netlist("top.json"), mutate.document, read_top),
    Reader("nextpnr.log", make_nextpnr, mutate.text, read_nextpnr),
    *(
        Reader(f"{name}.rpt", make_reports, mutate.text, read_reports)
        for name in ("timing", "utilization", "utilization_hierarchical", "route_status")
    ),
]
