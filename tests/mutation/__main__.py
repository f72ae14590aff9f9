"""``python -m tests.mutation``: seeded mutants of ``hw/gateware``, and how many the tests find.

Every mutant meets the unit tests of its file; a survivor then meets whole small accelerators, unless the
logic of none of them has changed. What survives both has to be in ``equivalent.toml``, with a reason.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tests.mutation import judge
from tests.mutation.sites import Site, sites

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
PASSED = ROOT / "build/mutation"
"""What passed without a mutant, and how long it took."""

UNIT, WHOLE = "unit tests", "simulation"
UNCHANGED, SAME = "no logic of a whole design changed", 77
SECONDS = 20
"""Of processor time that the tests may take beyond three times what they take on the sound file."""

GATEWARE = ROOT / "tests/hw/gateware"

# Tests of a file beside those of its own name, in the order in which they run.
TESTS = {
    "accelerator": ("accelerator", "axilite"),
    "arith": ("arith", "fft", "post"),
    "axi": ("axi", "axilite", "burst_reader"),
    "crc32": ("crc32", "framing"),
    "delay": ("delay", "loop_nest", "mac", "feature_memory"),
    "generation": ("generation", "burst_reader"),
    "lane": ("lane", "latencies"),
    "loop_nest": ("loop_nest", "issue"),
    "mac": ("mac", "array"),
    "memory_access": ("memory_access", "bridge"),
    "micro_instruction": ("micro_instruction", "weight_memory", "issue"),
    "requests": ("requests", "bridge"),
    "shared": ("shared", "emit"),
    "window": ("window_pixels", "window"),
}
OUTSIDE = (
    *("axilite", "bridge", "crc32", "framing", "memory_access", "requests", "uart", "serial_top"),
    "shared",
)
"""Files of which a whole accelerator has nothing, or nothing that its results show."""

WHOLE_TESTS = "tests/hw/gateware/test_accelerator.py"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: ``found`` by the unit tests or by the simulation, or by neither (None)."""

    site: Site
    found: str | None
    how: str = ""
    seconds: float = 0.0


def files() -> list[str]:
    """The files of which mutants are made."""
    paths = sorted((ROOT / "hw/gateware").rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if path.stem not in ("__init__", "layouts")]


def unit_tests(file: str) -> list[str]:
    """The test files of a gateware file."""
    stem = Path(file).stem
    names = dict.fromkeys((stem, *TESTS.get(stem, ())))
    return [str(path.relative_to(ROOT)) for name in names for path in GATEWARE.rglob(f"test_{name}.py")]


def known() -> dict[tuple[str, str, str, str], str]:
    """Reasons of the mutants that change nothing, by key."""
    entries = tomllib.loads(EQUIVALENT.read_text()).get("equivalent", [])
    return {(one["file"], one["line"], one["before"], one["after"]): one["reason"] for one in entries}


def sample(every: list[Site], count: int, seed: int) -> list[Site]:
    """``count`` mutants, in an order that the seed gives: a line that changes moves those of no other."""
    seen: Counter[tuple[str, str, str, str]] = Counter()
    drawn = []
    for one in every:
        text = repr((seed, one.key, seen[one.key]))
        seen[one.key] += 1
        drawn.append((hashlib.sha256(text.encode()).digest(), one))
    return [one for _, one in sorted(drawn, key=lambda pair: pair[0])][:count]


def preload(wanted: set[str]) -> None:
    """Import what the tests of these files import, and compile what several use, once for all mutants."""
    os.chdir(ROOT)
    quiet = os.open(os.devnull, os.O_WRONLY)
    shown = os.dup(1)
    os.dup2(quiet, 1)
    tests = {test for file in wanted for test in unit_tests(file)} | {WHOLE_TESTS}
    judge.run_tests(["--collect-only", *sorted(tests)])
    sys.stdout.flush()
    os.dup2(shown, 1)
    programs = importlib.import_module("tests.hw.gateware.programs")
    for name in programs.CASES:
        for streamed in (False, True):
            programs.program(name, streamed)
    programs.program("plain", False, "kernel")
    accelerators = importlib.import_module("tests.hw.gateware.test_accelerator")
    for name in accelerators.CASES:
        accelerators.made(name)


def logic() -> dict[str, str]:
    """A digest of the logic of every whole design."""
    from amaranth.back import rtlil

    accelerator = importlib.import_module("hw.gateware.accelerator")
    accelerators = importlib.import_module("tests.hw.gateware.test_accelerator")
    tops = {name: accelerator.Accelerator(accelerators.made(name)[1]) for name in accelerators.CASES}
    return {
        name: hashlib.sha256(rtlil.convert(top, emit_src=False).encode()).hexdigest()
        for name, top in tops.items()
    }


@cache
def sound_logic() -> dict[str, str]:
    """That of the designs without a mutant, in a process that never has one."""
    return logic()


