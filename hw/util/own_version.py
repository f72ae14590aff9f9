"""The version of this project, as it was installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "unknown"
"""Of a checkout that was never installed."""


def own_version() -> str:
    try:
        return version("spec2")
    except PackageNotFoundError:
        return UNKNOWN
