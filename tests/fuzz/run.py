"""Mutates what every reader of :mod:`tests.fuzz.readers.table` reads: ``python -m tests.fuzz.run``.

A reader accepts a file, or refuses it with one sentence (``Spec2Error``). Everything else is a fault: another
exception, a sentence that is none, processor time or memory without bound (``SECONDS``; four times the file
and 200 MB), a file written elsewhere, a program started. Each input follows from seed, reader and number
alone; ``--only FILE:NUMBER`` reads that one again. The exit code is 1 where there was a fault.
"""

import argparse
import faulthandler
import math
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from hw.util.errors import Spec2Error
from tests.fuzz.readers.row import Reader
from tests.fuzz.readers.table import READERS

SECONDS = 10
"""Of processor time for one input."""

MEMORY, FACTOR = 200 << 20, 4
"""Bytes that an input may take beside so many times its own."""

PATIENCE = 180
"""Seconds without an end to one input, after which the process is given up: machines may be busy."""

ROOM = 4 << 30
"""Bytes of addresses beyond those in use, so that no fault takes the machine along."""

SHOWN = 3
"""Faults of a reader that are shown in full."""

PROGRAMS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.startfile",
    "pty.spawn",
    "pickle.find_class",
}
"""What no reader does (events of :func:`sys.addaudithook`)."""

WRITES = {
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
    "os.chmod",
}


class Hang(BaseException):
    """An input took too long; no reader catches it."""


@dataclass
class Outcome:
    """Of one reader: how many inputs it took, refused, failed on; the first faults in words."""

    file: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    faults: int = 0
    words: list[str] = field(default_factory=list)

    def add(self, number: int, found: str | None) -> None:
        """Count an input that :func:`one` found this of."""
        self.inputs += number >= 0
        self.accepted += found is None and number >= 0
        self.refused += found == ""
        if found:
            self.fault(number, found)

    def fault(self, number: int, what: str) -> None:
        self.faults += 1
        if len(self.words) < SHOWN:
            self.words.append(f"{self.file}:{number}: {what}")


# --- in a process of its own ----------------------------------------------------------------------------


class Watch:
    """What a reader does to memory, files and programs, while it is on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen, self.on = f"{folder}{os.sep}", "", False
        sys.addaudithook(self._event)

    def _event(self, event: str, arguments: tuple) -> None:
        if not self.on:
            return
        if event in PROGRAMS:
            self.seen = f"{event} {str(arguments)[:200]}"
        elif event == "open":
            path, _, flags = arguments
            if isinstance(path, (str, bytes)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                self._place(event, os.fsdecode(path))
        elif event in WRITES and isinstance(arguments[0], (str, bytes)):
            self._place(event, os.fsdecode(arguments[0]))

    def _place(self, event: str, path: str) -> None:
        if not os.path.abspath(path).startswith(self.folder) and path != os.devnull:
            self.seen = f"{event} of {path}"


def resident() -> tuple[int, int]:
    """Bytes in memory: now, and the most since :func:`forget`."""
    with open("/proc/self/status") as file:
        found = {line.split(":")[0]: line.split()[1] for line in file if line.startswith("Vm")}
    return int(found["VmRSS"]) << 10, int(found["VmHWM"]) << 10


def forget() -> None:
    """Let the most be what is in memory now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


_reading = False


def _hang(*_: object) -> None:
    if _reading:  # the signal may come a moment late
        raise Hang


def one(reader: Reader, folder: Path, content: bytes, watch: Watch | None) -> str | None:
    """Read ``content``. None if it was accepted, "" if it was refused in a sentence, else what went wrong."""
    global _reading
    (folder / reader.file).write_bytes(content)
    forget()
    before, _ = resident()
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    found: str | None = None
    try:
        _reading = True
        if watch:
            watch.seen, watch.on = "", True
        reader.read(folder)
    except Spec2Error as error:
        said = str(error).replace(str(folder), "")
        found = "" if said.isprintable() and 10 < len(said) < 1000 else f"no sentence: {said[:200]!r}"
    except Hang:
        found = f"more than {SECONDS} seconds: {_last()}"
    except BaseException as error:
        found = f"{type(error).__name__}: {str(error)[:150]!r} at {_last()}"
    finally:
        _reading = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        if watch:
            watch.on = False
    if watch and watch.seen:
        return f"it should not: {watch.seen}"
    if (took := resident()[1] - before) > FACTOR * len(content) + MEMORY:
        return f"{took >> 20} MiB for {len(content):,} bytes"
    return found


