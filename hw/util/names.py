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
from hw.util.keywords import KEYWORDS

MOST = 64
"""Characters of a name."""

MOST_FILE = 100
"""Of a file or a plan, which has the name of a network and more in its own."""

MOST_MODULE = 32
"""Of an accelerator: its modules, files, macros have more in their names."""

OWN_PREFIX = "spec2_"
"""What modules of shells and benches begin with, which surround accelerators of any name."""

OWN_MODULES = (
    "axi_memory", "burst_check", "frame_check", "frame_sink", "frame_source", "handshake_check", "shell",
    "top",
)  # fmt: skip
"""Those of shells and benches that do not, and a file of plans."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

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


def check_module(what: str, name: object, remedy: str, error: type[Spec2Error] = ArtifactError) -> None:
    """Raise ``error`` unless ``name``, that of a ``what``, can be that of an accelerator's top module."""
    if not (isinstance(name, str) and len(name) <= MOST_MODULE and _MODULE.fullmatch(name)):
        raise error(
            f"{what} {shown(name)} must be an identifier, a letter and then letters, digits and '_', at most "
            f"{MOST_MODULE} in all: {remedy}"
        )
    if name in KEYWORDS:
        raise error(f"{what} {shown(name)} is a keyword of SystemVerilog: {remedy}")
    if name.startswith(OWN_PREFIX) or name in OWN_MODULES:
        raise error(f"{what} {shown(name)} is a name of what spec2 puts around an accelerator: {remedy}")


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
