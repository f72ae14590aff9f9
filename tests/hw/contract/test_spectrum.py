"""The packed half spectrum against numpy's full one."""

import numpy as np
import pytest

from hw.contract.spectrum import BINS, DUAL_REAL, MULTIPLICITY, TILE, WORDS, pack, unpack

SEED = 4


@pytest.fixture
def spectra() -> np.ndarray:
    return np.fft.fft2(np.random.default_rng(SEED).normal(size=(50, TILE, TILE)))


def test_every_bin_or_its_mirror_appears_exactly_once():
    seen = []
    for first, second in BINS:
        for u, v in filter(None, (first, second)):
            mirror = (-u % TILE, -v % TILE)
            seen += {(u, v), mirror}
    assert sorted(seen) == [(u, v) for u in range(TILE) for v in range(TILE)]


def test_dual_real_words_hold_the_four_bins_that_are_their_own_mirror():
    dual = {bins for b in DUAL_REAL for bins in BINS[b]}
    assert dual == {(0, 0), (0, 4), (4, 0), (4, 4)}
    assert all((second is not None) == (b in DUAL_REAL) for b, (_, second) in enumerate(BINS))


def test_order_is_the_one_documented():
    """Spot checks of the table: wire i in clock t is word 4t + i."""
    at = {(t, i): BINS[4 * t + i][0] for t in range(8) for i in range(4)}
    assert [at[0, i] for i in range(4)] == [(0, 0), (2, 0), (4, 0), (2, 4)]
    assert [at[1, i] for i in range(4)] == [(1, 0), (3, 0), (3, 4), (1, 4)]
    assert [at[4, i] for i in range(4)] == [(u, 2) for u in (0, 2, 4, 6)]
    assert [at[7, i] for i in range(4)] == [(u, 3) for u in (1, 3, 5, 7)]


def test_words_are_the_bins_of_the_fft(spectra):
    words = pack(spectra)
    assert words.shape == (50, WORDS, 2)
    for b, ((u, v), other) in enumerate(BINS):
        np.testing.assert_array_equal(words[:, b, 0], spectra[:, u, v].real)
        second = spectra[:, u, v].imag if other is None else spectra[(slice(None), *other)].real
        np.testing.assert_array_equal(words[:, b, 1], second)


def test_unpack_restores_the_spectrum(spectra):
    np.testing.assert_allclose(unpack(pack(spectra)), spectra, atol=1e-12)


def test_pack_restores_any_words():
    words = np.random.default_rng(SEED).normal(size=(3, 4, WORDS, 2))
    np.testing.assert_array_equal(pack(unpack(words)), words)


def test_unpacked_words_belong_to_a_real_tile():
    words = np.random.default_rng(SEED).normal(size=(20, WORDS, 2))
    assert np.abs(np.fft.ifft2(unpack(words)).imag).max() < 1e-12


def test_multiplicity_is_parsevals(spectra):
    energy = (np.fft.ifft2(spectra).real ** 2).sum(axis=(1, 2))
    words = ((pack(spectra) ** 2).sum(axis=-1) * MULTIPLICITY).sum(axis=-1)
    np.testing.assert_allclose(words, TILE**2 * energy)


def test_product_of_packed_words_is_the_product_of_spectra(spectra):
    """What lets the accelerator multiply words only: complex words as complex numbers, dual ones by parts."""
    a, b = spectra[:25], spectra[25:]
    pa, pb = pack(a), pack(b)
    z = (pa[..., 0] + 1j * pa[..., 1]) * (pb[..., 0] + 1j * pb[..., 1])
    product = np.stack((z.real, z.imag), axis=-1)
    product[:, list(DUAL_REAL)] = (pa * pb)[:, list(DUAL_REAL)]
    np.testing.assert_allclose(product, pack(a * b), atol=1e-9)
