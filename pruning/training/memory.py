"""Keep freed memory in the process: training takes and gives back the same large blocks in every step."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
"""Parameters of glibc's ``mallopt`` (malloc.h)."""

LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Never return freed memory to the system; returns whether the C library could be told so.

    By default glibc maps every block above 32 MiB afresh, and the system clears each of its pages on first
    use. For a spectral layer's step that takes a third of the time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # no glibc
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, LARGEST_INT))
