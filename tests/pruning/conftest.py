"""Fixtures of the training tests; all of them need torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    """Small products are faster on one thread, and every test draws the same numbers when run alone."""
    torch.set_num_threads(1)
    torch.manual_seed(20190911)


@pytest.fixture
def tiny_batch() -> "torch.Tensor":
    """48 images for ``hw.contract.network.tiny()``: whole steps of 1/255, as a camera gives them."""
    pixels = np.random.default_rng(5).integers(0, 256, (48, 2, 9, 11), np.uint8)
    return torch.from_numpy(pixels).float() / 255
