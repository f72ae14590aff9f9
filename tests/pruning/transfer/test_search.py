"""Codes, their search and their files: what each promises, against brute force."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hw.contract.features import About, Features
from hw.util.errors import ArtifactError, ConfigError, DataError, DigestMismatch
from pruning.transfer.search import benchmark, contact_sheet, index
from pruning.transfer.search.coder import unit
from pruning.transfer.search.hamming import distances, nearest, words
from pruning.transfer.search.learning import learn, rotation
from pruning.transfer.search.measures import average_precision, mean_average_precision, recall


def clusters(n=300, d=32, classes=4, seed=0):
    """Vectors (n, d) of integers, around a few centres, and which one."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    centres = np.random.default_rng(99).normal(0, 30, (classes, d))
    return (centres[labels] + rng.normal(0, 12, (n, d))).round().clip(0).astype(np.int32), labels


def features(n=300, seed=0, **changes) -> Features:
    vectors, labels = clusters(n, seed=seed)
    fields = dict(network="net", layer="conv", form="average", shape=(32, 2, 3), signed=False, scores=False)
    fields |= dict(step=None, model="ab" * 32, images="cd" * 32, count=n, source="integer model")
    return Features(About(**{**fields, **changes}), vectors, labels)


# --- learning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_rotation_is_orthogonal_and_its_error_never_rises(seed):
    components = np.random.default_rng(seed).normal(0, [9, 5, 3, 2, 1, 1, 0.5, 0], (200, 8))
    errors = []
    found = rotation(components, seed, errors=errors.append)
    assert np.allclose(found @ found.T, np.eye(8), atol=1e-12)
    assert len(errors) == 50 and (np.diff(errors) <= 1e-12).all() and errors[-1] < 0.9 * errors[0]
    scaled = []
    assert np.allclose(rotation(1000 * components, seed, errors=scaled.append), found)
    assert np.allclose(scaled, errors), "the error has no unit"


@pytest.mark.parametrize("method", ["sign", "itq", "iiq"])
def test_a_projection_is_orthogonal_and_the_same_for_a_seed(method):
    vectors, _ = clusters()
    coder = learn(vectors, method, 16, seed=3)
    assert np.allclose(coder.projection.T @ coder.projection, np.eye(16), atol=1e-5)
    assert np.array_equal(learn(vectors, method, 16, seed=3).projection, coder.projection)
    other = learn(vectors, method, 16, seed=4).projection
    assert np.array_equal(other, coder.projection) == (method == "sign")


def test_itq_comes_closer_to_signs_than_principal_components():
    vectors, _ = clusters()
    errors = {}
    for method in ("sign", "itq"):
        coder = learn(vectors, method, 16)
        turned = (unit(vectors) - coder.mean) @ coder.projection
        turned /= np.sqrt((turned**2).mean())
        errors[method] = ((np.sign(turned) - turned) ** 2).mean()
    assert errors["itq"] < 0.8 * errors["sign"]


@pytest.mark.parametrize("removed", [None, 0, 3])
def test_iiq_sees_nothing_of_the_directions_that_it_removes(removed):
    """And what is left is closer together: more isotropic."""
    vectors, _ = clusters()
    centred = unit(vectors).astype(float) - unit(vectors).astype(float).mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    coder = learn(vectors, "iiq", 16, removed=removed)
    gone = 1 if removed is None else removed
    assert np.abs(directions[:gone] @ coder.projection).max(initial=0) < 1e-5
    assert np.abs(directions[gone] @ coder.projection).max() > 0.1
    left = np.linalg.svd(centred @ coder.projection, compute_uv=False)
    assert np.allclose(left, sizes[gone : gone + 16], rtol=1e-4)
    assert sizes[0] / sizes[15] >= left[0] / left[15]


def test_as_many_bits_as_numbers_work_with_directions_removed():
    coder = learn(clusters()[0], "iiq", 32)
    assert coder.bits == 32 and np.isfinite(coder.projection).all()


@pytest.mark.parametrize("method", ["sign", "itq", "iiq"])
def test_vectors_that_are_all_the_same_have_one_code(method):
    vectors = np.full((5, 8), 7)
    codes = learn(vectors, method, 8).codes(vectors)
    assert (codes == codes[0]).all()


