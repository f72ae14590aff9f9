"""The version of this project, as it was installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "unknown"
"""Of a checkout that was never installed."""


def own_version() -> str:
    """As pyproject.toml had it then, ``0.1.0`` for one; :data:`UNKNOWN` without an installation."""
    try:
        return version("spec2")
    except PackageNotFoundError:
        return UNKNOWN
