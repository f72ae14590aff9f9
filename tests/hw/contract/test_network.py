"""Shape propagation, the tile grid, and every refusal with its sentence."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.contract.network import Conv, Dense, Network, lenet, tiny, vgg16, vgg16_cifar
from hw.util.errors import Spec2Error, UnsupportedNetwork


@given(st.integers(1, 7), st.integers(1, 2), st.data())
def test_the_grid_is_just_enough_tiles(kernel, pool, data):
    padding = data.draw(st.integers(0, kernel - 1))
    layer = Conv("conv", 1, 1, kernel, padding, pool=pool)
    height = data.draw(st.integers(max(1, kernel + pool - 1 - 2 * padding), 60))
    _, rows, _ = layer.output((1, height, height))
    tiles, _ = layer.tiles((1, height, height))
    kept = rows * pool
    assert kept in (layer.conv_size(height), layer.conv_size(height) - 1)
    assert (tiles - 1) * layer.tile_stride < kept <= tiles * layer.tile_stride
    assert layer.tile_stride % pool == 0 and layer.tile_stride + kernel - 1 <= 8


@pytest.mark.parametrize(
    "kernel, pool, stride", [(1, 1, 8), (3, 1, 6), (3, 2, 6), (4, 1, 5), (4, 2, 4), (7, 2, 2)]
)
def test_stride_drops_wrapped_outputs_and_keeps_pooling_windows_whole(kernel, pool, stride):
    assert Conv("conv", 1, 1, kernel, pool=pool).tile_stride == stride


def test_lenet_is_the_papers():
    network = lenet()
    assert network.maps == ((1, 28, 28), (20, 12, 12), (50, 4, 4), (8, 8, 8), (1, 8, 8))
    assert network.operations == 2 * 2_293_000
    assert network.classes == 10


def test_odd_maps_lose_their_last_row_when_pooled():
    assert Conv("conv", 2, 9, 3, padding=1, pool=2).output((2, 9, 11)) == (9, 4, 5)


def test_a_network_that_ends_in_a_map_has_no_classes():
    assert Network("map", (1, 8, 8), (Conv("conv", 1, 2, 3),)).classes is None


def test_dense_takes_a_map_pixel_by_pixel():
    layer = Dense("fc", 2 * 3 * 5, 4, relu=False)
    channel, word, part = layer.word_index((2, 3, 5))
    places = list(zip(channel, word, part, strict=True))
    assert len(set(places)) == 30
    assert places[0] == (0, 0, 0) and places[1] == (0, 0, 1)
    assert places[5] == (0, 4, 0), "row 1 starts at word 4"
    assert places[29] == (1, 10, 0), "channel 1, pixel (2, 4)"
    assert layer.weight_shape((2, 3, 5)) == (4, 2, 32, 2)


def test_dense_takes_a_vector_laid_out_as_8x8_channels():
    layer = Dense("fc", 70, 5)
    channel, word, part = layer.word_index((2, 8, 8))
    assert (channel[63], word[63], part[63]) == (0, 31, 1)
    assert (channel[69], word[69], part[69]) == (1, 2, 1)
    assert layer.output((2, 8, 8)) == (1, 8, 8)
    assert Dense("fc", 70, 65).output((2, 8, 8)) == (2, 8, 8)


def test_layers_answer_the_same_questions():
    conv, dense = Conv("conv", 3, 4, 5, padding=2, pool=2), Dense("fc", 30, 7)
    asked = "inputs", "outputs", "kernel", "padding", "pool", "step", "tile_stride", "added", "dot"
    assert [getattr(conv, name) for name in asked] == [3, 4, 5, 2, 2, 2, 4, False, False]
    assert [getattr(dense, name) for name in asked] == [30, 7, 1, 0, 1, 1, 1, False, True]


def test_weights_lie_where_an_input_feature_is():
    """A row of five pixels takes two words and the real part of a third."""
    assert Conv("conv", 2, 9, 3).used_parts((2, 9, 9)).sum() == 2 * 64
    used = Dense("fc", 2 * 3 * 5, 4).used_parts((2, 3, 5))
    assert used.shape == (2, 32, 2) and used.sum() == 30
    assert used[1, 8].tolist() == [True, True] and used[1, 10].tolist() == [True, False]


def test_operations_count_the_spatial_convolution():
    assert Conv("conv", 3, 4, 3, padding=1, pool=2).operations((3, 9, 9)) == 2 * 81 * 9 * 12
    assert Dense("fc", 30, 4).operations((2, 3, 5)) == 240


@pytest.mark.parametrize("network", [lenet(), tiny()], ids=lambda n: n.name)
def test_json_round_trip(network):
    assert Network.from_json(json.loads(json.dumps(network.to_json()))) == network


def conv(**changes: object) -> Conv:
    return Conv(**{"name": "conv", "in_channels": 1, "out_channels": 1, "kernel": 3, **changes})  # type: ignore[arg-type]


def net(*layers: Conv | Dense, shape: tuple[int, int, int] = (1, 8, 8)) -> Network:
    return Network("net", shape, layers)


REFUSALS: list[tuple[Callable[[], object], str]] = [
    (lambda: conv(kernel=8), "layer 'conv': kernel 8×8 is not supported.*1×1 to 7×7: split it"),
    (lambda: conv(kernel=0), "kernel 0×0 is not supported"),
    (lambda: conv(pool=3), "layer 'conv': pooling 3×3 with stride 3 is not supported, only 2×2 .* and 3×3"),
    (lambda: conv(pool=2, pool_padding=2), "reaches beyond the map by at most 1, not 2"),
    (lambda: conv(stride=2, pool=2), "stride 2 and pooling in one layer are not supported"),
    (
        lambda: conv(kernel=7, padding=3, pool=2, pool_size=3),
        "layer 'conv': pooling of 3×3 pixels does not fit beside a 7×7 kernel into a tile of 8×8",
    ),
    (lambda: conv(groups=2), "1 input and 1 output channels are no 2 groups of the same size"),
    (lambda: conv(clip=6.0, relu=False), "clip 6 must be above 0, after a ReLU"),
    (lambda: Dense("fc", 1, 1, relu=False, clip=6.0), "layer 'fc': clip 6 must be above 0, after a ReLU"),
    (
        lambda: conv(leak=8),
        "layer 'conv': leak 8 must be 1 to 7, for a slope of 1/2 to 1/128 below zero, or 0",
    ),
    (lambda: conv(leak=-1), "leak -1 must be"),
    (lambda: Dense("fc", 1, 1, leak=8), "layer 'fc': leak 8 must be"),
    (lambda: conv(leak=3, relu=False), "layer 'conv': leak is the slope of a leaky ReLU: set relu"),
    (lambda: conv(leak=3, clip=6.0), "clip and a leaky ReLU in one layer"),
    (lambda: conv(average=True), "an average has a kernel of 8×8"),
    (lambda: conv(padding=3), r"layer 'conv': padding 3 must be 0\.\.2 for a 3×3 kernel"),
    (lambda: conv(padding=-1), "padding -1"),
    (lambda: conv(in_channels=0), "channel counts must be at least 1"),
    (lambda: conv(out_channels=0), "channel counts must be at least 1"),
    (lambda: Dense("fc", 0, 1), "layer 'fc': feature counts"),
    (lambda: Dense("fc", 1, 0), "layer 'fc': feature counts"),
    (lambda: net(), "network 'net' has no layers"),
    (lambda: net(conv(), conv()), r"names repeat: \['conv', 'conv'\]"),
    (lambda: net(conv(in_channels=2)), "layer 'conv' takes 2 channels but gets 1"),
    (lambda: net(conv(kernel=7), shape=(1, 6, 8)), "a 6×8 input leaves no output pixel"),
    (lambda: net(conv(pool=2), shape=(1, 3, 8)), "a 3×8 input leaves no output pixel"),
    (lambda: net(Dense("fc", 80, 2, relu=False), shape=(1, 9, 9)), "takes 80 features but gets a 1×9×9"),
    (lambda: net(Dense("fc", 63, 2, relu=False), shape=(2, 5, 5)), "takes 63 features but gets a 2×5×5"),
    (lambda: net(Dense("fc", 64, 2, relu=False), shape=(2, 8, 8)), "takes 64 features but gets a 2×8×8"),
    (
        lambda: net(Dense("fc", 64, 64, relu=False), conv()),
        "layer 'conv': a convolution cannot follow the fully connected layer 'fc'",
    ),
    (lambda: net(Dense("fc", 64, 2, leak=3)), "layer 'fc': the last fully connected layer"),
    (lambda: net(Dense("fc", 64, 2)), "layer 'fc': the last fully connected layer .* set relu to false"),
    (
        lambda: Network.from_json(
            {"name": "n", "input": [1, 8, 8], "layers": [{"type": "lstm", "name": "a"}]}
        ),
        "layer 'a': unknown type 'lstm', known are conv and dense",
    ),
    (
        lambda: Network.from_json(
            {"name": "n", "input": [1, 8, 8], "layers": [{"type": "dense", "name": "a", "dropout": 1}]}
        ),
        "layer 'a':.*dropout",
    ),
]


@pytest.mark.parametrize("make, message", REFUSALS, ids=lambda x: x[:40] if isinstance(x, str) else "")
def test_refusals_say_what_and_why(make, message):
    with pytest.raises(UnsupportedNetwork, match=message) as caught:
        make()
    assert isinstance(caught.value, Spec2Error)
    assert "\n" not in str(caught.value)


@given(
    st.integers(0, 9),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(1, 4),
    st.integers(0, 3),
    st.booleans(),
)
def test_a_layer_that_is_taken_has_outputs_in_every_tile(kernel, pool, stride, size, before, average):
    try:
        layer = conv(
            kernel=kernel, pool=pool, stride=stride, pool_size=size, pool_padding=before, average=average
        )
    except UnsupportedNetwork:
        return
    assert layer.tile_outputs >= 1
    # All that a tile's outputs depend on lies in its 8×8 pixels, without wrap-around.
    assert layer.tile_side + layer.kernel - 1 <= 8


@given(st.integers(1, 5), st.integers(1, 8), st.integers(1, 8))
def test_dense_features_never_share_a_place(channels, height, width):
    layer = Dense("fc", channels * height * width, 1)
    places = list(zip(*layer.word_index((channels, height, width)), strict=True))
    assert len(set(places)) == layer.in_features
    assert max(p[1] for p in places) < 32


def test_vgg16_has_the_operations_that_are_quoted_for_it():
    """30.69 G operations of the convolutions at 224 × 224; 512 features reach the classifier at 32 × 32."""
    assert round(vgg16().operations / 1e9, 2) == 30.69
    assert [layer.out_channels for layer in vgg16().layers][::4] == [64, 256, 512, 512]
    assert vgg16().maps[-1] == (512, 7, 7)
    assert vgg16_cifar().maps[-2] == (512, 1, 1) and vgg16_cifar().classes == 10


# --- types ---------------------------------------------------------------------------------------------

NUMBERS = ["8", 8.0, 0.5, True, None, [8], {}, -1, 0, 1 << 40, 10**30]


def fields(layer: int) -> list[str]:
    return [name for name in tiny().to_json()["layers"][layer] if name not in ("type", "name", "relu")]


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
@pytest.mark.parametrize(("layer", "name"), [(i, name) for i in (0, 3) for name in fields(i)])
def test_every_number_is_an_integer_in_its_range(layer, name, value):
    """From a file and in Python alike; a padding may be 0."""
    data = tiny().to_json()
    data["layers"][layer][name] = value
    if (name, value) == ("padding", 0) and type(value) is int:
        return
    with pytest.raises(UnsupportedNetwork, match=r"layer '(conv1|fc2)'"):
        Network.from_json(data)
    del data["layers"][layer]["type"]
    with pytest.raises(UnsupportedNetwork, match=r"layer '(conv1|fc2)'"):
        type(tiny().layers[layer])(**data["layers"][layer])


@pytest.mark.parametrize("value", [0.5, "false", 0, 1, None, [], float("nan")], ids=repr)
def test_a_switch_is_true_or_false(value):
    data = tiny().to_json()
    data["layers"][1]["relu"] = value
    with pytest.raises(UnsupportedNetwork, match="layer 'conv2': relu: expected bool"):
        Network.from_json(data)
    with pytest.raises(UnsupportedNetwork, match="layer 'c': relu: expected bool"):
        Conv("c", 1, 1, 3, relu=value)


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_the_input_is_three_integers(value):
    for position in range(3):
        data = tiny().to_json()
        data["input"][position] = value
        with pytest.raises(UnsupportedNetwork, match="input"):
            Network.from_json(data)
    for shape in ([2, 9], [2, 9, 11, 1], "2x9x11", None, 5):
        with pytest.raises(UnsupportedNetwork, match="input"):
            Network.from_json(tiny().to_json() | {"input": shape})


@pytest.mark.parametrize("value", [None, 5, "conv", {}, [1], [[]], [None], [{"type": ["conv"]}]], ids=repr)
def test_layers_are_a_list_of_objects(value):
    with pytest.raises(UnsupportedNetwork, match="layer"):
        Network.from_json(tiny().to_json() | {"layers": value})


def test_a_network_is_an_object_with_its_fields_and_no_others():
    for data in (None, [], "tiny", 5, {}, tiny().to_json() | {"nom": 1}, tiny().to_json() | {"name": 5}):
        with pytest.raises(UnsupportedNetwork, match="network"):
            Network.from_json(data)
    with pytest.raises(UnsupportedNetwork, match="a layer is a Conv or a Dense"):
        Network("n", (1, 8, 8), ("conv",))
