"""Estimates in a design's description, as their readers need them: checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hw import documents
from hw.design import DesignInfo
from hw.errors import ArtifactError
from hw.results import Number

Share = Annotated[float, Meta(ge=0, le=1)]


class Layer(msgspec.Struct):
    """A layer of the design; designs of before had no shares."""

    multipliers_filled: Share | None = None
    lanes_filled: Share | None = None


class Estimates(msgspec.Struct):
    """The parts of ``DesignInfo.estimates`` that somebody reads; beside them there may be anything."""

    dsp_total: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    weight_bits: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    cycles: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    dsp: Number | None = None
    bram36: Number | None = None
    uram: Number | None = None
    lut: Number | None = None
    ff: Number | None = None
    layers: list[Layer] = []


def estimates(info: DesignInfo) -> Estimates:
    """Those of a design. Raises ``ArtifactError`` where one is missing or of another type."""
    return checked(info.estimates)


def checked(figures: Mapping[str, Any]) -> Estimates:
    """The same of plain data."""
    try:
        found: Estimates = documents.convert(dict(figures), Estimates, "the design's estimates")
        return found
    except ArtifactError as error:
        raise ArtifactError(f"{error}: generate the design again") from None
