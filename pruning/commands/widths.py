"""The option ``--layer-bits``."""

from __future__ import annotations

from collections.abc import Sequence

from hw.util.documents import shown
from hw.util.errors import ConfigError


def parse_widths(options: Sequence[str]) -> dict[str, int]:
    """Bits of weights by layer, from ``LAYER=BITS``; the last one of a layer counts.

    Raises ``ConfigError`` for anything else.
    """
    found = {}
    for option in options:
        name, _, bits = option.partition("=")
        if not (name and bits.isdecimal() and len(bits) <= 4):  # Python reads no thousands of digits
            raise ConfigError(f"--layer-bits takes LAYER=BITS, as in conv2=5, not {shown(option)}")
        found[name] = int(bits)
    return found
