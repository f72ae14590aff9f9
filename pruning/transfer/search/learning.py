"""Projections for codes, learned from vectors without labels.

=======  ========================================================================================
sign     principal components, one bit each
itq      iterative quantisation: principal components, turned so that their signs are close to
         them (Y. Gong and S. Lazebnik, CVPR 2011)
iiq      isotropic iterative quantisation: first the directions in which vectors differ most are
         removed, so that the others are close together; then as itq (S. Liao, J. Chen, Y. Wang,
         Q. Qiu and B. Yuan, AAAI 2020, arXiv:2001.05314)
=======  ========================================================================================

With V (n, bits) the centred vectors in principal components, the rotation R minimises |B - V R|², where
B = sign(V R): in turn B for a fixed R, and R for a fixed B, which is an orthogonal Procrustes problem.
Neither can raise the error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.util.errors import ConfigError, DataError
from pruning.transfer.search.coder import BYTE, Coder, Method, unit

ITERATIONS = 50
"""As the authors of ITQ take."""

REMOVED = 100
"""Directions of which IIQ removes one, rounded up: a rule of J. Mu and P. Viswanath (ICLR 2018) for word
vectors."""

MOST = 4096
"""Numbers of a vector that codes are learned from: their covariance has as many rows and columns."""

Floats = NDArray[np.float64]
Errors = Callable[[float], object]
"""Gets the quantisation error before every step: the mean of (B - s V R)², where s V has a mean square of 1.
Neither B nor R depend on s."""


def learn(
    vectors: NDArray[Any],
    method: Method,
    bits: int = 0,
    *,
    seed: int = 0,
    removed: int | None = None,
    errors: Errors | None = None,
) -> Coder:
    """A coder for vectors (n, d) like these.

    bits: a multiple of 8, at most d. seed: of the rotation that ITQ and IIQ begin with. removed: directions
    that IIQ removes, by default one of a hundred. Raises ``ConfigError`` for bits out of range,
    ``DataError`` where there are less than two vectors.
    """
    n, d = vectors.shape
    if method == "float":
        if bits:
            raise ConfigError(f"vectors as they are have no bits: leave {bits} out, or take another method")
        return Coder(method, np.zeros(d, np.float32), np.zeros((d, 0), np.float32))
    most = d // BYTE * BYTE
    if bits % BYTE or not 0 < bits <= most:
        raise ConfigError(
            f"codes of {bits} bits cannot be made of vectors of {d} numbers: bits are a multiple of {BYTE}, "
            f"at most {most}"
        )
    if d > MOST:
        raise ConfigError(
            f"codes cannot be learned from vectors of {d:,} numbers, at most from {MOST:,}: take features of "
            "the form average, or of a smaller layer"
        )
    if n < 2:
        raise DataError("one vector is no set to learn codes from: give more images")
    if method != "iiq" and removed is not None:
        raise ConfigError(f"{method} removes no direction, iiq does: leave {removed} out")
    removed = -(-d // REMOVED) if removed is None else removed
    if not 0 <= removed <= d - 1:
        raise ConfigError(f"{removed} of {d} directions cannot be removed: keep one at least")
    vectors = unit(vectors).astype(np.float64)
    mean = vectors.mean(axis=0)
    axes = _principal(vectors - mean)
    if method == "iiq":
        # The largest directions are multiplied by zero, and come last where bits are as many as numbers.
        axes = np.concatenate([axes[:, removed:], np.zeros((d, removed))], axis=1)
    axes = axes[:, :bits]
    if method != "sign":
        axes = axes @ rotation((vectors - mean) @ axes, seed, errors=errors)
    return Coder(method, mean.astype(np.float32), axes.astype(np.float32))


def _principal(centred: Floats) -> Floats:
    """(d, d): directions of the centred vectors, those first in which they differ most."""
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(directions[:, ::-1])


def rotation(
    components: Floats, seed: int, iterations: int = ITERATIONS, *, errors: Errors | None = None
) -> Floats:
    """R (bits, bits), orthogonal, for V = ``components`` (n, bits)."""
    bits = components.shape[1]
    components = components / max(float(np.sqrt((components**2).mean())), np.finfo(float).tiny)
    found: Floats
    found, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((bits, bits)))
    for _ in range(iterations):
        turned = components @ found
        signs = np.where(turned >= 0, 1.0, -1.0)
        if errors:
            errors(float(((signs - turned) ** 2).mean()))
        u, _, v = np.linalg.svd(components.T @ signs)
        found = u @ v
    return found