def judged(site: Site, folder: Path, whole: bool) -> Verdict:
    """The mutant against the tests of its file, then inside whole designs."""
    log, tests = folder / f"{os.getpid()}.log", unit_tests(site.file)
    used = 0.0
    if tests:
        verdict, used = judge.judge(ROOT, site, tests, sound(tests, folder), log)
        if verdict != judge.SURVIVED:
            return Verdict(site, UNIT, verdict, used)
    if not whole or Path(site.file).stem in OUTSIDE:
        return Verdict(site, None, "", used)

    before = sound_logic()

    def simulate() -> int:
        judge.put_in(ROOT, site)
        changed = [name for name, digest in logic().items() if digest != before[name]]
        if not changed:
            os._exit(SAME)
        return judge.run_tests([WHOLE_TESTS, "-k", " or ".join(changed)])

    verdict, more = judge.forked(simulate, sound([WHOLE_TESTS], folder), log, {SAME: UNCHANGED})
    found = None if verdict in (judge.SURVIVED, UNCHANGED) else WHOLE
    return Verdict(site, found, verdict, used + more)


@cache
def sources() -> str:
    """A digest of everything that the tests run."""
    digest = hashlib.sha256()
    for path in sorted(path for place in ("hw", "sim", "tests") for path in (ROOT / place).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def sound(tests: list[str], folder: Path) -> int:
    """Seconds that ``tests`` may take. They have to pass without a mutant, once for the same sources."""
    place = PASSED / sources() / (hashlib.sha256("".join(tests).encode()).hexdigest()[:16] + ".json")
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)

        def action() -> int:
            judge.Order.seconds.clear()
            code = judge.run_tests(tests)
            if not code:
                place.write_text(json.dumps(judge.Order.seconds))
            return code

        log = folder / f"{os.getpid()}.sound"
        if judge.forked(action, 3600, log)[0] != judge.SURVIVED:
            raise RuntimeError(f"{' '.join(tests)} fail without a mutant:\n{log.read_text()[-3000:]}")
    seconds = json.loads(place.read_text())
    judge.Order.seconds.update(seconds)
    return SECONDS + int(3 * sum(seconds.values()))


def verdicts(chosen: list[Site], jobs: int, whole: bool) -> Iterator[Verdict]:
    """Of every mutant, as they come."""
    preload({site.file for site in chosen})
    with tempfile.TemporaryDirectory() as name:
        judging = partial(judged, folder=Path(name), whole=whole)
        # Forked once, before there are threads: every mutant is forked from one of these.
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            yield from pool.imap_unordered(judging, chosen)


def report(found: list[Verdict], excused: dict[tuple[str, str, str, str], str]) -> int:
    """Print the figures; returns the number of survivors without a reason."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        column = one.found or ("equivalent" if one.site.key in excused else "survived")
        rows[one.site.file][column] += 1
        rows["all"][column] += 1
    columns = (UNIT, WHOLE, "equivalent", "survived")
    print(f"\n{'':32}" + "".join(f"{column:>12}" for column in ("mutants", *columns)))
    for file in sorted(rows, key=lambda name: (name == "all", name)):
        counts = rows[file]
        print(f"{file:32}{counts.total():12}" + "".join(f"{counts[column]:12}" for column in columns))
    total, killed = len(found), rows["all"][UNIT] + rows["all"][WHOLE]
    same = rows["all"]["equivalent"]
    print(
        f"\n{killed} of {total} mutants found: {100 * killed / total:.1f} %, "
        f"{100 * killed / max(1, total - same):.1f} % of the {total - same} that change anything"
    )
    lost = [one for one in found if not one.found and one.site.key not in excused]
    for one in lost:
        print(f"survived: {one.site}" + (f" ({one.how})" if one.how == UNCHANGED else ""))
    return len(lost)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--file", action="append", help="only of these files (stems)")
    parser.add_argument("--units", action="store_true", help="unit tests alone, no whole designs")
    parser.add_argument("--toml", action="store_true", help="print survivors as entries of equivalent.toml")
    options = parser.parse_args()
    every = [
        s
        for file in files()
        if not options.file or Path(file).stem in options.file
        for s in sites(ROOT, file)
    ]
    chosen = sample(every, options.count, options.seed)
    print(f"{len(chosen)} of {len(every)} mutants, seed {options.seed}", flush=True)
    excused, found, start = known(), [], time.monotonic()
    for number, one in enumerate(verdicts(chosen, options.jobs, not options.units), 1):
        found.append(one)
        print(f"{number:4} {one.found or 'SURVIVED':11} {one.seconds:5.1f} s  {one.site}", flush=True)
    lost = report(found, excused)
    print(f"{time.monotonic() - start:.0f} s, {sum(one.seconds for one in found):.0f} s of processor time")
    if options.toml:
        for one in found:
            if not one.found and one.site.key not in excused:
                print("\n[[equivalent]]")
                for key, value in zip(("file", "line", "before", "after"), one.site.key, strict=True):
                    print(f"{key} = '''{value}'''")
                print('reason = ""')
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
