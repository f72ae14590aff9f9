"""The list of operations: all of it is taken, under every name, and the page says what the list says."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from torch import nn

from hw.contract.network import layer_table
from hw.util.errors import ConfigError
from pruning import convert, from_onnx
from pruning.importers import operations, operations_page
from pruning.importers.torch_nodes import plain
from pruning.importers.torch_trace import trace
from tests.pruning.importers.converting import assert_same, stirred
from tests.pruning.importers.onnx_graphs import CONV, WEIGHTS, array, save

PAGE = Path(__file__).parents[3] / "docs" / "own_networks.md"
KINDS = {operation.kind: operation for operation in operations.OPERATIONS}


def test_the_page_is_what_its_command_writes(tmp_path, capsys):
    page = PAGE.read_text()
    assert operations_page.put(page) == page, (
        "run 'python -m pruning.importers.operations_page docs/own_networks.md'"
    )
    copy = tmp_path / "page.md"
    copy.write_text(page.replace("| batch norm |", "| another |"))
    assert operations_page.main([str(copy)]) == 0 and copy.read_text() == page
    assert operations_page.main([]) == 0 and capsys.readouterr().out.strip() in page


def test_a_page_without_marks_is_refused(tmp_path, capsys):
    copy = tmp_path / "page.md"
    copy.write_text("a page")
    with pytest.raises(ConfigError, match="has no <!-- operations: begin -->"):
        operations_page.put("a page <!-- operations: end --> <!-- operations: begin -->")
    assert operations_page.main([str(copy)]) == operations_page.main([str(tmp_path / "none")]) == 2
    assert copy.read_text() == "a page" and len(capsys.readouterr().err.splitlines()) == 2


def test_a_name_stands_once():
    for names in zip(*((o.modules, o.torch, o.onnx) for o in operations.OPERATIONS), strict=True):
        flat = [name for some in names for name in some]
        assert len(set(flat)) == len(flat)
    both = {name for kind in ("clip", "larger maps") for name in (*KINDS[kind].torch, *KINDS[kind].onnx)}
    assert both.issuperset(operations.ALSO_TO_HOST)
    told = [form.what for operation in operations.OPERATIONS for form in operation.forms]
    assert len(set(told)) == len(told)


# --- torch ----------------------------------------------------------------------------------------------


class Example(nn.Module):
    """``function`` of the map of a convolution, 4×8×8, and ``modules``; or these one after the other.

    last: a convolution of so many channels reads what they make.
    """

    shape = (2, 8, 8)

    def __init__(self, function, *modules, last=0):
        super().__init__()
        self.stem, self.function, self.found = nn.Conv2d(2, 4, 3, padding=1), function, nn.ModuleList(modules)
        self.last = nn.Conv2d(last, 3, 3, padding=1) if last else nn.Identity()

    def forward(self, x):
        x = self.stem(x)
        x = self.function(x, *self.found) if self.function else nn.Sequential(*self.found)(x)
        return self.last(x)


class Matrices(nn.Module):
    """Weights as parameters of products."""

    shape = (2, 4, 4)

    def __init__(self):
        super().__init__()
        self.found = nn.ModuleList([nn.Linear(32, 6)])
        self.first, self.second = nn.Parameter(torch.rand(6, 5)), nn.Parameter(torch.rand(5, 4))

    def forward(self, x):
        return torch.mm(torch.matmul(self.found[0](x.flatten(1)), self.first), self.second)


def parted(x):
    parts = [*x.chunk(2, 1), *x.split(2, 1), *x.split_with_sizes([1, 3], 1), *x.tensor_split(2, 1)[::-1]]
    return torch.cat([*parts, *(part.unsqueeze(1) for part in x.unbind(1)[1:])], 1)


def moved(x, shuffled, spread, flat, rows):
    """Through every operation that moves values; 16 channels of 4×4 stay what they are in the end."""
    x = rows(flat(spread(shuffled(x)))).contiguous(memory_format=torch.channels_last).contiguous()
    x = torch.ops.aten.lift_fresh_copy(torch.ops.aten.alias(x)).clone().detach()
    x = torch.native_channel_shuffle(x.expand(2, -1, -1, -1).flip(1), 2).repeat(1, 2, 1, 1).roll(1, 1)
    x = x.movedim(1, 1).narrow(1, 0, 20).permute(0, 2, 1, 3).swapaxes(1, 2).transpose(1, 2).transpose(1, 2)
    x = x[:, 4:].unsqueeze(1).select(1, 0).squeeze().reshape(2, -1).view(2, 4, -1).unflatten(2, (4, 4, 4))
    return x.flatten(1, 2)[:, torch.arange(15, -1, -1)].index_select(1, torch.arange(15, -1, -1))


def clipped(x, first, second):
    x = first(x).clamp(0, 5).clamp_min(0).clamp_max(4)
    zero, four = torch.zeros(()), torch.full((), 4.0)
    x = torch.minimum(torch.maximum(x, zero), four) + torch.min(torch.max(x, zero), four)
    return F.relu6(second(x.clamp(0, 8)))


def joined(x):
    return torch.cat([torch.concat([x, x], 1), torch.concatenate([x, torch.zeros_like(x)], 1)], 1)


TORCH = {
    "convolution": Example(None, nn.Conv2d(4, 3, (3, 5), 2, (1, 2))),
    "transposed convolution": Example(
        None, nn.ConvTranspose2d(4, 3, 2, 2), nn.Flatten(), nn.Linear(3 * 16 * 16, 5)
    ),
    "larger maps": Example(
        None, nn.PixelShuffle(2), nn.UpsamplingNearest2d(scale_factor=2), nn.Flatten(), nn.Linear(32 * 32, 5)
    ),
    "fully connected": Matrices(),
    "batch norm": Example(None, nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 5), nn.BatchNorm1d(5)),
    "arithmetic": Example(lambda x: -(2 * x - 1 + x / 4) - torch.rsub(x, 1.0)),
    "relu": Example(None, nn.ReLU()),
    "leaky": Example(
        lambda x, *found: sum(module(x) for module in found),
        *(nn.LeakyReLU(0.0), nn.LeakyReLU(1.0), nn.Threshold(0, 0), nn.PReLU(), nn.LeakyReLU(0.1)),
    ),
    "clip": Example(clipped, nn.ReLU6(), nn.Hardtanh(0, 3)),
    "max pooling": Example(None, nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.AdaptiveMaxPool2d(1)),
    "average pooling": Example(None, nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)),
    "mean": Example(lambda x: x.mean((2, 3)) + x.sum((2, 3))),
    "maximum of pixels": Example(lambda x: x.amax((2, 3))),
    "join": Example(joined, last=16),
    "parts": Example(parted, last=19),
    "move": Example(
        moved,
        *(nn.ChannelShuffle(2), nn.PixelUnshuffle(2), nn.Flatten(), nn.Unflatten(1, (16, 4, 4))),
        last=16,
    ),
    "pad": Example(
        lambda x, module: torch.constant_pad_nd(F.pad(module(x), (0, 1, 1, 0)), (1, 0, 0, 1)),
        nn.ZeroPad2d(1),
        last=4,
    ),
    "dropout": Example(None, nn.AlphaDropout(), nn.Dropout(), nn.Dropout2d(), nn.FeatureAlphaDropout()),
    "identity": Example(None, nn.Identity()),
    "cast": Example(lambda x: x.to(torch.float64).type_as(x)),
}
HOST = Example(
    lambda x, *found: (
        F.hardsigmoid(nn.Sequential(*found)(x))
        .exp()
        .atan()
        .log()
        .pow(2)
        .sqrt()
        .norm(dim=(2, 3), keepdim=True)
        .argmax(1)
        .topk(1, 1)[0]
    ),
    *(nn.Sigmoid(), nn.LogSigmoid(), nn.Softplus(), nn.Tanh(), nn.Softmax(1), nn.LogSoftmax(1)),
    nn.Upsample(scale_factor=2, mode="bilinear"),
)


def seen(model):
    """Names of operations in a trace of ``model``."""
    return {plain(node) for node in trace(model, torch.zeros(2, *model.shape)).nodes if node.op != "output"}


def modules(model):
    return {type(module).__name__ for module in model.found}


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_of_torch_is_taken(kind):
    model = stirred(HOST if kind == "left to the host" else TORCH[kind], 3).eval()
    assert {*KINDS[kind].torch} <= seen(model) and {*KINDS[kind].modules} <= modules(model)
    converted = convert(model, model.shape, name="net")
    if kind == "left to the host":
        assert len(converted.host) == len(KINDS[kind].torch) and len(converted.network.layers) == 1
        return
    images = torch.rand(2, *model.shape)
    with torch.no_grad():
        assert_same(converted.model.eval()(images).flatten(1), model(images).flatten(1))


# --- files ----------------------------------------------------------------------------------------------

ONE = {"one": np.float32(1), "two": np.float32(2), "zero": np.float32(0), "four": np.float32(4)}
PIXELS = {"axes": [2, 3], "keepdims": 1}
FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE

FILES = {
    "convolution": ([("Conv", "c v", "y", {"strides": [2, 2]})], {"v": array(3, 4, 3, 3)}),
    "transposed convolution": (
        [
            *(("ConvTranspose", "c v", "t", {"strides": [2, 2]}), ("Flatten", "t", "f", {})),
            ("MatMul", "f w5", "y", {}),
        ],
        {"v": array(4, 3, 2, 2), "w5": array(3 * 14 * 14, 5)},
    ),
    "larger maps": (
        [
            *(("DepthToSpace", "c", "d", {"blocksize": 2}), ("Resize", ["d", "", "twice"], "r", {})),
            *(("Flatten", "r", "f", {}), ("MatMul", "f w5", "y", {})),
        ],
        {"twice": np.array([1, 1, 2, 2], np.float32), "w5": array(28 * 28, 5)},
    ),
    "fully connected": (
        [("Flatten", "c", "f", {}), ("MatMul", "f v", "h", {}), ("Gemm", "h u", "y", {"alpha": 2.0})],
        {"v": array(196, 6), "u": array(6, 5)},
    ),
    "batch norm": (
        [("BatchNormalization", "c s b m s", "y", {})],
        {"s": np.arange(1, 5, dtype=np.float32), "b": array(4), "m": array(4)},
    ),
    "arithmetic": (
        [
            *(("Neg", "c", "n", {}), ("Mul", "two n", "m", {}), ("Add", "m one", "a", {})),
            *(("Sub", "one c", "s", {}), ("Div", "s four", "d", {}), ("Sum", "a d c", "y", {})),
        ],
        ONE,
    ),
    "relu": ([("Relu", "c", "r", {}), ("Conv", "r v", "y", {})], {"v": array(3, 4, 1, 1)}),
    "leaky": (
        [
            *(("LeakyRelu", "c", "a", {"alpha": 0.125}), ("PRelu", "c zero", "b", {})),
            *(("Elu", "c", "d", {"alpha": 0.0}), ("ThresholdedRelu", "c", "e", {"alpha": 0.0})),
            ("Sum", "a b d e", "y", {}),
        ],
        ONE,
    ),
    "clip": ([("Clip", "c zero four", "a", {}), ("Max", "a zero", "b", {}), ("Min", "two b", "y", {})], ONE),
    "max pooling": (
        [
            ("MaxPool", "c", "m", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("GlobalMaxPool", "m", "y", {}),
        ],
        {},
    ),
    "maximum of pixels": (
        [
            ("MaxPool", "c", "m", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("ReduceMax", "m axes", "y", {}),
        ],
        {"axes": np.array([2, 3])},
    ),
    "average pooling": (
        [
            ("AveragePool", "c", "a", {"kernel_shape": [3, 3], "strides": [2, 2]}),
            ("GlobalAveragePool", "a", "y", {}),
        ],
        {},
    ),
    "mean": (
        [("ReduceMean", "c", "a", PIXELS), ("ReduceSum", "c ax", "b", {}), ("Add", "a b", "y", {})],
        {"ax": np.array([2, 3])},
    ),
    "join": (
        [("Concat", "c c", "j", {"axis": 1}), ("Conv", "j v", "y", {})],
        {"v": array(3, 8, 1, 1)},
    ),
    "parts": (
        [("Split", "c", "a b", {"axis": 1, "num_outputs": 2}), ("Add", "a b", "y", {})],
        {},
    ),
    "move": (
        [
            *(("Slice", "c start stop axes", "a", {}), ("SpaceToDepth", "a", "s", {"blocksize": 2})),
            *(("Tile", "s reps", "t", {}), ("Gather", "t pick", "g", {"axis": 1})),
            *(("Unsqueeze", "g where", "u", {}), ("Squeeze", "u where", "q", {})),
            *(("Expand", "q shape", "e", {}), ("Transpose", "e", "p", {"perm": [0, 1, 3, 2]})),
            *(("Transpose", "p", "pp", {"perm": [0, 1, 3, 2]}), ("Flatten", "pp", "f", {})),
            *(("Reshape", "f size", "r", {}), ("Conv", "r v", "y", {})),
        ],
        {
            "start": np.array([0, 1, 1, 1])[1:],
            "stop": np.array([4, 7, 7]),
            "axes": np.array([1, 2, 3]),
            "reps": np.array([1, 2, 1, 1]),
            "pick": np.array([5, 0, 7, 20, 2]),
            "where": np.array([1]),
            "shape": np.array([1, 5, 3, 3]),
            "size": np.array([0, 5, 3, 3]),
            "v": array(3, 5, 3, 3),
        },
    ),
    "pad": (
        [("Pad", "c pads", "p", {}), ("Conv", "p v", "y", {})],
        {"pads": np.array([0, 0, 1, 1] * 2), "v": array(3, 4, 3, 3)},
    ),
    "dropout": ([("Dropout", "c", "y", {})], {}),
    "identity": ([("Identity", "c", "y", {})], {}),
    "cast": ([("Cast", "c", "d", {"to": DOUBLE}), ("Cast", "d", "y", {"to": FLOAT})], {}),
}
HOST_FILE = [
    (name, f"h{n}", f"h{n + 1}" if n < len(KINDS["left to the host"].onnx) - 1 else "y", {})
    for n, name in enumerate(KINDS["left to the host"].onnx)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_of_a_file_is_taken(tmp_path, kind):
    nodes, constants = FILES.get(kind) or ([("Identity", "c", "h0", {}), *HOST_FILE], {})
    assert {*KINDS[kind].onnx} <= {name for name, *_ in nodes}
    constants = WEIGHTS | {name: np.asarray(value) for name, value in constants.items()}
    path = save(tmp_path / "net.onnx", [CONV, *nodes], constants, opset=17 if kind == "mean" else 18)
    converted = from_onnx(path)
    if kind == "left to the host":
        assert len(converted.host) == len(HOST_FILE) and len(converted.network.layers) == 1
        return
    images = np.random.default_rng(4).random((2, 2, 9, 9), np.float32)
    (expected,) = ReferenceEvaluator(str(path)).run(None, {"x": images})
    with torch.no_grad():
        found = converted.model.eval()(torch.from_numpy(images)).flatten(1)
    assert_same(found, torch.from_numpy(np.array(expected)).flatten(1))


# --- what is no kind ------------------------------------------------------------------------------------


def test_the_table_of_layers_is_what_layers_accept():
    assert layer_table.windows() == [(2, 2), (3, 1), (3, 2)] and layer_table.kernels() == [*range(1, 8)]
    assert layer_table.kernels(pool=2, pool_size=3) == [*range(1, 7)]
    told = dict(layer_table.rows())
    assert told["stride"] == "1 or 2" and told["stride and max pooling in one layer"] == "no"
    assert told["a map added to its outputs"].endswith("without stride and pooling")
    assert all(f"| {what} | {says} |" in PAGE.read_text() for what, says in told.items())
