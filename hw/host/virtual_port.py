"""The link to a virtual board's serial port, and whether a board is behind it.

A board that is killed leaves the link, and the pseudo-terminal that it leads to soon belongs to somebody
else's shell: frames sent there would be typed into it. So the board holds a lock as long as it lives, on a
file beside the link that says which terminal it is: a name like ``/dev/pts/3`` means another one in another
container.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hw.util.errors import ConfigError


def lock_of(link: Path) -> Path:
    """The file that the board of ``link`` has locked."""
    return link.with_name(f".{link.name}.lock")


def claim(link: Path) -> int:
    """A lock for a board that is to have ``link``, as an open file. Whoever inherits it holds it, too.

    Raises ``ConfigError`` when another board has it, or the file cannot be made.
    """
    try:
        held = os.open(lock_of(link), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ConfigError(f"the link {link} cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        where = f" to {os.readlink(link)}" if link.is_symlink() else ""
        raise ConfigError(
            f"the link {link} leads{where} already: stop the board it belongs to, or choose another name"
        ) from None
    except OSError:
        pass  # a file system without locks
    return held


def announce(held: int, terminal: str) -> None:
    """Say which terminal the board with the lock ``held`` has."""
    os.ftruncate(held, 0)
    os.pwrite(held, _identity(terminal).encode(), 0)


def alive(link: Path) -> bool:
    """Whether a board runs behind ``link``, and has the terminal that it leads to from here."""
    try:
        file = os.open(lock_of(link), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False  # nobody holds it
    except BlockingIOError:
        return os.pread(file, 100, 0).decode(errors="replace") == _identity(str(link))
    except OSError:  # a file system without locks: better another board than a stranger's terminal
        return False
    finally:
        os.close(file)


def abandoned(path: Path) -> bool:
    """Whether ``path`` is a link that a board has left behind."""
    return path.is_symlink() and lock_of(path).exists() and not alive(path)


def _identity(terminal: str) -> str:
    """Of a terminal, the same under every name and in no other container; empty when there is none."""
    try:
        found = os.stat(terminal)
    except OSError:
        return ""
    return f"{found.st_dev} {found.st_ino} {found.st_rdev}"
