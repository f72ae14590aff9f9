"""Every constraint set: feasible, idempotent, of the right share, optimal or at least good.

Hypothesis draws the same examples every time (``derandomize``) and prints the one that fails.
"""

import math
from fractions import Fraction
from itertools import combinations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError
from pruning import sets
from pruning.sets import pattern
from pruning.sets.base import rank, take
from pruning.sets.rectangle import rectangle

PROPERTY = settings(deadline=None, max_examples=25, derandomize=True)
QUARTER = Fraction(1, 4)

ALL = {
    "adaptive": sets.Adaptive(2, 8, 4),
    "uniform": sets.Uniform(2, 8),
    "kernel": sets.Kernel(8),
    "unstructured": sets.Unstructured(QUARTER),
    "pattern": sets.Pattern(QUARTER, 4),
    "block": sets.Block(QUARTER, 4),
    "darb": sets.Darb(QUARTER, 16),
    "filter": sets.Filter(QUARTER),
    "column": sets.Column(QUARTER),
    "combined": sets.Combined(QUARTER),
    "row-column": sets.RowColumn(QUARTER),
}
HEURISTICS = ["pattern", "darb", "combined", "row-column"]

every_set = pytest.mark.parametrize("kind", ALL)
seeds = st.integers(0, 2**16)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 20), st.sampled_from([9, 32]))