def _last() -> str:
    """Where the exception in hand came from, below this file."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    ours = [one for one in frames if "site-packages" not in one.filename and one.filename != __file__]
    ours = ours or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def work(reader: Reader, seed: int, numbers: Sequence[int], folder: Path, tell: Connection) -> None:
    """All inputs of a reader; ``tell`` hears the number of each, then what came of it; at the end None."""
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGPROF, _hang)
    reader.make(folder)
    valid = (folder / reader.file).read_bytes()
    one(reader, folder, valid, None)  # imports take memory and files
    if (wrong := one(reader, folder, valid, None)) is not None:
        tell.send(-1)
        tell.send((f"the valid file is refused: {wrong}",))
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    watch = Watch(folder)
    for number in numbers:
        content = reader.change(valid, Random(f"{seed} {reader.file} {number}"))
        tell.send(number)
        tell.send((one(reader, folder, content, watch),))
    tell.send(None)


# --- and the one that waits for it ----------------------------------------------------------------------


def fuzz(reader: Reader, seed: int, numbers: Sequence[int]) -> Outcome:
    """The outcome of those inputs. A process that dies is a fault of the input it had; the others go on."""
    outcome, left = Outcome(reader.file), list(numbers)
    while left:
        with tempfile.TemporaryDirectory(prefix="spec2-fuzz-") as place:
            folder = Path(place) / "given"
            folder.mkdir()
            ours, theirs = multiprocessing.Pipe(duplex=False)
            process = multiprocessing.get_context("fork").Process(
                target=work, args=(reader, seed, left, folder, theirs)
            )
            process.start()
            theirs.close()
            at, done = -1, False
            with suppress(EOFError):
                while not done:
                    match ours.recv():
                        case int(number):
                            at = number
                        case (found,):
                            outcome.add(at, found)
                        case None:
                            done = True
            process.join()
        if done:
            break
        outcome.add(at, f"the process ended with {process.exitcode}")
        left = [number for number in left if number > at] if at >= 0 else []
    return outcome


def main(arguments: Sequence[str] | None = None, readers: Sequence[Reader] = tuple(READERS)) -> int:
    """Print a line for each reader, then its faults; 1 if there were any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", action="append", help="only readers whose file has this in its name")
    parser.add_argument("--part", default="0/1", help="K/N: every N-th reader, for N processes side by side")
    parser.add_argument("--only", help="one input again, as FILE:NUMBER, with nothing caught")
    given = parser.parse_args(arguments)
    if given.only:
        return _again(given.only, given.seed, readers)
    chosen = [one for one in readers if not given.reader or any(part in one.file for part in given.reader)]
    total = sum(one.share for one in chosen)
    first, step = map(int, given.part.split("/"))
    outcomes, start = [], time.monotonic()
    print(f"{'file':<40}{'inputs':>9}{'accepted':>10}{'refused':>9}{'faults':>8}  seed {given.seed}")
    for reader in chosen[first::step]:
        found = fuzz(reader, given.seed, range(math.ceil(given.count * reader.share / total)))
        outcomes.append(found)
        print(
            f"{found.file:<40}{found.inputs:>9}{found.accepted:>10}{found.refused:>9}{found.faults:>8}",
            flush=True,
        )
        for words in found.words:
            print(f"  {words}", flush=True)
    sums = [
        sum(getattr(one, name) for one in outcomes) for name in ("inputs", "accepted", "refused", "faults")
    ]
    print(f"{'all':<40}{sums[0]:>9}{sums[1]:>10}{sums[2]:>9}{sums[3]:>8}  {time.monotonic() - start:.0f} s")
    return 1 if sums[3] else 0


def _again(only: str, seed: int, readers: Sequence[Reader]) -> int:
    file, _, number = only.rpartition(":")
    reader = next(one for one in readers if one.file == file)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        reader.make(folder)
        content = reader.change((folder / reader.file).read_bytes(), Random(f"{seed} {reader.file} {number}"))
        (folder / reader.file).write_bytes(content)
        print(f"{len(content)} bytes: {content[:2000]!r}")
        reader.read(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