@pytest.mark.parametrize(
    ("method", "bits", "options", "error", "names"),
    [
        ("itq", 12, {}, ConfigError, "multiple of 8, at most 32"),
        ("itq", 40, {}, ConfigError, "multiple of 8, at most 32"),
        ("itq", 0, {}, ConfigError, "multiple of 8"),
        ("float", 8, {}, ConfigError, "have no bits"),
        ("itq", 8, {"removed": 1}, ConfigError, "itq removes no direction"),
        ("iiq", 8, {"removed": 32}, ConfigError, "32 of 32 directions"),
    ],
)
def test_what_cannot_be_learned_is_a_sentence(method, bits, options, error, names):
    with pytest.raises(error, match=names):
        learn(clusters()[0], method, bits, **options)
    with pytest.raises(ConfigError, match=r"of 4,097 numbers, at most from 4,096"):
        learn(np.zeros((2, 4097), np.uint8), "itq", 8)
    with pytest.raises(DataError, match="one vector is no set"):
        learn(clusters(1)[0], "itq", 8)


# --- search -------------------------------------------------------------------------------------------


def by_hand(database: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Every bit of every pair, and a stable sort."""
    a, b = (np.unpackbits(codes, axis=1) for codes in (database, queries))
    away = (a[None] != b[:, None]).sum(axis=2)
    found = np.argsort(away, axis=1, kind="stable")[:, :count]
    return found, np.take_along_axis(away, found, axis=1)


@given(st.integers(1, 24), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_the_nearest_codes_are_those_of_an_exhaustive_search(size, n, seed, few):
    """Of any number of bytes, with many ties (bytes of few values), one to all of them."""
    rng = np.random.default_rng(seed)
    codes, queries = (rng.integers(0, 2 if few else 256, (m, size), np.uint8) for m in (n, 19))
    count = int(rng.integers(1, n + 1))
    found, away = nearest(codes, queries, count)
    expected, expected_away = by_hand(codes, queries, count)
    assert np.array_equal(found, expected) and np.array_equal(away, expected_away)


def test_words_are_as_wide_as_the_codes_allow():
    widths = {size: words(np.zeros((3, size), np.uint8)).itemsize for size in (1, 2, 3, 4, 6, 8, 12, 16, 32)}
    assert widths == {1: 1, 2: 2, 3: 1, 4: 4, 6: 2, 8: 8, 12: 4, 16: 8, 32: 8}
    far = distances(words(np.zeros((1, 512), np.uint8)), words(np.full((1, 512), 255, np.uint8)))
    assert far.tolist() == [[4096]], "more than a byte counts"


def test_the_nearest_vectors_are_those_of_the_largest_cosine():
    (known, _), (asked, _) = clusters(200), clusters(17, seed=1)
    known[5] = 0
    found, away = nearest(unit(known), unit(asked), 9)
    exact = (
        asked
        @ known.T
        / np.maximum(np.linalg.norm(asked, axis=1)[:, None] * np.linalg.norm(known, axis=1), 1)
    )
    assert np.array_equal(found, np.argsort(-exact, axis=1)[:, :9])
    assert np.allclose(away, 1 - np.sort(exact, axis=1)[:, ::-1][:, :9], atol=1e-6)


@pytest.mark.parametrize(
    ("codes", "queries", "count", "names"),
    [
        (np.zeros((3, 4), np.uint8), np.zeros((1, 4), np.uint8), 4, "there are 3 images in the index, not 4"),
        (np.zeros((3, 4), np.uint8), np.zeros((1, 8), np.uint8), 1, "of two kinds"),
        (np.zeros((3, 4), np.uint8), np.zeros((1, 4), np.float32), 1, "of two kinds"),
    ],
)
def test_a_search_that_cannot_be_is_a_sentence(codes, queries, count, names):
    with pytest.raises(DataError, match=names):
        nearest(codes, queries, count)


# --- the index ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "bits", "size", "least"),
    [("iiq", 16, 2, 0.8), ("itq", 24, 3, 0.95), ("sign", 32, 4, 0.6), ("float", 0, 128, 0.95)],
)
def test_an_index_finds_its_own_images_and_their_classes(tmp_path, method, bits, size, least):
    """By chance a quarter of what is found has the query's class."""
    known, asked = features(), features(40, seed=1)
    index.make(known, method, bits, seed=1).save(tmp_path / "i.npz")
    found = index.load(tmp_path / "i.npz")
    assert found.about == known.about and found.coder.method == method and found.bytes_per_image == size
    assert np.array_equal(found.labels, known.labels)
    _, away = found.nearest(known, 1)
    assert np.allclose(away, 0, atol=1e-6)
    positions, _ = found.nearest(asked, 10)
    same = (found.labels[positions] == asked.labels[:, None]).mean()
    assert same > least
    codes = found.coder.codes(asked.real)
    if method != "float":
        assert np.array_equal(positions, by_hand(found.codes, codes, 10)[0])


def test_averages_and_sums_have_one_code():
    """An average is a sum and a count: the count changes no direction."""
    known = features()
    single = Features(replace(known.about, shape=(32, 1, 1)), known.vectors, None)
    coder = learn(known.real, "itq", 16)
    assert np.array_equal(coder.codes(known.real), coder.codes(single.real))


@pytest.mark.parametrize(
    ("changes", "error", "names"),
    [
        ({"model": "ef" * 32}, DigestMismatch, "are those of model efefefef…, not of abababab…"),
        ({"layer": "other"}, ConfigError, "layer other, form average, are not compared with those of conv"),
    ],
)
def test_features_of_something_else_are_refused(changes, error, names):
    made = index.make(features(), "itq", 16)
    with pytest.raises(error, match=names):
        made.nearest(features(5, **changes), 1)


def rewritten(path, header=None, **arrays):
    with np.load(path) as file:
        found = {name: file[name] for name in file.files}
    if header is not None:
        data = json.loads(found["header"].tobytes()) | header
        found["header"] = np.frombuffer(json.dumps(data).encode(), np.uint8)
    np.savez(path, **{k: v for k, v in {**found, **arrays}.items() if v is not None})


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"header": {"kind": "features"}}, "kind 'features'"),
        ({"header": {"schema": 9}}, "schema 9"),
        ({"header": {"method": "magic"}}, "invalid enum value"),
        ({"header": {"method": "float"}}, "make no codes of the method float"),
        ({"header": {"more": 1}}, "unknown field"),
        ({"codes": np.zeros((299, 2), np.uint8)}, r"codes are uint8 \(299, 2\)"),
        ({"codes": np.zeros((300, 2), np.int8)}, "codes are int8"),
        ({"mean": np.zeros(31, np.float32)}, "a mean"),
        ({"mean": np.full(32, np.nan, np.float32)}, "not finite"),
        ({"projection": np.zeros((32, 16))}, "projection is float64"),
        ({"projection": np.zeros((32, 8), np.float32)}, "codes are"),
        ({"projection": np.zeros((31, 16), np.float32), "mean": np.zeros(31, np.float32)}, "coder takes 31"),
        ({"labels": np.zeros(3, np.int64)}, "labels"),
        ({"mean": None}, "no array 'mean'"),
    ],
)
def test_an_index_that_is_wrong_is_a_sentence(tmp_path, change, names):
    index.make(features(), "itq", 16).save(tmp_path / "i.npz")
    rewritten(tmp_path / "i.npz", **change)
    with pytest.raises(ArtifactError, match=rf"is no index, or is damaged .*{names}"):
        index.load(tmp_path / "i.npz")


