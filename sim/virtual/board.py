"""Start and stop a virtual board."""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from hw.host import virtual_port
from hw.host_interface.protocol import MAX_WAIT, WAIT_UNIT
from hw.util import files
from hw.util.errors import ConfigError, ToolFailed
from sim.virtual.build import VirtualBuild
from sim.virtual.memory import MemoryConditions

START_SECONDS = 60
"""How long the program may take to open its terminal, on a busy machine."""

STOP_SECONDS = 10
"""How long it may take to end when asked to."""

CLOCK_HZ = 20_000
"""Lowest rate of the simulated clock to expect: a fifteenth of LeNet's on an idle desktop computer."""

MOST_HZ = 1_000_000_000
"""Of a rate that is asked for; no simulator comes near it."""

PATIENCE = (MAX_WAIT + 1) * WAIT_UNIT
"""Clocks for which the board may owe an answer: the longest that a request can make it wait."""


class VirtualBoard:
    """A running virtual board; a context manager that starts and stops it.

    ``path`` is the serial port to open, or ``link``, a symbolic link to it that lasts as long as the board;
    of a card, what its devices begin with, ``link`` where one is given.
    ``memory``: how its memories behave, of a design that has any. ``most_hz``: rate of the simulated clock at
    most, which leaves processor time to others; 0: as fast as it goes.
    The board ends when this process ends, however that happens. After the ``with`` block,
    ``statistics`` holds the program's own account: clocks, seconds, bytes, what memory was asked for.
    """

    def __init__(
        self,
        build: VirtualBuild,
        *,
        link: Path | str | None = None,
        memory: MemoryConditions | None = None,
        most_hz: int = 0,
    ) -> None:
        if not 0 <= most_hz <= MOST_HZ:
            raise ConfigError(f"the clock's rate must be 0 to {MOST_HZ:,} Hz, not {most_hz:,}")
        self.build, self.most_hz = build, most_hz
        self.memory = memory or MemoryConditions()
        self.link = Path(link) if link else None
        self.path = ""
        self.statistics: dict[str, Any] = {}

    @property
    def clocks_per_bit(self) -> int:
        """Clocks of a bit on the line."""
        return self.build.clocks_per_bit

    @property
    def baud(self) -> int:
        """Bits per second at CLOCK_HZ: for a client's timeouts, the terminal itself has no bit rate."""
        return CLOCK_HZ // self.clocks_per_bit

    def __enter__(self) -> VirtualBoard:
        """Start it. Raises ``ConfigError`` for a link that cannot be made, ``ToolFailed`` when it dies."""
        self._locks = contextlib.ExitStack()  # the board has them as well, and may live a little longer
        held = []
        if self.link:
            _check_link(self.link, sockets=self._card)
            held.append(virtual_port.claim(self._announced(self.link)))
            self._locks.callback(os.close, held[0])
        self._run = self._run_folder()
        self.log = self._run / "board.log"
        stats = self._run / "statistics.json"
        command = [str(self.build.executable), "--stats", str(stats), "--parent", str(os.getpid())]
        command += ["--most-hz", str(self.most_hz), *self._where(), *self.memory.arguments()]
        with self.log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.build.design_dir,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we end it in order
                pass_fds=held,
            )
        try:
            self.path = self._first_line()
            for lock in held:
                virtual_port.announce(lock, str(self._announced(Path(self.path))))
        except BaseException:
            self._end()
            raise
        return self

    @property
    def _card(self) -> bool:
        """Whether it is a card behind PCI Express."""
        return not self.build.clocks_per_bit

    def _where(self) -> list[str]:
        """Options of the program: where clients find it."""
        if self._card:
            prefix = self.link or self._run / "xdma0"
            return ["--prefix", str(prefix.absolute())]
        link = ["--link", str(self.link.absolute())] if self.link else []
        return ["--clocks-per-bit", str(self.clocks_per_bit), "--patience", str(PATIENCE), *link]

    def _announced(self, path: Path) -> Path:
        """What a client opens first, of a board at ``path``."""
        return path.with_name(f"{path.name}_user") if self._card else path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it. Raises ``ToolFailed`` when it had died before."""
        died = self._process.poll()
        code = self._end()
        if died is not None or code:
            raise self._failure(code)
        stats = self._run / "statistics.json"
        self.statistics = json.loads(stats.read_text(encoding="utf-8"))
        for file in (stats, self.log):
            file.unlink()
        self._run.rmdir()

    def _run_folder(self) -> Path:
        """Several boards of one build may run at once: each has files of its own, gone after a clean end.

        Those of a board that failed stay until the next one starts.
        """
        parent, held = self.build.executable.parent, None
        files.clear(parent, r"run-\w+")
        while held is None:
            folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
            held = files.lock(folder)
        if held != files.NO_LOCKS:
            self._locks.callback(os.close, held)
        return folder

    def check(self) -> None:
        """Raise ``ToolFailed`` naming the log if the board does not run any more."""
        code = self._process.poll()
        if code is not None:
            raise self._failure(code)

    def wait(self) -> None:
        """Wait until the board ends by itself, which is a ``ToolFailed``."""
        self._process.wait()
        self.check()

    def _first_line(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        if not ready:
            raise ToolFailed(
                f"the virtual board did not start within {START_SECONDS} seconds: see {self.log}"
            )
        line = self._process.stdout.readline().decode().strip()
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            raise self._failure(self._end())
        return line

    def _end(self) -> int:
        """End the process and return its code."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._locks.close()
        return self._process.returncode

    def _failure(self, code: int) -> ToolFailed:
        return ToolFailed(f"the virtual board ended with code {code}: see {self.log}")


def run_board(
    build: VirtualBuild,
    link: Path | str | None = None,
    *,
    memory: MemoryConditions | None = None,
    most_hz: int = 0,
    ready: Callable[[VirtualBoard], None] | None = None,
) -> dict[str, Any]:
    """Run a board until Ctrl-C; returns its statistics.

    ``ready`` is called when clients can open ``board.path``. Raises what :class:`VirtualBoard` raises.
    """
    with VirtualBoard(build, link=link, memory=memory, most_hz=most_hz) as board:
        try:
            if ready:
                ready(board)
            board.wait()
        except KeyboardInterrupt:
            pass
    return board.statistics


def _check_link(link: Path, *, sockets: bool) -> None:
    if sockets:
        if not link.parent.is_dir():
            raise ConfigError(f"the link {link} cannot be made: there is no folder {link.parent}")
        return
    try:
        found = link.lstat()
    except FileNotFoundError:
        if not link.parent.is_dir():
            raise ConfigError(f"the link {link} cannot be made: there is no folder {link.parent}") from None
        return
    except OSError as error:
        raise ConfigError(f"the link {link} cannot be made: {error.strerror}") from None
    if not stat.S_ISLNK(found.st_mode):
        raise ConfigError(f"the link {link} cannot be made, a file is there: choose another name")
    if link.exists() and not virtual_port.abandoned(link) and not virtual_port.alive(link):
        raise ConfigError(
            f"the link {link} leads to {link.readlink()} already, no board's port: remove it, or choose "
            "another name"
        )
