"""The option ``--layer-bits``."""

from __future__ import annotations

from collections.abc import Sequence

from hw.errors import ConfigError


def parse_widths(options: Sequence[str]) -> dict[str, int]:
    """Bits of weights by layer, from ``LAYER=BITS``; the last one of a layer counts.

    Raises ``ConfigError`` for anything else.
    """
    found = {}
    for option in options:
        name, _, bits = option.partition("=")
        if not (name and bits.isdecimal()):
            raise ConfigError(f"--layer-bits takes LAYER=BITS, as in conv2=5, not {option!r}")
        found[name] = int(bits)
    return found