def test_vectors_of_an_index_have_length_1(tmp_path):
    made = index.make(features(), "float")
    with pytest.raises(DataError, match="another length than 1"):
        replace(made, codes=made.codes * np.float32(1.1))
    replace(made, codes=made.codes * np.float32(0))


# --- measures and pictures ----------------------------------------------------------------------------


def test_average_precision_is_what_the_field_means_by_it():
    relevant = np.array([[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    assert np.allclose(average_precision(relevant), [(1 + 2 / 3) / 2, 1 / 4, 0, 1])


def test_mean_average_precision_ranks_all():
    codes = np.array([[0], [1], [3], [7], [255]], np.uint8)
    labels = np.array([0, 1, 0, 1, 1])
    expected = (1 + 2 / 3) / 2, (1 + 2 / 3 + 3 / 4) / 3  # 0, 1, 3, ... and 255, 7, 3, 1, 0
    found = mean_average_precision(codes, labels, codes[[0, 4]], labels[[0, 4]])
    second = average_precision(np.array([[1, 1, 0, 1, 0]], bool))[0]
    assert np.isclose(found, (expected[0] + second) / 2)
    vectors = unit(np.array([[1.0, 0], [1, 0.1], [1, 0.5], [0, 1]]))
    assert mean_average_precision(vectors, np.array([0, 0, 1, 1]), vectors[:1], np.array([0])) == 1


def test_recall_is_a_share():
    assert recall(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), np.array([[4, 3, 9, 10], [5, 6, 7, 8]])) == 0.75


def test_the_benchmark_has_a_row_for_every_code(tmp_path, capsys):
    from hw.contract.features import save

    for name, found in (("a", features()), ("b", features(60, seed=1))):
        save(tmp_path / f"{name}.npz", found.about, [found.vectors], found.labels)
    words = [str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "--bits", "8", "16", "--seeds", "2"]
    benchmark.main([*words, "--asked", "40", "--learned", "200", "--out", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())
    assert [(row["method"], row["bits"], row["bytes"]) for row in found["rows"]] == [
        ("float", 0, 128),
        *((method, bits, bits // 8) for bits in (8, 16) for method in ("sign", "itq", "iiq")),
    ]
    exact = found["rows"][0]
    assert exact["recall"] == [100, 100] and min(exact["map"]) > 95
    assert all(len(row["us"]) == 2 and 0 < row["recall"][0] <= 100 for row in found["rows"])
    table = capsys.readouterr().out
    assert table == benchmark.markdown(found) + "\n" and "| ITQ | 16 | 2 |" in table
    with pytest.raises(DataError, match="with labels"):
        benchmark.measure(replace(features(), labels=None), features(), [8], 1)


def test_a_sheet_shows_the_images_in_frames(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (4, 3, 24, 30), np.uint8)
    rows = [
        (pixels[0], [(pixels[1], True), (pixels[2], False)]),
        (pixels[3], [(pixels[0], None), (pixels[1], True)]),
    ]
    contact_sheet.save(tmp_path / "s.png", rows)
    with Image.open(tmp_path / "s.png") as picture:
        sheet = np.asarray(picture)
    frame, gap, h, w = contact_sheet.FRAME, contact_sheet.GAP, 2 * 24, 2 * 30
    tile = h + 2 * frame + gap, w + 2 * frame + gap
    assert sheet.shape == (2 * tile[0], 3 * tile[1], 3)
    colours = [sheet[row * tile[0], column * tile[1]].tolist() for row in (0, 1) for column in (0, 1, 2)]
    expected = [contact_sheet.WHITE, contact_sheet.GREEN, contact_sheet.RED]
    expected += [contact_sheet.WHITE, contact_sheet.GREY, contact_sheet.GREEN]
    assert colours == [list(colour) for colour in expected]
    second = sheet[frame : frame + h : 2, tile[1] + frame : tile[1] + frame + w : 2]
    assert np.array_equal(second, pixels[1].transpose(1, 2, 0))


def test_images_are_chosen_from_their_parts():
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    found = contact_sheet.chosen([(pixels[:3], None), (pixels[3:4], None), (pixels[4:], None)], [9, 0, 3, 3])
    assert {position: image.item() for position, image in found.items()} == {0: 0, 3: 3, 9: 9}


def test_a_sheet_that_is_too_large_or_no_picture_is_refused():
    contact_sheet.check(64, 64, 3)
    for queries, count, channels, names in (
        (65, 1, 3, "not 65 with 1"),
        (1, 65, 1, "1 with 65"),
        (1, 1, 2, "1 or 3"),
    ):
        with pytest.raises(ConfigError, match=names):
            contact_sheet.check(queries, count, channels)


def test_a_coder_takes_vectors_of_its_own_length():
    with pytest.raises(DataError, match="vectors have 5 numbers, the codes are of 32"):
        learn(clusters()[0], "itq", 8).codes(np.zeros((2, 5)))
