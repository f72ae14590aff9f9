"""What a name may be: of a network, a layer, a file of a design, a port. Checked here and nowhere else.

Names come in files from others and go out into paths, scripts of shells and tools, Verilog, pages, pictures.
A name of this pattern is one word in all of them. Free text (labels of classes, names of pictures, a command
line) has no pattern: :mod:`hw.util.quote` quotes it for the language that it goes into.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from hw.util.documents import shown
from hw.util.errors import ArtifactError, Spec2Error, UnsupportedNetwork

MOST = 64
"""Characters of a name."""

MOST_FILE = 100
"""Of a file or a plan, which has the name of a network and more in its own."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_ALPHABET = "of letters, digits, '_', '-' and '.', the first one neither '-' nor '.'"


def valid(name: object, most: int = MOST) -> bool:
    """Whether ``name`` is one, of at most ``most`` characters."""
    return isinstance(name, str) and len(name) <= most and _NAME.fullmatch(name) is not None


def check(what: str, name: object, error: type[Spec2Error] = UnsupportedNetwork, most: int = MOST) -> None:
    """Raise ``error`` unless ``name``, that of a ``what``, is one of at most ``most`` characters."""
    if not valid(name, most):
        raise error(
            f"{what} {shown(name)} has no usable name: it must be {_ALPHABET}, at most {most}: rename it"
        )


def check_identifier(what: str, name: object) -> None:
    """Raise ``ArtifactError`` unless ``name`` is a plain identifier of Verilog."""
    if not (isinstance(name, str) and len(name) <= MOST and _IDENTIFIER.fullmatch(name)):
        raise ArtifactError(
            f"{what} {shown(name)} must be an identifier, of letters, digits and '_': generate it again"
        )


def check_file(name: object, suffixes: Collection[str]) -> None:
    """Raise ``ArtifactError`` unless ``name`` is a file right inside a folder, with one of ``suffixes``."""
    if not (isinstance(name, str) and valid(name, MOST_FILE) and name.endswith(tuple(suffixes))):
        raise ArtifactError(
            f"file {shown(name)} cannot be part of a design: the name of one is {_ALPHABET}, and ends in "
            f"{' or '.join(suffixes)}: generate it again"
        )


def closest(text: str, otherwise: str) -> str:
    """A name as close to ``text`` as the pattern allows; ``otherwise`` where nothing of it is left.

    For what cannot be renamed easily, such as modules and nodes of others' models. The end is kept of what is
    too long, with room for what makes it unlike others.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[-(MOST - 20) :].lstrip("-.")
    return name if name.strip("_.-") else otherwise
