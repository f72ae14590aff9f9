"""Networks as graphs: what layers read, every refusal with its sentence, and files of chains as ever."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hw.contract import zoo
from hw.contract.artifact import load, random_artifact
from hw.contract.artifact.content import schema_of
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.instructions import instructions_of
from hw.contract.narrow import check_spectrum_bits
from hw.contract.network import IMAGES, Conv, Dense, Network, lenet, tiny
from hw.util.errors import ArtifactError, DataError, UnsupportedNetwork
from tests.hw.contract.test_artifact import rewrite


def conv(name: str, cin: int, out: int, kernel: int = 3, **more: object) -> Conv:
    return Conv(name, cin, out, kernel, **{"padding": kernel // 2, **more})  # type: ignore[arg-type]


def net(*layers: Conv | Dense, shape: tuple[int, int, int] = (2, 8, 8)) -> Network:
    return Network("net", shape, layers)


def residual() -> Network:
    """A branch, an addition of the map before it, a concatenation, a stride and class scores."""
    return net(
        conv("stem", 2, 3),
        conv("branch", 3, 5, relu=False),
        conv("sum", 5 + 3, 3, sources=("branch", "stem"), added=True),
        conv("half", 3 + 2, 4, sources=("sum", IMAGES), stride=2, end_padding=0),
        Dense("scores", 4 * 4 * 4, 3, relu=False),
    )


def test_layers_read_the_maps_that_they_name():
    network = residual()
    assert network.sources == ((0,), (1,), (2, 1), (3, 0), (4,))
    assert network.maps == ((2, 8, 8), (3, 8, 8), (5, 8, 8), (3, 8, 8), (4, 4, 4), (1, 8, 8))
    assert network.inputs == ((2, 8, 8), (3, 8, 8), (8, 8, 8), (5, 8, 8), (4, 4, 4))
    assert [network.readers(number) for number in range(6)] == [[0, 3], [1, 2], [2], [3], [4], []]
    assert [network.signed(number) for number in range(6)] == [False, False, True, False, False, True]
    assert not network.chain and not network.plain and network.classes == 3


def test_a_source_that_is_the_layer_before_is_a_chain_in_longer_words():
    named = net(conv("a", 2, 3), conv("b", 3, 3, sources=("a",)))
    assert named.chain and not named.plain and named.sources == ((0,), (1,))
    assert net(conv("a", 2, 3, sources=(IMAGES,))).chain
    assert not net(conv("a", 2, 3, sources=(IMAGES, IMAGES)), shape=(1, 8, 8)).chain


def test_a_constant_channel_is_one_more_for_whoever_reads_the_images():
    """Spread like the others; files without one stay what they were."""
    layers = (conv("stem", 4, 3), conv("beside", 3 + 4, 2, sources=("stem", IMAGES)))
    network = Network("net", (3, 8, 8), layers, constant=True)
    assert network.input == (3, 8, 8) and network.maps[0] == (4, 8, 8) and network.inputs[1] == (7, 8, 8)
    assert network.constant_channels == (3,)
    assert [network.constant_inputs(i) for i in range(2)] == [(3,), (6,)]
    apart = Network("net", (3, 7, 8), (conv("stem", 16, 3),), spread=2, constant=True)
    assert apart.maps[0] == (16, 4, 4) and apart.constant_channels == (12, 13, 14, 15)
    for made in (network, apart):
        assert not made.plain and Network.from_json(json.loads(json.dumps(made.to_json()))) == made
        assert schema_of(made, 16) == 3
    with pytest.raises(UnsupportedNetwork, match="takes 4 channels but gets 3"):
        replace(network, constant=False)
    assert "constant" not in residual().to_json() and residual().constant_channels == ()


def test_a_leaky_relu_is_a_sign_and_a_field_of_later_files():
    layers = conv("a", 2, 3, leak=3), Dense("b", 192, 5, leak=7), Dense("c", 5, 2, relu=False)
    leaky = net(*layers)
    assert [leaky.signed(number) for number in range(4)] == [False, True, True, True] and not leaky.plain
    data = leaky.to_json()
    assert [layer.get("leak") for layer in data["layers"]] == [3, 7, None]
    assert Network.from_json(json.loads(json.dumps(data))) == leaky
    without = net(*(replace(layer, leak=0) for layer in layers))
    assert without.plain and [without.signed(number) for number in (1, 2)] == [False, False]
    assert schema_of(leaky, 16) > schema_of(without, 16)


def test_operations_do_not_count_what_is_added():
    sum_, whole = residual().layers[2], residual()
    assert (sum_.inputs, sum_.convolved) == (8, 5)
    assert sum_.operations((8, 8, 8)) == 2 * 64 * 9 * 5 * 3
    half = 2 * 16 * 9 * 5 * 4  # of a stride, the outputs that are kept
    others = 2 * 64 * 9 * (2 * 3 + 3 * 5) + 2 * 64 * 3
    assert whole.operations == 2 * 64 * 9 * 5 * 3 + half + others


# --- files ---------------------------------------------------------------------------------------------


def test_graphs_are_read_as_they_were_written():
    network = residual()
    assert Network.from_json(json.loads(json.dumps(network.to_json()))) == network
    written = network.to_json()["layers"]
    assert written[2]["sources"] == ["branch", "stem"] and written[2]["added"] is True
    assert written[3]["stride"] == 2 and written[3]["end_padding"] == 0
    assert set(written[0]) == set(tiny().to_json()["layers"][0]), "a plain layer has no later fields"


@pytest.mark.parametrize("network", [lenet(), tiny()], ids=lambda network: network.name)
def test_chains_are_written_as_ever(network):
    assert network.chain and network.plain
    for layer in network.to_json()["layers"]:
        old = {"conv": "name in_channels out_channels kernel padding relu pool", "dense": ""}
        names = old[layer["type"]] or "name in_features out_features relu"
        assert list(layer) == ["type", *names.split()]


def test_models_from_before_keep_their_digests():
    for card in zoo.cards():
        found = zoo.artifact(card)
        assert found.digest == card.digest and found.network.plain == (card.network != "resnet20")


def test_only_networks_with_later_fields_have_the_later_schema():
    assert [schema_of(tiny(), bits) for bits in (16, 11)] == [1, 2]
    assert [schema_of(residual(), bits) for bits in (16, 11)] == [3, 3]
    for later in ({"stride": 2}, {"end_padding": 0}, {"sources": ("stem",)}):
        changed = net(conv("stem", 2, 3), conv("b", 3, 3, **later))
        assert schema_of(changed, 16) == 3, later
    # As many zeros behind the map as before it, said or not, is one network in two files.
    assert schema_of(net(conv("stem", 2, 3, end_padding=1)), 16) == 3


@pytest.mark.parametrize("value", [0, 3, "2", None, True, 1.0])
def test_strides_of_files_are_checked(value):
    data = residual().to_json()
    data["layers"][3]["stride"] = value
    with pytest.raises(UnsupportedNetwork, match=r"layer 'half'.*stride"):
        Network.from_json(data)


@pytest.mark.parametrize("value", ["stem", [1], [None], None, {"a": 1}, 5])
def test_sources_of_files_are_lists_of_names(value):
    data = residual().to_json()
    data["layers"][2]["sources"] = value
    with pytest.raises(UnsupportedNetwork, match=r"layer 'sum'.*sources"):
        Network.from_json(data)


# --- refusals ------------------------------------------------------------------------------------------

STEM = conv("stem", 2, 3)

REFUSALS: list[tuple[Callable[[], object], str]] = [
    (lambda: net(STEM, conv("b", 3, 3, sources=("stam",))), "'b': its source 'stam' is no layer in front"),
    (lambda: net(STEM, conv("b", 3, 3, sources=("c",)), conv("c", 3, 3)), "'b': its source 'c' is no"),
    (lambda: net(STEM, conv("b", 3, 3, sources=("b",))), "'b': its source 'b' is no layer in front of it"),
    (lambda: net(STEM, conv("b", 2, 3, sources=(IMAGES,))), "'stem': no other layer reads what it makes"),
    (
        lambda: net(STEM, conv("b", 3, 3, pool=2), conv("c", 6, 3, sources=("stem", "b"))),
        "layer 'c' reads maps of different sizes at once: 4×4 and 8×8 pixels",
    ),
    (lambda: net(STEM, conv("b", 4, 3, sources=("stem", IMAGES))), "layer 'b' takes 4 channels but gets 5"),
    (
        lambda: net(STEM, conv("b", 5, 2, sources=(IMAGES, "stem"), added=True)),
        "layer 'b': to 2 output channels a map of 3 cannot be added",
    ),
    (
        lambda: net(STEM, conv("b", 5, 2, sources=("stem", IMAGES), added=True, padding=0)),
        "layer 'b': to outputs of 6×6 pixels a map of 8×8 cannot be added",
    ),
    (lambda: conv("b", 5, 2, added=True), "layer 'b': a map is added to the outputs of stride 1 without"),
    (lambda: conv("b", 2, 2, added=True, sources=("a",)), "'b': a map is added .* after what is convolved"),
    (lambda: conv("b", 5, 2, added=True, sources=("a", "c"), pool=2), "'b': a map is added to the outputs"),
    (lambda: conv("b", 5, 2, added=True, sources=("a", "c"), stride=2), "'b': a map is added to the outputs"),
    (lambda: conv("b", 5, 2, stride=3), "layer 'b': stride must be 1 or 2, not 3"),
    (lambda: conv("b", 5, 2, stride=2, pool=2), "layer 'b': stride 2 and pooling in one layer"),
    (lambda: conv("b", 5, 2, end_padding=3), r"layer 'b': padding 3 must be 0\.\.2 for a 3×3 kernel"),
    (lambda: conv("b", 5, 2, end_padding=-1), r"layer 'b': padding -1 must be 0\.\.2"),
    (
        lambda: net(Dense("fc", 128, 9), conv("b", 3, 3, sources=("fc", IMAGES))),
        "layer 'b': a convolution cannot follow the fully connected layer 'fc'",
    ),
    (
        lambda: net(Dense("fc", 128, 64), Dense("b", 192, 4, relu=False, sources=("fc", IMAGES))),
        "layer 'b': the outputs of the fully connected layer 'fc' are not joined with others",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSALS, ids=lambda x: x[:40] if isinstance(x, str) else "")
def test_refusals_say_what_and_why(make, message):
    with pytest.raises(UnsupportedNetwork, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_where_layers_name_sources_none_has_the_name_of_the_images():
    """A source of that name would be two maps. A chain from before may have such a layer."""
    with pytest.raises(UnsupportedNetwork, match=f"layer {IMAGES!r}: sources call the network's input so"):
        net(conv(IMAGES, 2, 3), conv("b", 3, 3, sources=(IMAGES,)))
    assert net(conv(IMAGES, 2, 3), conv("b", 3, 3)).chain


# --- artifacts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [16, 11])
def test_artifacts_of_graphs_are_read_as_they_were_written(bits, tmp_path):
    before = random_artifact(residual(), seed=3, spectrum_bits=bits)
    digest = before.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        assert b'"schema": 3' in bytes(file["header"])
    after = load(tmp_path / "model.npz")
    assert (after.network, after.digest, after.spectrum_bits) == (residual(), digest, bits)
    for name, weights in before.layers.items():
        np.testing.assert_array_equal(after.layers[name].weight, weights.weight)
        np.testing.assert_array_equal(after.layers[name].word_shift, weights.word_shift)
    assert after.layers["sum"].weight.shape == (3, 8, 32, 2), "what is added has weights, too"


def test_designs_of_graphs_are_described_as_they_are():
    info = DesignInfo("spec2", residual(), AcceleratorConfig(), "ab" * 32, numbers=tuple(range(5)))
    found = DesignInfo.from_json(json.loads(json.dumps(info.to_json())))
    assert found.network == residual() and found.network.sources == residual().sources


def test_a_schema_that_is_not_the_networks_is_refused(tmp_path):
    """A chain of schema 3 and a graph of an older one: two digests for one network."""
    path, other = tmp_path / "model.npz", tmp_path / "other.npz"
    random_artifact(residual(), seed=3).save(path)
    for schema in (1, 2):
        with pytest.raises(ArtifactError, match=f"of 16 bits, is none of schema {schema}: prune again"):
            load(rewrite(path, other, sign=True, schema=schema))
    with pytest.raises(ArtifactError, match="has schema 4, this version reads 1 to 3: prune again"):
        load(rewrite(path, other, sign=True, schema=4))
    random_artifact(tiny(), spectrum_bits=11).save(path)
    with pytest.raises(ArtifactError, match="of 11 bits, is none of schema 3: prune again"):
        load(rewrite(path, other, sign=True, schema=3))


def test_weights_of_narrow_spectra_fit_what_layers_read_not_the_layer_before():
    """A fully connected layer takes no unsigned pixels at 8 bits, whichever layer makes them."""
    signed = conv("signed", 2, 3, relu=False)
    unsigned = conv("unsigned", 3, 3)

    def heads(*sources: str) -> Network:
        features = 3 * 64 * len(sources)
        last = Dense("scores", features, 4, relu=False, sources=sources)
        return net(signed, unsigned, conv("again", 6, 3, sources=("signed", "unsigned"), relu=False), last)

    check_spectrum_bits(8, heads("again"), ArtifactError)
    check_spectrum_bits(8, heads("again", "signed"), ArtifactError)
    with pytest.raises(ArtifactError, match="9 or more, not 8: the fully connected layer 'scores'"):
        check_spectrum_bits(8, heads("again", "unsigned"), ArtifactError)


# --- parts of a network --------------------------------------------------------------------------------


def test_a_part_of_a_graph_needs_all_that_its_layers_read():
    network = residual()
    count = len(network.layers)
    numbers = range(count)
    assert instructions_of(network, numbers, None) == (0, count - 1)
    for alone in numbers:  # what one layer reads is given as one map
        assert instructions_of(network, numbers, (alone, alone)) == (alone, alone)
    assert instructions_of(network, numbers, (1, 2)) == (1, 2), "the map that is added is given, too"
    assert instructions_of(network, numbers, (3, 4)) == (3, 4)
    for part, layer in (((2, 3), 3), ((1, 3), 3)):
        message = f"layers {part[0]} to {part[1]} are no run of their own: layer {layer} also reads"
        with pytest.raises(DataError, match=message):
            instructions_of(network, numbers, part)


def test_a_part_may_read_a_given_map_again_and_no_map_of_its_own_future():
    """Numbers of maps and of layers differ by one: map i + 1 is the one of layer i."""
    network = net(
        conv("a", 2, 3),
        conv("b", 3, 3),
        conv("c", 3, 3),
        conv("d", 6, 3, sources=("a", "c")),
        conv("e", 6, 3, sources=("b", "d")),
    )
    numbers = range(5)
    assert instructions_of(network, numbers, (1, 3)) == (1, 3)
    assert instructions_of(network, numbers, (0, 4)) == (0, 4)
    for part in ((1, 4), (2, 3), (3, 4), (2, 4)):
        accepted = part == (1, 4)
        if accepted:
            assert instructions_of(network, numbers, part) == part
            continue
        with pytest.raises(DataError, match="no run of their own"):
            instructions_of(network, numbers, part)
    assert replace(network, name="other").sources == network.sources
