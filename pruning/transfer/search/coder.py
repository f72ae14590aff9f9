"""From a vector to its code: signs of a projection, or the vector itself at length 1.

Bit i of x is [ (x / |x| - mean) · projection[:, i] ≥ 0 ]: a fully connected layer with thresholds, whatever
the projection was learned by. Length 1 comes first, since what codes stand for is the cosine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hw.util.errors import DataError

Method = Literal["iiq", "itq", "sign", "float"]
"""How codes are made; float: no code, the cosine of vectors as they are."""

BYTE = 8
"""Bits of a code are a multiple of it."""


@dataclass(frozen=True)
class Coder:
    """mean: (d,) float32. projection: (d, bits) float32; for the method float both are empty."""

    method: Method
    mean: NDArray[np.float32]
    projection: NDArray[np.float32]

    def __post_init__(self) -> None:
        for what, array, dims in (("mean", self.mean, 1), ("projection", self.projection, 2)):
            if array.dtype != np.float32 or array.ndim != dims or not np.isfinite(array).all():
                raise DataError(f"the {what} is {array.dtype} {array.shape}, or not finite")
        if len(self.projection) != len(self.mean) or self.bits % BYTE or bool(self.bits) == self.exact:
            raise DataError(
                f"a projection {self.projection.shape} and a mean {self.mean.shape} make no codes of the "
                f"method {self.method}"
            )

    @property
    def bits(self) -> int:
        """Of a code; 0 for the method float."""
        return self.projection.shape[1]

    @property
    def exact(self) -> bool:
        """Whether vectors are compared as they are."""
        return self.method == "float"

    def codes(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """(n, bits / 8) uint8, the first bit in the highest place of the first byte; for the method float
        (n, d) float32 of length 1."""
        if self.exact:
            return unit(vectors)
        if vectors.shape[1:] != self.mean.shape:
            raise DataError(f"vectors have {vectors.shape[1]} numbers, the codes are of {len(self.mean)}")
        with np.errstate(over="ignore", invalid="ignore"):  # an index from outside may hold any numbers
            projected = (unit(vectors) - self.mean) @ self.projection
        return np.packbits(projected >= 0, axis=1)


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Vectors (n, d) at length 1; one of zeros stays what it is, and its cosine with all others is 0."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length, length, 1)).astype(np.float32)
