"""What a reader is to the fuzzer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Reader:
    """make: writes valid files into a folder. file: the one of them that ``change`` mutates. read: takes the
    folder.

    share: inputs of this reader for every one of an ordinary one; slow ones have less.
    """

    file: str
    make: Callable[[Path], None]
    change: Callable[[bytes, Random], bytes]
    read: Callable[[Path], object]
    share: float = 1.0
