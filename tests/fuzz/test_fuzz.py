"""A share of ``make fuzz``, and the fuzzer itself: what it would have to find, it finds."""

import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.readers.table import READERS

ROOT = Path(__file__).parents[2]
COUNT = 700


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_a_share_of_the_mutated_files_is_accepted_or_refused_in_a_sentence():
    """Both happen for most kinds; a mutation that every reader refused would test its first line alone."""
    done = python("-m", "tests.fuzz.run", "--count", str(COUNT), "--seed", "1")
    assert done.returncode == 0, done.stdout
    lines = [line.split() for line in done.stdout.splitlines()[1:-1]]
    assert [line[0] for line in lines] == [reader.file for reader in READERS]
    assert all(int(line[1]) >= 5 for line in lines)
    assert sum(int(line[2]) > 0 for line in lines) > len(lines) / 2
    assert sum(int(line[3]) > 0 for line in lines) > len(lines) / 2


FAULTY = """
import os, sys, time
from pathlib import Path
from hw.util.errors import DataError
from tests.fuzz import run
from tests.fuzz.readers.row import Reader

run.SECONDS, run.MEMORY, run.SHOWN = 0.5, 64 << 20, 99

def make(folder): (folder / "x").write_bytes(b"valid")

def change(content, rng): return bytes([rng.randrange(8)])

def read(folder):
    content = (folder / "x").read_bytes()
    if content == b"valid": return
    how = content[0]
    if how == 0: raise KeyError("digest")
    if how == 1: len(content * (200 << 20))
    if how == 2:
        while True: pass
    if how == 3: (folder.parent / "outside").write_text("")
    if how == 4: raise DataError("two\\nlines, which is no sentence")
    if how == 5: os.system("true")
    if how == 6: os._exit(3)
    if how == 7: raise DataError("it is no picture")

sys.exit(run.main(["--count", "24"], [Reader("x", make, change, read)]))
"""


def test_every_kind_of_fault_is_found_and_can_be_shown_again():
    done = python("-c", FAULTY)
    assert done.returncode == 1
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("x "))
    inputs, accepted, refused, faults = map(int, row[1:])
    assert inputs == 24 and accepted == 0 and refused > 0 and faults == 24 - refused, done.stdout
    for said in (
        "KeyError: \"'digest'\" at",
        r"\d+ MiB for 1 bytes",
        "more than 0.5 seconds: <string>:\\d+",
        "it should not: open of .*outside",
        "no sentence: ",
        "it should not: os.system",
        "the process ended with 3",
    ):
        assert re.search(rf"x:\d+: {said}", done.stdout), (said, done.stdout)
