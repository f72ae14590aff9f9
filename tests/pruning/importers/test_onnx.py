"""ONNX files become networks: those that torch writes, those of other exporters, and what is refused."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from onnx import helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from hw.contract.network import Conv, Dense
from hw.util import names
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import convert, data, from_onnx
from pruning.training import recipe
from pruning.training.recipe_file import Schedule
from pruning.training.run import run as follow
from tests.pruning.importers.converting import assert_same, chains, stirred
from tests.pruning.importers.onnx_graphs import CONV, WEIGHTS, array, export, save

# --- as torch writes them -------------------------------------------------------------------------------


UNFOLDED = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}


@pytest.mark.parametrize(
    "options",
    [{}, UNFOLDED, {"dynamic_axes": {"image": {0: "batch"}}}, {"batch": 3, "opset_version": 11}],
    ids=["folded", "unfolded", "open batch", "old"],
)
@given(model=chains(largest=12, averages=[1]))  # the exporter refuses others
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_file_of_torch_computes_what_the_module_does(tmp_path, options, model):
    model.eval()
    network, chain = from_onnx(export(model, tmp_path / "net.onnx", **options))
    images = torch.rand(3, *model.shape)
    assert network.name == "net" and chain.training
    with torch.no_grad():
        assert_same(chain.eval()(images), model(images))
    if options == UNFOLDED:
        known = convert(model, model.shape, name="net").network
        assert network == known, "layers and their names are those of the module"


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = nn.Linear(64, 7, bias=False), nn.Linear(7, 3)

    def forward(self, x):
        return self.last(torch.relu(self.hidden(x.view(x.size(0), -1))))


class Nested(nn.Module):
    """Modules in modules."""

    shape = (3, 16, 16)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = Head()

    def forward(self, x):
        return self.head(self.pool(self.features(x)))


@pytest.mark.parametrize("options", [{}, {"dynamic_axes": {"image": {0: "n"}}}], ids=["fixed", "open batch"])
def test_layers_are_called_after_their_modules(tmp_path, options):
    """Where the exporter folds the norm or transposes a weight, the weight has no name but the node has."""
    model = stirred(Nested(), 2).eval()
    network, chain = from_onnx(export(model, tmp_path / "n.onnx", **options))
    assert network.layers == (
        Conv("features_0", 3, 4, 3, padding=1, pool=2),
        Dense("head_hidden", 256, 7),
        Dense("head_last", 7, 3, relu=False),
    )
    images = torch.rand(2, *model.shape)
    assert_same(chain(images), model(images))


STRANGE = ("my net (1)", "$(touch marker)", "[red]\x1b[2J", "-rf", "网络", "x" * 150)


@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_files_and_nodes_of_any_name_get_the_closest_name(tmp_path, name):
    path = save(tmp_path / f"{name}.onnx", [CONV, ("Relu", "c", "y", {})], WEIGHTS)
    proto = onnx.load(path)
    proto.graph.name = proto.graph.node[0].name = name
    onnx.save(proto, path)
    network, _ = from_onnx(path)
    assert names.valid(network.name) and [names.valid(layer.name) for layer in network.layers] == [True]
    assert names.closest(name, "network") == network.name
    with pytest.raises(UnsupportedNetwork, match="has no usable name"):
        from_onnx(path, name="../x")


# --- as others write them -------------------------------------------------------------------------------


def same(path, shape=(2, 9, 9), **options):
    """Compare with ONNX's reference evaluator; returns the network."""
    network, chain = from_onnx(path, **options)
    images = np.random.default_rng(4).random((2, *shape), np.float32)
    (expected,) = ReferenceEvaluator(str(path)).run(None, {"x": images})
    with torch.no_grad():
        assert_same(chain.eval()(torch.from_numpy(images)), torch.from_numpy(np.array(expected)))
    return network


def test_matmul_and_add_are_a_fully_connected_layer(tmp_path):
    """With the bias first or last, and a weight that is transposed on the way."""
    network = same(
        save(
            tmp_path / "m.onnx",
            [
                CONV,
                ("Relu", "c", "r", {}),
                ("GlobalAveragePool", "r", "p", {}),
                ("Squeeze", "p axes", "f", {}),
                ("Transpose", "v", "vt", {"perm": [1, 0]}),
                ("MatMul", "f vt", "h", {}),
                ("Add", "hb h", "hh", {}),
                ("Relu", "hh", "hr", {}),
                ("Identity", "hr", "hi", {}),
                ("MatMul", "hi u", "s", {}),
                ("Add", "s sb", "y", {}),
            ],
            {
                **WEIGHTS,
                "axes": np.array([2, 3]),
                "v": array(6, 4),
                "hb": array(6),
                "u": array(6, 5),
                "sb": array(1, 5),
            },
        )
    )
    assert network.layers == (
        Conv("node0", 2, 4, 3),
        Dense("node5", 4 * 49, 6),
        Dense("node9", 6, 5, relu=False),
    )


