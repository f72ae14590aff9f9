"""A board of a pool, and what a pool says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.host.driver import Driver
from hw.host.link import Link


@dataclass(frozen=True)
class Member:
    """name: for people, the link as they wrote it. open: gives the link to the board; called in the member's
    thread, and again after every failure. prepare: awaited with driver and link before the first run of a
    link: it may load weights."""

    name: str
    open: Callable[[], AbstractContextManager[Link]]
    prepare: Callable[[Driver, Any], Awaitable[object]] | None = None


@dataclass(frozen=True)
class Answer:
    """scores: (n, classes) of the images of a job. seconds: of the run, link and host included. clocks: that
    the accelerator computed. member: the name of the one that ran it."""

    scores: NDArray[np.int32]
    seconds: float
    clocks: int
    member: str


@dataclass
class Record:
    """Of a member: images it has answered for, how often it failed, and why the last time; whether its link
    is open, and it takes jobs; whether it is out, and gets no more."""

    images: int = 0
    failures: int = 0
    why: str = ""
    open: bool = False
    out: bool = False
