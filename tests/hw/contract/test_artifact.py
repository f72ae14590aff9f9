"""model.npz: what is written is read; anything else is refused in one sentence."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.contract.artifact import Artifact, LayerWeights, Sparsity, content, load, random_artifact
from hw.contract.network import Conv, Dense, Network, lenet, tiny
from hw.util.errors import ArtifactError, DigestMismatch, Spec2Error

GOLDEN = "4705ae101606fc05c9377f49bce810d3ae5472219230f748542cfb1dff17370f"
"""Digest of :func:`fixed`. A change means that old files no longer load: raise SCHEMA."""


def fixed() -> Artifact:
    """An artifact that depends on no random generator."""
    network = Network("fixed", (1, 8, 8), (Conv("conv", 1, 1, 3), Dense("fc", 36, 2, relu=False)))
    counting = (np.arange(64) - 32).reshape(1, 1, 32, 2).astype(np.int16)
    dense, features = np.zeros_like(counting), network.layers[1].word_index((1, 6, 6))
    dense[0][features] = counting[0][features]
    layers = {
        "conv": LayerWeights(counting, np.array([-5], np.int32), np.array([3], np.uint8)),
        "fc": LayerWeights(
            np.concatenate((dense, -dense)), np.array([1, 2], np.int32), np.array([0, 31], np.uint8)
        ),
    }
    return Artifact(network, layers, 8, {"conv": Sparsity("kernel", 8, 32)}, 0.5, {"seed": 1})


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("artifact") / "model.npz"
    fixed().save(path)
    return path


def rewrite(source: Path, target: Path, *, sign: bool = False, **changes: object) -> Path:
    """Copy an artifact with arrays replaced (or dropped: None) and header fields changed.

    ``sign``: recompute the digest, as another program that knows the format would.
    """
    with np.load(source) as file:
        arrays = {k: file[k] for k in file.files}
    header = json.loads(bytes(arrays.pop("header")))
    for key, value in changes.items():
        where = arrays if "." in key else header
        where[key] = value
        if value is None:
            del where[key]
    if sign:
        header.pop("digest", None)
        header["digest"] = content.digest(header, arrays)
    blob = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(target, header=blob, **arrays)
    return target


# --- what is written is read -------------------------------------------------------------------


@pytest.mark.parametrize("network", [tiny(), lenet()], ids=lambda n: n.name)
@pytest.mark.parametrize("kind", ["dense", "kernel", "adaptive"])
def test_round_trip(network, kind, tmp_path):
    before = random_artifact(network, seed=7, kind=kind, weight_bits=12)
    digest = before.save(tmp_path / "new" / "folder" / "model.npz")
    after = load(tmp_path / "new" / "folder" / "model.npz")
    assert digest == before.digest == after.digest
    assert (after.network, after.weight_bits, after.score_scale) == (network, 12, before.score_scale)
    assert after.sparsity == before.sparsity and after.provenance == before.provenance
    for name, weights in before.layers.items():
        for field in ("weight", "bias", "shift"):
            one, other = getattr(weights, field), getattr(after.layers[name], field)
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_digest_is_stable():
    assert fixed().digest == GOLDEN


def test_digest_ignores_memory_layout_and_dtype_of_the_arrays():
    a = fixed()
    conv = a.layers["conv"]
    wide = LayerWeights(np.asfortranarray(conv.weight.astype(">i8")), conv.bias.astype(np.int64), conv.shift)
    assert replace(a, layers={**a.layers, "conv": wide}).digest == a.digest


def test_digest_depends_on_everything():
    a = fixed()
    weight = a.layers["conv"].weight.copy()
    weight[0, 0, 31, 1] ^= 1
    others = [
        replace(a, layers={**a.layers, "conv": replace(a.layers["conv"], weight=weight)}),
        replace(a, layers={**a.layers, "fc": replace(a.layers["fc"], bias=np.array([2, 1], np.int32))}),
        replace(a, layers={**a.layers, "fc": replace(a.layers["fc"], shift=np.array([1, 31], np.uint8))}),
        replace(a, network=replace(a.network, name="other")),
        replace(a, weight_bits=9),
        replace(a, sparsity={}),
        replace(a, score_scale=0.25),
        replace(a, provenance={"seed": 2}),
        replace(a, layer_bits={"conv": 7}),
    ]
    assert len({a.digest, *(other.digest for other in others)}) == 10


def test_saving_twice_replaces_the_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "model.npz"
    random_artifact(tiny()).save(path)
    digest = fixed().save(path)
    assert load(path).digest == digest
    assert list(tmp_path.iterdir()) == [path]


def test_mask_marks_words_with_any_part():
    weight = np.zeros((1, 1, 32, 2), np.int16)
    weight[0, 0, 3, 0], weight[0, 0, 4, 1] = 1, -1
    mask = LayerWeights(weight, np.zeros(1, np.int32), np.zeros(1, np.uint8)).mask
    assert np.flatnonzero(mask).tolist() == [3, 4]


def test_random_biases_stay_in_their_field():
    """A shift of 20 takes some of them beyond 2**31, where they stay at the limit and do not wrap."""
    network = Network("wide", (1024, 1, 1), (Conv("conv", 1024, 40, 1),))
    weights = random_artifact(network, kind="dense", weight_bits=16).layers["conv"]
    assert weights.shift.max() == 20
    multiples = weights.bias % (1 << weights.shift.astype(np.int64)) == 0
    assert set(weights.bias[~multiples].tolist()) == {2**31 - 1}


# --- everything else is refused ----------------------------------------------------------------


@given(position=st.integers(0), bits=st.integers(1, 255))
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_never_gives_another_artifact(position, bits, saved, tmp_path):
    """Either an ArtifactError, or (bytes that carry nothing, such as time stamps) the same artifact."""
    content = bytearray(saved.read_bytes())
    content[position % len(content)] ^= bits
    damaged = tmp_path / "model.npz"
    damaged.write_bytes(content)
    try:
        assert load(damaged).digest == GOLDEN
    except ArtifactError as error:
        assert str(damaged) in str(error)


@pytest.mark.parametrize(
    "field, value, sentence",
    [
        ("weight", 1 << 16, "conv.weight reaches 65536, more than 8 signed bits hold"),
        ("bias", 1 << 32, "conv.bias exceeds 32 bits"),
        ("bias", -(1 << 31) - 1, "conv.bias exceeds 32 bits"),
        ("shift", 256, r"conv.shift is \d+..256, the drain shifts by 0..31"),
    ],
)
def test_numbers_are_checked_before_they_are_narrowed(field, value, sentence):
    """Each of them is harmless in the type of the file: a multiple of what it holds, or nearly one."""
    conv = fixed().layers["conv"]
    wide = getattr(conv, field).astype(np.int64)
    wide.flat[0] = value
    with pytest.raises(ArtifactError, match=sentence):
        replace(fixed(), layers={**fixed().layers, "conv": replace(conv, **{field: wide})})


@given(length=st.integers(0))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_file_is_refused(length, saved, tmp_path):
    content = saved.read_bytes()
    cut = tmp_path / "model.npz"
    cut.write_bytes(content[: length % len(content)])
    with pytest.raises(ArtifactError, match=r"model\.npz"):
        load(cut)


def test_a_missing_file_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(ArtifactError, match=r"no artifact at .*none\.npz: make one with 'spec2 prune'"):
        load(tmp_path / "none.npz")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="cannot read"):
        load(tmp_path)


def as_npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def as_npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def as_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a text file\n",
        as_npy(),
        as_zip(),
        as_npz(x=np.zeros(3)),
        as_npz(header=np.frombuffer(b"{not json", np.uint8)),
        as_npz(header=np.frombuffer(b"[1, 2]", np.uint8)),
        as_npz(header=np.array({"schema": 1}, dtype=object)),  # would need a pickle
    ],
    ids=["empty", "text", "npy", "zip", "foreign npz", "no json", "json list", "pickle"],
)
def test_foreign_files_are_refused(content, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.npz"):
        load(path)


@pytest.mark.parametrize("schema", [0, 4, "1", None])
def test_another_schema_is_refused_before_anything_else(schema, saved, tmp_path):
    path = rewrite(saved, tmp_path / "model.npz", schema=schema, sign=True)
    with pytest.raises(ArtifactError, match=rf"schema {schema!r}, this version reads 1 to 3: prune again"):
        load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"conv.bias": np.array([-4], np.int32)},
        {"conv.bias": np.array([-5], np.int64)},
        {"fc.shift": None},
        {"extra.weight": np.zeros(1)},
        {"score_scale": 0.51},
        {"digest": None},
        {"digest": "0" * 64},
    ],
    ids=str,
)
def test_an_edited_file_is_refused(changes, saved, tmp_path):
    with pytest.raises(DigestMismatch, match="damaged or edited"):
        load(rewrite(saved, tmp_path / "model.npz", **changes))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"fc.shift": None}, "incomplete artifact.*fc.shift"),
        ({"sparsity": None}, "incomplete artifact.*sparsity"),
        ({"sparsity": {"conv": {"sort": "kernel"}}}, "incomplete artifact.*sort"),
        ({"network": []}, "incomplete artifact"),
        ({"network": {"name": "n", "input": [1, 8, 8], "layers": []}}, "has no layers"),
        ({"weight_bits": "8"}, "artifact|weight_bits"),
        ({"layer_bits": ["conv"]}, "incomplete artifact"),
        ({"layer_bits": {"conv": "7"}}, "incomplete artifact"),
        ({"conv.weight": np.zeros((1, 1, 31, 2), np.int16)}, r"conv.weight is \(1, 1, 31, 2\)"),
        ({"fc.bias": np.zeros(3, np.int32)}, r"fc.bias is \(3,\), the network needs \(2,\)"),
    ],
    ids=str,
)
def test_a_signed_file_with_wrong_content_is_refused(changes, message, saved, tmp_path):
    with pytest.raises(Spec2Error, match=message):
        load(rewrite(saved, tmp_path / "model.npz", sign=True, **changes))


def header(**changes: object) -> dict[str, object]:
    """Fields of the header with a part of them changed: ``network__layers__0__relu=0.5``."""
    found = json.loads(json.dumps(fixed()._header()))
    for path, value in changes.items():
        *way, last = (int(key) if key.isdigit() else key for key in path.split("__"))
        place = found
        for key in way:
            place = place[key]
        place[last] = value
    return found


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"network__layers__0__relu": 0.5}, "layer 'conv': relu: expected bool, got float: 0.5"),
        ({"network__layers__0__relu": "false"}, "relu: expected bool, got str"),
        ({"network__layers__0__kernel": 3.0}, "kernel: expected int, got float"),
        ({"network__layers__0__padding": -1}, "padding -1 must be"),
        ({"network__layers__1__out_features": 10**30}, "feature counts must be at most"),
        ({"network__input": [1, 8, 1 << 30]}, "input is 1×8×1073741824"),
        ({"weight_bits": 8.0}, "weight_bits: expected int, got float"),
        ({"weight_bits": True}, "weight_bits: expected int, got bool"),
        ({"score_scale": "1"}, "score_scale: expected float"),
        ({"score_scale": 0}, "score_scale must be above 0"),
        ({"score_scale": -1.5}, "score_scale must be above 0"),
        ({"layer_bits": {"conv": 7.5}}, "layer_bits"),
        ({"sparsity__conv__keep": "8"}, "sparsity of 'conv': keep: expected float"),
        ({"sparsity__conv__group": -32}, "0 or more"),
        ({"sparsity__conv__kind": None}, "sparsity of 'conv': kind: expected str"),
        ({"sparsity": {"conv": []}}, "sparsity"),
        ({"provenance": []}, "provenance: expected object"),
        ({"provenance": {"accuracy": 5}}, "provenance: accuracy: expected object"),
        ({"provenance": {"accuracy": {"dense": "99"}}}, "provenance: accuracy"),
        ({"provenance": {"seconds": "1"}}, "provenance: seconds"),
        ({"provenance": {"pruned_from": {}}}, "network"),
        ({"provenance": {"pruned_from": tiny().to_json()}}, "has other layers"),
        ({"digest_of": 5}, "unknown field digest_of"),
    ],
    ids=str,
)
def test_a_signed_file_with_a_wrong_type_is_refused(changes, message, saved, tmp_path):
    """With a right digest, as another program would write it: what is not checked here is computed with."""
    path = rewrite(saved, tmp_path / "model.npz", sign=True, **header(**changes))
    with pytest.raises(Spec2Error, match=message):
        load(path)


@pytest.mark.parametrize("array", ["weight", "bias", "shift"])
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float32, np.bool_])
def test_a_signed_file_holds_the_types_that_files_hold(array, dtype, saved, tmp_path):
    """Other ones would load and be written with another digest."""
    value = getattr(fixed().layers["conv"], array).astype(dtype)
    with pytest.raises(ArtifactError, match=rf"conv\.{array} holds .*, files hold"):
        load(rewrite(saved, tmp_path / "model.npz", sign=True, **{f"conv.{array}": value}))


def test_numbers_of_a_header_keep_their_text(tmp_path):
    """8 and 8.0 are the same number, in two digests."""
    before = replace(fixed(), score_scale=1, sparsity={"conv": Sparsity("kernel", 8.0, 32)})
    digest = before.save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").digest == digest


def test_a_provenance_that_is_no_json_is_refused_when_it_is_written(tmp_path):
    for value in (float("nan"), object()):
        with pytest.raises(ArtifactError, match="provenance is no JSON"):
            replace(fixed(), provenance={"loss": value}).save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("weight", np.full((1, 1, 32, 2), 128), "conv.weight reaches 128, more than 8 signed bits"),
        ("weight", np.full((1, 1, 32, 2), -129), "conv.weight reaches 129"),
        ("bias", np.array([1 << 31]), "conv.bias exceeds 32 bits"),
        ("shift", np.array([32], np.uint8), "conv.shift is 32..32, the drain shifts by 0..31"),
        ("shift", np.array([1, 1], np.uint8), r"conv.shift is \(2,\)"),
    ],
)
def test_values_the_hardware_does_not_hold_are_refused(field, value, message):
    a = fixed()
    with pytest.raises(ArtifactError, match=message):
        replace(a, layers={**a.layers, "conv": replace(a.layers["conv"], **{field: value})})


def test_a_layer_without_weights_is_refused():
    a = fixed()
    with pytest.raises(ArtifactError, match="layer 'fc' has no weights"):
        replace(a, layers={"conv": a.layers["conv"]})


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"cannot write .*model\.npz"):
        fixed().save(tmp_path / "file" / "model.npz")
    with pytest.raises(ArtifactError, match="cannot write"):
        fixed().save(tmp_path)


# --- random_artifact ---------------------------------------------------------------------------


def test_random_artifacts_repeat_with_their_seed():
    assert random_artifact(tiny(), seed=3).digest == random_artifact(tiny(), seed=3).digest
    assert random_artifact(tiny(), seed=3).digest != random_artifact(tiny(), seed=4).digest


def test_kernel_sparsity_keeps_the_same_number_of_words_everywhere():
    layer = random_artifact(lenet(), kind="kernel", density=0.25).layers["conv2"]
    kept = layer.mask.sum(axis=-1)
    assert kept.max() == 8 and kept.mean() > 7.99  # a random weight may itself be zero


def test_adaptive_sparsity_has_the_density_on_average():
    layer = random_artifact(lenet(), kind="adaptive", density=0.25).layers["conv2"]
    assert 0.2 < layer.mask.mean() < 0.3


def test_an_unknown_kind_is_refused():
    with pytest.raises(ArtifactError, match="unknown kind 'blocks': dense, kernel or adaptive"):
        random_artifact(tiny(), kind="blocks")


@pytest.mark.parametrize("bits", [0, 1, 17])
def test_weight_widths_that_files_cannot_hold_are_refused(bits):
    with pytest.raises(ArtifactError, match=rf"weight_bits must be 2\.\.16, not {bits}"):
        replace(fixed(), weight_bits=bits)


def test_layers_may_be_narrower_than_the_array(tmp_path):
    before = random_artifact(tiny(), weight_bits=8, layer_bits={"conv1": 4})
    before.save(tmp_path / "model.npz")
    after = load(tmp_path / "model.npz")
    assert (after.bits_of("conv1"), after.bits_of("fc1"), after.weight_bits) == (4, 8, 8)
    assert np.abs(after.layers["conv1"].weight).max() == 7 and after.digest == before.digest


@pytest.mark.parametrize(
    "layer_bits, message",
    [
        ({"conf": 4}, "layer_bits names 'conf', which is no layer"),
        ({"conv1": 1}, r"layer_bits of 'conv1' must be 2\.\.8, not 1"),
        ({"conv1": 9}, r"layer_bits of 'conv1' must be 2\.\.8, not 9"),
        ({"conv1": 4}, "more than 4 signed bits hold"),
    ],
)
def test_widths_of_no_use_are_refused(layer_bits, message):
    with pytest.raises(ArtifactError, match=message):
        replace(random_artifact(tiny()), layer_bits=layer_bits)


def test_weights_without_an_input_feature_are_refused():
    artifact = fixed()
    artifact.layers["fc"].weight[0, 0, 31] = 1  # row 7 of a 6×6 map
    with pytest.raises(ArtifactError, match=r"fc\.weight is not zero where the layer has no input"):
        replace(artifact)


def test_float_weights_are_refused():
    layers = dict(fixed().layers)
    layers["conv"] = replace(layers["conv"], weight=layers["conv"].weight.astype(float))
    with pytest.raises(ArtifactError, match=r"conv\.weight holds float64, not integers"):
        replace(fixed(), layers=layers)
