"""The artifact ``model.npz``: a pruned network as the integers the hardware sees.

Per layer ``<name>`` it holds three arrays:

=================== ================== ====== =====================================================
array               shape              dtype  meaning
=================== ================== ====== =====================================================
``<name>.weight``   (out, in, 32, 2)   int16  weight words (:mod:`hw.contract.spectrum`), zero where pruned
``<name>.bias``     (out,)             int32  in accumulator units; added to the real part of word 0
``<name>.shift``    (out,)             uint8  rounding shift from accumulator to 18-bit word
=================== ================== ====== =====================================================

and one JSON header: schema number, network, weight widths, sparsity per layer, the scale of the
class scores, provenance, and the SHA-256 digest of all of it. With narrow spectra (schema 2, of a chain)
there are ``<name>.word_shift``, (32,) uint8, by how much each word is cut, and ``spectrum_bits`` in the
header; ``<name>.bias`` is then in accumulator units of word 0 as it is cut. Networks whose layers have
sources, strides, additions or paddings of two sizes have schema 3, with either. No pickle anywhere. For a
convolution ``weight`` multiplies ``FFT2(tile)`` (correlation: it starts life as conj(FFT2(kernel))); for a
fully connected layer it is the dot-mode layout of :mod:`hw.contract.spectrum`.
"""

from hw.contract.artifact.content import (
    MAX_WEIGHT_BITS,
    MIN_WEIGHT_BITS,
    PRUNED_FROM,
    Artifact,
    LayerWeights,
    Sparsity,
)
from hw.contract.artifact.file import load
from hw.contract.artifact.random_weights import random_artifact

__all__ = [
    "MAX_WEIGHT_BITS",
    "MIN_WEIGHT_BITS",
    "PRUNED_FROM",
    "Artifact",
    "LayerWeights",
    "Sparsity",
    "load",
    "random_artifact",
]
