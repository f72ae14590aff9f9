"""Projections: feasible, with the right budget, and with no feasible point nearer."""

from itertools import combinations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError
from pruning import sets
from pruning.layers.linear import MaskedLinear
from pruning.layers.spectral import SpectralConv2d


def random_energy(seed: int, out: int, cin: int, words: int = 32) -> torch.Tensor:
    """Rounded, so that ties are common."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(out, cin, words, generator=generator) * 6).round()


seeds = st.integers(0, 2**16)


@settings(deadline=None, max_examples=25)
@given(seed=seeds, out=st.integers(1, 5), cin=st.integers(1, 5), s=st.integers(1, 32))
def test_kernel_keeps_the_s_largest_words(seed, out, cin, s):
    energy = random_energy(seed, out, cin)
    mask = sets.Kernel(s).mask(energy)
    assert (mask.sum(-1) == s).all()
    kept = (energy * mask).sum(-1)
    torch.testing.assert_close(kept, energy.sort(-1, descending=True).values[..., :s].sum(-1))


@settings(deadline=None, max_examples=25)
@given(seed=seeds, out=st.integers(1, 4), cin=st.integers(1, 7), n=st.integers(1, 3))
def test_uniform_is_the_best_of_all_choices(seed, out, cin, n):
    m = 3
    energy = random_energy(seed, out, cin, words=2)
    mask = sets.Uniform(n, m).mask(energy)
    for row, first, word in product(range(out), range(0, cin, m), range(2)):
        group = energy[row, first : first + m, word]
        limit = -(-n * len(group) // m)
        chosen = mask[row, first : first + m, word]
        assert int(chosen.sum()) == limit
        best = max(sum(group[i] for i in pick) for pick in combinations(range(len(group)), limit))
        assert float((group * chosen).sum()) == float(best)


def adaptive_steps(mask: torch.Tensor, m: int, rows: int) -> torch.Tensor:
    """(blocks, groups, words): n of every entry, after checking that all rows of a block agree."""
    grouped = nn.functional.pad(mask.int(), (0, 0, 0, -mask.shape[1] % m)).unflatten(1, (-1, m))
    counts = grouped.sum(2).unflatten(0, (-1, rows))
    assert (counts == counts[:, :1]).all(), "rows of a block differ in their steps"
    return counts[:, 0]


@settings(deadline=None, max_examples=30)
@given(
    seed=seeds, cin=st.integers(1, 4), blocks=st.integers(1, 2), mean=st.sampled_from([0.4, 0.5, 1, 1.5, 2])
)
def test_adaptive_is_the_best_of_all_choices(seed, cin, blocks, mean):
    """Brute force over every step count of every entry: m = 2, two words, two rows per block."""
    m, rows, words = 2, 2, 2
    energy = random_energy(seed, blocks * rows, cin, words)
    mask = sets.Adaptive(mean, m, rows).mask(energy)
    steps = adaptive_steps(mask, m, rows)
    budget = int(mean * cin * words * blocks / m)
    assert int(steps.sum()) == budget
    best = [0.0] + [-1.0] * budget  # largest energy with exactly so many steps, entry by entry
    for block, first, word in product(range(blocks), range(0, cin, m), range(words)):
        group = energy[block * rows : (block + 1) * rows, first : first + m, word]
        choices = [
            float(group.sort(1, descending=True).values[:, :k].sum()) for k in range(group.shape[1] + 1)
        ]
        best = [
            max((best[b - k] + e for k, e in enumerate(choices) if k <= b and best[b - k] >= 0), default=-1.0)
            for b in range(budget + 1)
        ]
    assert float((energy * mask).sum()) == best[budget]


@settings(deadline=None, max_examples=20)
@given(
    seed=seeds,
    out=st.integers(1, 20),
    cin=st.integers(1, 20),
    mean=st.floats(0.1, 8),
    block=st.integers(1, 9),
)
def test_adaptive_budget_is_never_exceeded(seed, out, cin, mean, block):
    """In words and, as a full block's rows share their steps, in steps; at most one step per part short."""
    mask = sets.Adaptive(mean, 8, block).mask(random_energy(seed, out, cin))
    allowed = mean / 8 * mask.numel()
    assert allowed - 2 * block < int(mask.sum()) <= allowed + 1e-6
    full = out - out % block
    for part, rows in ((mask[:full], block), (mask[full:], out % block)):
        if len(part):
            adaptive_steps(part, 8, rows)


@settings(deadline=None, max_examples=15)
@given(seed=seeds, kind=st.sampled_from(["kernel", "uniform", "adaptive"]))
def test_no_random_feasible_point_of_a_convolution_is_nearer(seed, kind):
    """Distances in space, over all 64 pixels of the operators: the words' multiplicity must be right."""
    torch.manual_seed(seed)
    layer = SpectralConv2d.from_conv(nn.Conv2d(11, 8, 5))
    sparsity = Sparsity(kind, 8 if kind == "kernel" else 2, 32 if kind == "kernel" else 8, 4)
    weight = layer.weight.detach()
    best = spatial_distance(layer, weight, sets.mask(layer.energy(weight), sparsity))
    for _ in range(20):
        other = sets.mask(torch.rand(8, 11, 32), sparsity)
        assert best <= spatial_distance(layer, weight, other)
        near = sets.mask(layer.energy(weight) * (1 + 0.2 * torch.rand(8, 11, 32)), sparsity)
        assert best <= spatial_distance(layer, weight, near) + 1e-5


def spatial_distance(layer, weight, mask) -> float:
    from pruning.layers.transform import inverse_matrix

    gap = (weight * ~mask[..., None]).reshape(-1, 64).double()
    return float((gap @ inverse_matrix(8).T).square().sum())


@pytest.mark.parametrize("kind", ["uniform", "adaptive"])
def test_absent_words_of_a_dense_layer_are_no_budget(kind):
    """Behind a 3×3 map a channel has 6 words; in a vector of 70 the second channel has 3 of 32."""
    for shape, features, present in (((9, 3, 3), 81, 54), ((2, 8, 8), 70, 35)):
        layer = MaskedLinear.from_linear(nn.Linear(features, 16), shape)
        mask = sets.mask(layer.energy(layer.weight), Sparsity(kind, 2, 8, 8))
        assert not (mask & ~layer.present).any()
        if kind == "adaptive":
            assert int(mask.sum()) == 8 * (2 * 2 * present // 8)
        else:
            sizes = [
                nn.functional.pad(layer.present.int(), (0, 0, 0, -shape[0] % 8)).unflatten(0, (-1, 8)).sum(1)
            ]
            assert int(mask.sum()) == 16 * int(((2 * sizes[0] + 7) // 8).sum())


@pytest.mark.parametrize(
    ("sparsity", "message"),
    [
        (Sparsity("random", 2, 8), "'random'"),
        (Sparsity("kernel", 33, 32), "at most 32, not 33"),
        (Sparsity("kernel", 0, 32), "not 0"),
        (Sparsity("uniform", 9, 8), "at most 8, not 9"),
        (Sparsity("uniform", 1.5, 8), "not 1.5"),
        (Sparsity("adaptive", 2, 0, 8), "not 0"),
        (Sparsity("adaptive", 2, 8, 0), "not 0"),
    ],
)
def test_nonsense_is_refused(sparsity, message):
    with pytest.raises(ConfigError, match=message):
        sets.check(sparsity)