def test_gemm_with_factors(tmp_path):
    nodes = [
        CONV,
        ("MaxPool", "c", "p", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Relu", "p", "r", {}),
        ("Flatten", "r", "f", {"axis": -3}),
        ("Dropout", "f", "d mask", {}),
        ("Gemm", "d v b", "y", {"alpha": 0.5, "beta": -2.0}),
    ]
    network = same(save(tmp_path / "g.onnx", nodes, {**WEIGHTS, "v": array(36, 5), "b": array(1)}))
    assert network.layers[0].pool == 2 and network.layers[0].relu


def test_batch_norm_and_a_bias_as_addition(tmp_path):
    nodes = [
        ("Conv", "x w", "c", {"auto_pad": "SAME_UPPER"}),
        ("Add", "c b", "cb", {}),
        ("BatchNormalization", "cb scale shift mean variance", "n", {"epsilon": 0.01, "momentum": 0.8}),
        ("Relu", "n", "y", {}),
    ]
    constants = {
        **WEIGHTS,
        "b": array(4, 1, 1),
        **{name: array(4) for name in ("scale", "shift", "mean")},
        "variance": np.array([0.5, 1, 2, 3], np.float32),
    }
    path = save(tmp_path / "n.onnx", nodes, constants)
    assert same(path).layers == (Conv("node0", 2, 4, 3, padding=1),)
    norm = from_onnx(path).model.node0_norm
    assert norm.eps == pytest.approx(0.01) and norm.momentum == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("nodes", "constants", "opset"),
    [
        (
            [("AveragePool", "c", "p", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]})],
            {},
            18,
        ),
        ([("ReduceMean", "c axes", "p", {"keepdims": 0})], {"axes": np.array([-1, 2])}, 18),
        ([("ReduceMean", "c", "p", {"axes": [2, 3]})], {}, 13),
    ],
    ids=["overlapping", "mean", "old mean"],
)
def test_average_pooling_in_front_of_a_fully_connected_layer(tmp_path, nodes, constants, opset):
    features = 64 if nodes[0][0] == "AveragePool" else 4
    target = {"to": np.array([0, -1]), "v": array(features, 3)}
    nodes = [CONV, *nodes, ("Reshape", "p to", "f", {}), ("MatMul", "f v", "y", {})]
    same(save(tmp_path / "a.onnx", nodes, {**WEIGHTS, **constants, **target}, opset=opset))


def test_the_target_of_a_reshape_may_be_computed_from_an_earlier_shape(tmp_path):
    nodes = [
        ("Conv", "x w", "c", {}),
        ("Relu", "c", "r", {}),
        ("Shape", "x", "s", {"start": 0, "end": 1}),
        ("Constant", "", "rest", {"value_ints": [-1]}),
        ("Concat", "s rest", "to", {"axis": 0}),
        ("Reshape", "r to", "f", {}),
        ("MatMul", "f v", "y", {}),
    ]
    same(save(tmp_path / "s.onnx", nodes, {**WEIGHTS, "v": array(196, 3)}))


def test_an_open_size_is_asked_for(tmp_path):
    path = save(tmp_path / "o.onnx", [("Conv", "x w", "y", {})], WEIGHTS, shape=("n", 2, "h", "w"))
    with pytest.raises(ConfigError, match=r"'o' takes an input of \?×2×\?×\?: give input_shape"):
        from_onnx(path)
    assert same(path, input_shape=(2, 9, 9), name="called").name == "called"
    with pytest.raises(ConfigError, match=r"input of \?×2×\?×\?, not of \(3, 9, 9\)"):
        from_onnx(path, (3, 9, 9))


# --- refusals -------------------------------------------------------------------------------------------

