"""``spec2 new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hw.commands.console import emit
from hw.commands.options import Json
from hw.util import names, quote
from hw.util.errors import ConfigError
from hw.util.files import together

TEMPLATES = Path(__file__).parent / "project"

SUFFIX = ".in"
"""Of a template: it is no file of its kind before the project has a name."""

NAME = "@NAME@"
"""What stands for the project's name in them."""


def new(
    folder: Annotated[Path, typer.Argument(help="Of the project; its last part is the project's name.")],
    as_json: Json = False,
) -> None:
    """Begin a project: a folder with a network in PyTorch, one file of settings, and a Makefile.

    It runs as it is, on digits that come with a package: make trains, prunes, generates, simulates, reports.
    Then change network.py (the network) and spec2.toml (images, sparsity, training, array).

    **Examples**

        spec2 new digits
        spec2 new ~/work/traffic-signs --json
    """
    name = folder.resolve().name
    names.check("the project", name, ConfigError)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already, and not empty: choose another folder")
    with together(folder, stale=()) as made:
        for template in sorted(TEMPLATES.glob("*" + SUFFIX)):
            target = template.stem if template.stem != "gitignore" else ".gitignore"
            (made / target).write_text(template.read_text(encoding="utf-8").replace(NAME, name))
    files = sorted(path.name for path in folder.iterdir())
    shown = quote.markdown(str(folder))
    emit(
        as_json,
        {"project": str(folder), "files": files},
        f"Began the project {shown}: {', '.join(quote.markdown(file) for file in files)}.",
        f"Next: {quote.code(quote.shell('make', '-C', str(folder)))}.",
    )
