"""A configuration as a file: what ``spec2 explore`` writes and ``spec2 generate --config`` takes.

JSON with the parameters of :class:`hw.contract.config.AcceleratorConfig` under ``config``; anything beside is
for people. A ``design.json`` is one as well, so a design can be made again for another model.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from hw.contract.config import AcceleratorConfig
from hw.util import documents
from hw.util.errors import ConfigError
from hw.util.files import write_json

KINDS: dict[str, type] = {field.name: type(field.default) for field in fields(AcceleratorConfig)}
"""Parameters, and whether they are numbers or switches."""


def load_config(path: Path | str) -> dict[str, Any]:
    """The parameters that the file names; those it does not name are left to their defaults.

    Raises ``ConfigError`` when there is no such file, it is no configuration, or it names a parameter that
    does not exist or has another type.
    """
    path = Path(path)
    try:
        content = documents.read(path)
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror or error}; 'spec2 explore' writes one"
        ) from None
    data: Any = documents.decode(content, Any, f"the configuration {path}", error=ConfigError)
    found = data.get("config") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no configuration: one has its parameters under 'config'")
    for name, value in found.items():
        if name not in KINDS:
            raise ConfigError(
                f"{path}: there is no parameter {documents.shown(name)}: known are {', '.join(KINDS)}"
            )
        if type(value) is not KINDS[name]:
            raise ConfigError(
                f"{path}: {name} must be of type {KINDS[name].__name__}, not {documents.shown(value)}"
            )
    return found


def save_config(config: AcceleratorConfig, path: Path | str, **about: Any) -> Path:
    """Write ``config`` with facts ``about`` it beside, and return the path.

    Raises ``ArtifactError`` if the place cannot be written.
    """
    path = Path(path)
    write_json(path, {**about, "config": asdict(config)})
    return path