BEHIND = {
    "sigmoid": (
        [("Sigmoid", "c", "s", {}), ("Conv", "s w4", "y", {})],
        "Sigmoid node 'node1'",
        "only activation",
        "ReLU",
    ),
    "clip": (
        [("Clip", "c low six", "s", {}), ("Conv", "s w4", "y", {})],
        "Clip node 'node1'",
        "only activation",
    ),
    "softmax": ([("Softmax", "c", "s", {}), ("Conv", "s w4", "y", {})], "Softmax node 'node1'", "scores"),
    "sizes": (
        [("Conv", "c w4", "d", {}), ("Add", "d c", "y", {})],
        "'node2'",
        "4×5×5 and 4×7×7",
        "same shape",
    ),
    "branch": (
        [("Conv", "c w4", "d", {}), ("Conv", "c w4", "e", {}), ("MatMul", "d e", "y", {})],
        "MatMul node 'node3'",
        "not with other maps",
    ),
    "power": ([("Pow", "c six", "d", {}), ("Conv", "d w4", "y", {})], "Pow node 'node1'", "no arithmetic"),
    "pooling": ([("MaxPool", "c", "y", {"kernel_shape": [4, 4]})], "'node1'", "stride 1×1"),
    "same pooling": (
        [("MaxPool", "c", "y", {"kernel_shape": [5, 5], "strides": [5, 5], "auto_pad": "SAME_UPPER"})],
        "'node1'",
        "padded",
    ),
    "indices": (
        [("MaxPool", "c", "p i", {"kernel_shape": [2, 2], "strides": [2, 2]}), ("Identity", "i", "y", {})],
        "MaxPool node 'node1'",
        "second output",
    ),
    "average": (
        [("AveragePool", "c", "y", {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]})],
        "'node1': average pooling of 7×7 maps whose windows count fewer pixels at the borders",
        "count_include_pad",
    ),
    "training": (
        [("BatchNormalization", "c four four four four", "y m v", {"training_mode": 1})],
        "'node1'",
        "running statistics",
    ),
    "mixed": ([("Reshape", "c all", "y", {})], "Reshape node 'node1'", "nn.Flatten"),
    "impossible": ([("Reshape", "c six1", "y", {})], "Reshape node 'node1'", "cannot be computed"),
    "transposed": (
        [("Flatten", "c", "f", {}), ("Gemm", "f v v", "y", {"transA": 1})],
        "Gemm node 'node2'",
        "transposes the map",
    ),
    "turned": ([("Flatten", "c", "f", {}), ("MatMul", "v f", "y", {})], "'node2'", "swap the operands"),
    "batched": ([("Flatten", "c", "f", {}), ("MatMul", "f w4", "y", {})], "'node2'", "4 axes, not 2"),
    "1d": ([("Conv", "c four3", "y", {})], "Conv node 'node1'", "3 axes, not 4"),
    "quantised": ([("ConvInteger", "c w4", "y", {})], "'node1'", "whole numbers"),
    "mean": ([("ReduceMean", "c one", "y", {})], "ReduceMean node 'node1'", "has no ReduceMean"),
    "other domain": ([("FusedConv", "c w4", "y", {"domain": "com.microsoft"})], "has no FusedConv"),
    "unknown": ([("Einsum", "c", "y", {"equation": "abcd->abdc"})], "has no Einsum", "leave it to the host"),
    "another output": ([("Relu", "w4", "y", {})], "'y' is not that of the last"),
}

CONSTANTS = {
    **WEIGHTS,
    "w4": array(4, 4, 3, 3),
    "v": array(196, 3),
    "zero": np.float32(0),
    "low": np.float32(-6),
    "six": np.float32(6),
    "one": np.array([1]),
    "four": array(4),
    "four3": array(4, 4, 3),
    "all": np.array([-1]),
    "six1": np.array([6, 1]),
}


@pytest.mark.parametrize("case", BEHIND)
def test_what_the_hardware_cannot_run_is_one_sentence_with_the_node_and_a_way_out(tmp_path, case, capfd):
    nodes, *parts = BEHIND[case]
    path = save(tmp_path / "r.onnx", [CONV, *nodes], CONSTANTS)
    with pytest.raises(UnsupportedNetwork) as caught:
        from_onnx(path)
    assert "\n" not in str(caught.value) and capfd.readouterr() == ("", "")
    for part in parts:
        assert part in str(caught.value)


def test_several_inputs_or_outputs_are_refused(tmp_path):
    path = save(tmp_path / "two.onnx", [CONV, ("Relu", "c", "y", {})], WEIGHTS, outputs=("c", "y"))
    with pytest.raises(UnsupportedNetwork, match="1 inputs and 2 outputs"):
        from_onnx(path)


def test_control_flow_is_refused(tmp_path):
    branch = helper.make_graph([], "branch", [], [])
    nodes = [CONV, ("If", "yes", "y", {"then_branch": branch, "else_branch": branch})]
    with pytest.raises(UnsupportedNetwork, match="If node 'node1': the hardware has no If"):
        from_onnx(save(tmp_path / "if.onnx", nodes, {**WEIGHTS, "yes": np.array(True)}))