def energies(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Positive and without ties; words, rows and columns differ in weight, as in trained layers."""
    generator = torch.Generator().manual_seed(seed)
    energy = torch.randn(shape, generator=generator).square() + 1e-3
    for axis, size in enumerate(shape):
        scale = torch.randn(size, generator=generator).exp()
        energy *= scale.view([-1 if a == axis else 1 for a in range(3)])
    return energy


def kept(energy: torch.Tensor, mask: torch.Tensor) -> float:
    return float((energy.double() * mask).sum())


def is_rectangle(mask: torch.Tensor) -> bool:
    return bool((mask == (mask.any((1, 2))[:, None, None] & mask.any(0))).all())


def feasible(chosen: sets.ConstraintSet, mask: torch.Tensor) -> bool:
    """Whether a mask without absent words is in the set; written from the definitions, not the code."""
    out, cin, words = mask.shape
    within = int(mask.sum()) <= chosen.share * mask.numel()
    match chosen:
        case sets.Kernel(count):
            return bool((mask.sum(-1) <= count).all())
        case sets.Uniform(n, m):
            groups = [mask[:, c : c + m] for c in range(0, cin, m)]
            return all((g.sum(1) <= math.ceil(Fraction(n * g.shape[1], m))).all() for g in groups)
        case sets.Adaptive(_, m, block):
            entries = [
                mask[n : n + block, c : c + m].sum(1) for n in range(0, out, block) for c in range(0, cin, m)
            ]
            return within and all((entry == entry[:1]).all() for entry in entries)
        case sets.Unstructured():
            return within
        case sets.Pattern(_, patterns):
            live = mask.flatten(0, 1)[mask.flatten(0, 1).any(1)]
            size = max(math.ceil(chosen.share * words), round(math.sqrt(chosen.share) * words))
            few = len(live.unique(dim=0)) <= patterns
            return few and bool((live.sum(1) == size).all()) and (within or len(live) == 1)
        case sets.Block(_, rows):
            return within and all((mask[n : n + rows] == mask[n : n + 1]).all() for n in range(0, out, rows))
        case sets.Darb(_, largest):
            sizes = [2**i for i in range(int(math.log2(largest)) + 1)]
            rows = mask.transpose(1, 2).flatten(0, 1)  # (out·words, in)
            return within and all(
                not row.any() or any(all(row[c : c + b].sum() == 1 for c in range(0, cin, b)) for b in sizes)
                for row in rows
            )
        case sets.Filter():
            full = mask.any((1, 2))
            count = max(1, math.floor(chosen.share * out))
            return int(full.sum()) == count and bool((mask == full[:, None, None]).all())
        case sets.Column():
            return within and bool((mask == mask[:1]).all())
        case sets.Combined() | sets.RowColumn():
            return is_rectangle(mask) and within
    raise AssertionError(chosen)


@every_set
@PROPERTY
@given(seed=seeds, shape=shapes)
def test_the_mask_is_in_the_set(kind, seed, shape):
    """In spectral words and in the 9 positions of kernels in space alike."""
    if kind == "kernel" and shape[2] == 9:
        return
    assert feasible(ALL[kind], ALL[kind].mask(energies(seed, shape)))


@every_set
@PROPERTY
@given(seed=seeds, shape=shapes)
def test_projecting_twice_changes_nothing(kind, seed, shape):
    """Of the *values*: a second mask may add words that are zero already."""
    energy = energies(seed, shape)
    once = energy * ALL[kind].mask(energy)
    assert torch.equal(once * ALL[kind].mask(once), once)


@every_set
def test_a_quarter_of_a_regular_layer_is_a_quarter(kind):
    """12 outputs × 32 inputs × 32 words divide by everything, so nothing is rounded; but in ``darb``
    less may be left than any row's next halving takes, and it takes a word at least in the first one."""
    mask = ALL[kind].mask(energies(1, (12, 32, 32)))
    missing = QUARTER * mask.numel() - int(mask.sum())
    assert ALL[kind].share == QUARTER
    assert 0 <= missing <= (1 if kind == "darb" else 0)


@every_set
@PROPERTY
@given(seed=seeds, out=st.integers(1, 9), cin=st.integers(1, 12))
def test_words_that_do_not_exist_are_neither_kept_nor_counted(kind, seed, out, cin):
    """As in a vector of fully connected outputs: the last channel has 3 of its words."""
    chosen = ALL[kind]
    if chosen.convolutions_only:
        return
    energy = energies(seed, (out, cin, 32))
    energy[:, -1, 3:] = -1
    mask = chosen.mask(energy)
    present = (energy >= 0).sum()
    assert not (mask & (energy < 0)).any()
    if kind == "unstructured":
        assert int(mask.sum()) == int(present) // 4
    if kind != "uniform":  # it rounds up
        assert int(mask.sum()) <= QUARTER * int(present)


@pytest.mark.parametrize("kind", [k for k in ALL if k not in ("uniform", "filter")])
@PROPERTY
@given(seed=seeds)
def test_nothing_structured_keeps_more_than_unstructured(kind, seed):
    energy = energies(seed, (8, 16, 32))
    bound = kept(energy, ALL["unstructured"].mask(energy))
    assert kept(energy, ALL[kind].mask(energy)) <= bound * (1 + 1e-12)


def best_choice(energy: torch.Tensor, units: torch.Tensor, count: int) -> float:
    """Brute force: most energy of ``count`` units, given as masks (n, out, in, words)."""
    gains = (energy.double() * units).sum((1, 2, 3)).tolist()
    return max(sum(pick) for pick in combinations(gains, count))


@PROPERTY
@given(seed=seeds, share=st.sampled_from([Fraction(1, 3), Fraction(1, 2), Fraction(3, 4)]))
def test_unstructured_block_filter_and_column_are_the_best_of_all_choices(seed, share):
    shape = out, cin, words = 4, 3, 2
    energy = (2 * energies(seed, shape)).round()  # ties, and sums without rounding
    places = torch.eye(out * cin * words, dtype=torch.bool)
    units = {
        sets.Unstructured(share): places.view(-1, *shape),
        sets.Block(share, 2): places.view(out // 2, 2, cin, words, *shape).any(1).view(-1, *shape),
        sets.Filter(share): places.view(out, cin * words, *shape).any(1),
        sets.Column(share): places.view(out, cin * words, *shape).any(0),
    }
    for chosen, choices in units.items():
        count = max(math.floor(share * len(choices)), chosen.kind == "filter")
        mask = chosen.mask(energy)
        assert int(mask.sum()) == count * int(choices[0].sum()), chosen.kind
        assert kept(energy, mask) == best_choice(energy, choices, count)


@PROPERTY
@given(seed=seeds, out=st.integers(1, 7), rows=st.integers(1, 4))
def test_blocks_of_unequal_size_lose_less_than_one_block(seed, out, rows):
    """Against the bound that may cut a block: sorted by energy per word, the last one in part."""
    energy = energies(seed, (out, 3, 2))
    blocks = [
        (float(energy[n : n + rows, c, w].sum()), len(energy[n : n + rows]))
        for n, c, w in product(range(0, out, rows), range(3), range(2))
    ]
    left, bound = math.floor(energy.numel() / 2), 0.0
    for gain, size in sorted(blocks, key=lambda block: block[0] / block[1], reverse=True):
        bound += gain * min(1, left / size)
        left -= min(size, left)
    got = kept(energy, sets.Block(Fraction(1, 2), rows).mask(energy))
    assert bound - max(gain for gain, _ in blocks) < got <= bound * (1 + 1e-6)


@pytest.mark.parametrize(
    ("gain", "size", "limit", "expected"),
    [
        ([9, 4, 1], [3, 1, 1], 3, [False, True, True]),  # per word, and the large one no longer fits
        ([9, 2, 1], [3, 1, 1], 4, [True, True, False]),
        ([8, 6, 5, 1], [2, 2, 2, 1], 5, [True, True, False, True]),  # skipped, then one that fits
        ([1, 1, 1], [1, 1, 1], 2, [True, True, False]),  # ties in order
        ([5, 0, 1], [0, 1, 1], 1, [False, False, True]),  # units of no words never
        ([1], [2], 1, [False]),
    ],
)
def test_take_chooses_by_energy_per_word_what_still_fits(gain, size, limit, expected):
    assert take(torch.tensor(gain).float(), torch.tensor(size), limit).tolist() == expected


@PROPERTY
@given(seed=seeds)
def test_refining_a_library_never_loses_and_ends_where_nothing_gains(seed):
    energy, chosen = energies(seed, (6, 8, 32)), ALL["pattern"]
    kernels = energy.flatten(0, 1)
    library = pattern.counted(rank(kernels, dim=1) < 16, 4)
    assert chosen.kernels(energy) == 24

    def total(library: torch.Tensor) -> float:
        return float(pattern.assign(kernels, library)[0].double().topk(24).values.sum())

    refined = pattern.refined(kernels, library, 24)
    assert (refined.sum(1) == 16).all() and total(refined) > total(library)
    assert total(pattern.refined(kernels, refined, 24)) >= total(refined) * (1 - 1e-6)
    assert total(chosen.library(energy)) >= total(refined) * (1 - 1e-6)


@PROPERTY
@given(seed=seeds)
def test_the_rows_of_a_rectangle_are_the_best_for_its_columns_and_the_other_way_round(seed):
    # Heavy-tailed words, so that the row with most energy may have it where no other has.
    energy = (3 * torch.randn(8, 2, 6, generator=torch.Generator().manual_seed(seed))).exp()
    mask = rectangle(energy, 4, 4 * 3)
    rows, columns = mask.any((1, 2)), mask.any(0)
    assert int(rows.sum()) == 4 and int(columns.sum()) == 3
    by_row, by_column = energy[:, columns].sum(1), energy[rows].sum(0)
    assert by_row[rows].min() >= by_row[~rows].max()
    assert by_column[columns].min() >= by_column[~columns].max()


@pytest.mark.parametrize("kind", HEURISTICS)
@PROPERTY
@given(seed=seeds)
def test_heuristics_keep_more_than_random_feasible_masks(kind, seed):
    energy = energies(seed, (8, 16, 32))
    chosen = ALL[kind]
    got = kept(energy, chosen.mask(energy))
    for other in range(20):
        mask = chosen.mask(energies(seed + other + 1, (8, 16, 32)))
        assert feasible(chosen, mask)
        assert kept(energy, mask) < got


def test_sets_say_which_of_them_are_exact():
    assert [kind for kind in ALL if not ALL[kind].exact] == HEURISTICS


@PROPERTY
@given(seed=seeds)
def test_patterns_keep_more_than_those_counted_most_often(seed):
    """The papers' way in the space they use it: 4 of 9 entries, the most frequent of the kernels' own."""
    chosen = sets.Pattern(QUARTER, 6)
    energy = energies(seed, (16, 16, 9))
    kernels = energy.flatten(0, 1)
    own = kernels >= kernels.sort(descending=True).values[:, 3:4]
    patterns, counts = own.unique(dim=0, return_counts=True)
    frequent = patterns[counts.argsort(descending=True)[:6]]
    best = (kernels @ frequent.to(kernels).T).max(1).values
    counted = float(best.sort(descending=True).values[: chosen.kernels(energy)].sum())
    assert chosen.length(9) == 4 and chosen.kernels(energy) == 144
    assert kept(energy, chosen.mask(energy)) >= counted * (1 - 1e-6)


def test_a_library_is_found_again():
    """Kernels made of four patterns, with noise: the library is those four."""
    generator = torch.Generator().manual_seed(4)
    truth = torch.rand(4, 32, generator=generator).argsort(1).argsort(1) < 16
    choice = torch.arange(64) % 4
    energy = truth[choice] * (1 + torch.rand(64, 32, generator=generator))
    energy += 0.1 * torch.rand(64, 32, generator=generator)
    library = sets.Pattern(QUARTER, 4).library(energy.view(8, 8, 32))
    assert {tuple(row.tolist()) for row in library} == {tuple(row.tolist()) for row in truth}


@PROPERTY
@given(seed=seeds)
def test_darb_keeps_more_than_one_block_size_for_all(seed):
    energy = energies(seed, (8, 16, 32))
    same = torch.zeros_like(energy, dtype=torch.bool)
    for first in range(0, 16, 4):
        best = energy[:, first : first + 4].argmax(1, keepdim=True)
        same[:, first : first + 4].scatter_(1, best, True)
    assert kept(energy, ALL["darb"].mask(energy)) > kept(energy, same)


@PROPERTY
@given(seed=seeds)
def test_darb_leaves_no_step_that_would_fit(seed):
    """What remains of the budget is less than any row's next halving takes."""
    energy = energies(seed, (3, 8, 4))
    mask = sets.Darb(Fraction(2, 5), 4).mask(energy)
    left = math.floor(Fraction(2, 5) * mask.numel()) - int(mask.sum())
    following = {0: 2, 2: 4, 4: 8}  # words of a row of 8 channels, with nothing, b = 4, b = 2
    assert all(following[n] - n > left for n in mask.sum(1).flatten().tolist() if n < 8)


@PROPERTY
@given(seed=seeds)
def test_rows_and_columns_are_no_worse_than_either_alone(seed):
    energy = energies(seed, (8, 6, 32))
    best = kept(energy, ALL["row-column"].mask(energy))
    for kind in ("filter", "column", "combined"):
        assert best >= kept(energy, ALL[kind].mask(energy)) * (1 - 1e-6), kind


def test_a_planted_rectangle_is_found():
    energy = torch.rand(8, 4, 8, generator=torch.Generator().manual_seed(2))
    for kind, rows, every in (("combined", 5, 3), ("row-column", 4, 2)):  # 60 and 64 of 256 words
        planted = torch.zeros(8, 4, 8, dtype=torch.bool)
        planted[1 : 1 + rows, :, ::every] = True
        assert torch.equal(ALL[kind].mask(energy + 2 * planted), planted), kind


@every_set
@PROPERTY
@given(seed=seeds)
def test_groups_are_means_over_what_goes_together(kind, seed):
    """Scaling a word scales its group only; the groups' sum over a layer of equal words is the words'."""
    chosen, shape = ALL[kind], (8, 3, 4)
    flat = torch.full(shape, 2.0)
    expected = 1.0 if isinstance(chosen, sets.Combined | sets.RowColumn) else 2.0
    torch.testing.assert_close(chosen.groups(flat).expand(shape), torch.full(shape, expected))
    row, channel, word = (seed % n for n in shape)
    more = flat.clone()
    more[row, channel, word] = 50
    touched = chosen.groups(more) > chosen.groups(flat)
    together = torch.zeros(shape, dtype=torch.bool)
    if kind in ("filter", "combined", "row-column"):
        together[row] = True
    if kind in ("column", "combined", "row-column"):
        together[:, channel, word] = True
    if kind == "block":
        together[row // 4 * 4 : row // 4 * 4 + 4, channel, word] = True
    together[row, channel, word] = True
    assert torch.equal(touched, together)


STORED = {
    "adaptive": Sparsity("adaptive", 2, 8, 4),
    "uniform": Sparsity("uniform", 2, 8),
    "kernel": Sparsity("kernel", 8, 32),
    "pattern": Sparsity("pattern", 8, 32, 4),
    "block": Sparsity("block", 1, 4, 4),
    "darb": Sparsity("darb", 1, 4, 16),
}


@every_set
def test_stored_parameters_describe_the_set(kind):
    stored = STORED.get(kind, Sparsity(kind, 1, 4))
    assert sets.of(stored) == ALL[kind] and kind in sets.SETS
    assert "1/4" in ALL[kind].describe() or " of " in ALL[kind].describe()


def test_every_pattern_is_tested_here():
    assert set(sets.SETS) == {*ALL, "dense"}


@pytest.mark.parametrize(
    ("sparsity", "message"),
    [
        (Sparsity("unstructured", 1, 0), "group of at least 1, not 0"),
        (Sparsity("filter", 5, 4), "at most 4 of 4, not 5"),
        (Sparsity("column", 0, 4), "not 0"),
        (Sparsity("pattern", 1, 4, 0), r"a library \(block\) of at least 1, not 0"),
        (Sparsity("block", 1, 4, 0), "a block of at least 1, not 0"),
        (Sparsity("darb", 1, 4, 12), "power of two, not 12"),
        (Sparsity("darb", 1, 4, 0), "power of two, not 0"),
    ],
)
def test_nonsense_is_refused(sparsity, message):
    with pytest.raises(ConfigError, match=message):
        sets.check(sparsity)