def test_files_that_are_none_are_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*gone\.onnx: No such file"):
        from_onnx(tmp_path / "gone.onnx")
    (tmp_path / "text.onnx").write_text("this is no model")
    with pytest.raises(ConfigError, match=r"text\.onnx is no ONNX model"):
        from_onnx(tmp_path / "text.onnx")


# --- recipes --------------------------------------------------------------------------------------------


def recipe_of(path, network, data="mnist"):
    path.write_text(f'network = "{network}"\ndata = "{data}"\nsparsity = "uniform"\n')
    return path


class Small(nn.Sequential):
    shape = (1, 28, 28)

    def __init__(self, shape=shape, classes=10):
        size = (shape[1] - 4) // 4
        super().__init__(
            nn.Conv2d(shape[0], 4, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 8, 1),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * size**2, classes),
        )
        self.shape = shape


def test_a_recipe_takes_network_and_weights_from_a_file_beside_it(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    model = Small()
    export(model, tmp_path / "recipes" / "small.onnx")
    path = recipe_of(tmp_path / "recipes" / "mine.toml", "small.onnx")
    monkeypatch.chdir(tmp_path)
    found = recipe.find("recipes/mine.toml", seed=3)
    assert found.network.name == "small" and found.seed == 3
    assert found.targets().layers["0"] is None and found.targets().layers["3"].kind == "uniform"
    images = torch.rand(2, *model.shape)
    assert_same(found.start.eval()(images), model(images))
    assert recipe.find("lenet").start is None
    with pytest.raises(ConfigError, match=r"mine\.toml: cannot read .*gone\.onnx"):
        recipe.read(recipe_of(path, "gone.onnx"))


def test_a_recipe_gives_the_sizes_that_a_file_leaves_open(tmp_path):
    nodes = [CONV, ("Relu", "c", "y", {})]
    save(tmp_path / "Open.ONNX", nodes, WEIGHTS, shape=("n", 2, "height", "width"))
    path = recipe_of(tmp_path / "open.toml", "Open.ONNX")
    with pytest.raises(
        ConfigError, match=r"an input of \?×2×\?×\?.*in a recipe input = \[channels, height, width\]"
    ):
        recipe.read(path)
    for size, shape in (("[2, 9, 11]", (2, 9, 11)), ("[3, 9, 9]", None), ("[2, 0, 9]", None)):
        path.write_text(f'network = "Open.ONNX"\ndata = "mnist"\ninput = {size}\n')
        if shape:
            assert recipe.read(path).network.input == shape
        else:
            with pytest.raises(ConfigError, match=r"open\.toml: .*\("):
                recipe.read(path)


def test_a_recipe_of_an_unsupported_file_says_so(tmp_path):
    save(tmp_path / "bad.onnx", [CONV, ("Sigmoid", "c", "s", {}), ("Relu", "s", "y", {})], WEIGHTS)
    with pytest.raises(UnsupportedNetwork, match=r"bad\.toml: Sigmoid node 'node1'.*use ReLU"):
        recipe.read(recipe_of(tmp_path / "bad.toml", "bad.onnx"))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Small((1, 32, 32)), "takes images of 1×32×32, but 'mnist' has images of 1×28×28"),
        (Small(classes=7), "gives 7 class scores, but 'mnist' has 10 classes"),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), "gives no class scores"),
    ],
    ids=["images", "classes", "no classes"],
)
def test_a_network_that_does_not_fit_the_data_set_is_refused_before_training(tmp_path, model, message):
    network = convert(model, getattr(model, "shape", (1, 28, 28)))[0]
    with pytest.raises(ConfigError, match=message):
        follow(replace(recipe.find("lenet"), network=network), out=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("epochs", [0, 1], ids=["as it is", "trained on"])
def test_a_job_starts_from_the_weights_of_the_file(tmp_path, monkeypatch, epochs):
    """With no dense epochs the dense accuracy is the model's own; another start is another dense network."""
    whole = data.load("mnist")
    few = data.ImageSet(
        *(part[::40] for part in (whole.train_images, whole.train_labels)),
        *(part[::20] for part in (whole.test_images, whole.test_labels)),
        "few",
    )
    monkeypatch.setattr(data, "load", lambda name, folder: few)
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = Small().eval()
        network, start = convert(model, Small.shape)
        made = replace(recipe.find("lenet"), network=network, start=start, epochs=Schedule(epochs, 1, 1, 1))
        found = follow(made, out=tmp_path / str(seed), cache=tmp_path)
        if epochs == 0:
            labels = model(torch.from_numpy(few.test_images) / 255).argmax(1).numpy()
            assert found.accuracy["dense"] == pytest.approx(100 * (labels == few.test_labels).mean())
    assert len(list(tmp_path.glob("dense-*.pt"))) == 2
