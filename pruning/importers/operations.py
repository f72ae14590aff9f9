"""The operations that importers take: one list, which both readers of graphs dispatch on.

:func:`of_torch` and :func:`of_onnx` say what kind an operation is; what the readers do with a kind stands
there. ``docs/own_networks.md`` holds the list as tables (:mod:`pruning.importers.operations_page`).
"""

from __future__ import annotations

from typing import NamedTuple

from hw.contract.network import MOST_LEAK
from pruning.importers.grouping import LEAST_GROUPS
from pruning.importers.hardware import (
    DENSE_SIDE,
    LARGEST_WINDOW,
    MOST_HALVED,
    MOST_KERNEL,
    MOST_SPREAD,
    WEIGHTS_OF_A_CHANNEL,
)

_KERNEL, _WINDOW, _DENSE = (f"{n}×{n}" for n in (MOST_KERNEL, LARGEST_WINDOW, DENSE_SIDE))


class Form(NamedTuple):
    """A row of the table: an operation as people call it, what is taken of it, what becomes of it."""

    what: str
    taken: str
    becomes: str


class Operation(NamedTuple):
    """What is taken under several names.

    kind: what the readers call it. torch: operations of a traced graph, without the underscore of those that
    work in place; modules: of torch.nn, which trace to these or to nothing; onnx: operations of files.
    """

    kind: str
    modules: tuple[str, ...]
    torch: tuple[str, ...]
    onnx: tuple[str, ...]
    forms: tuple[Form, ...]


OPERATIONS = (
    Operation(
        "convolution",
        ("Conv2d",),
        ("conv2d",),
        ("Conv",),
        (
            Form("convolution", f"kernels of 1×1 to {_KERNEL}, stride 1 or 2", "a layer"),
            Form(
                "… of 1×1",
                "without padding",
                "a pointwise layer: no transform, one real weight for each pair of channels",
            ),
            Form(
                "… rectangular, dilated, padded unevenly",
                f"what a square kernel of at most {_KERNEL}, with as much padding above as left and below as "
                "right, computes too",
                "a layer of a larger kernel, with zeros in it",
            ),
            Form(
                f"… of larger kernels, up to {MOST_HALVED}×{MOST_HALVED}",
                "9×9, 1×11, 3×3 dilated by 4 or 5; padded by at most half of it",
                "a layer that puts the map beside itself, moved by half a kernel, and one of half the kernel "
                "that reads it up to four times",
            ),
            Form(
                "… with a stride, of images that nothing else reads",
                f"strides of 2 to {MOST_SPREAD}, and twice that; 7×7 of stride 2, 11×11 of stride 4",
                "a layer of a smaller kernel and stride: the host makes neighbouring pixels channels",
            ),
            Form(
                "… of strides of 4, 8, … and of larger kernels with a stride",
                "11×11 of stride 4, 9×9 of stride 2",
                "layers of 2×2 that make every second row and column a channel, then one of stride 1",
            ),
            Form(
                "… grouped, depthwise",
                "any number of groups",
                f"a layer in groups; zeros between them where they are fewer than {LEAST_GROUPS}, or "
                "channels come in another order (shuffles)",
            ),
        ),
    ),
    Operation(
        "transposed convolution",
        ("ConvTranspose2d",),
        ("conv_transpose2d",),
        ("ConvTranspose",),
        (
            Form(
                "transposed convolution",
                "any that makes maps 2 to 8 times as large, or as large as they are",
                "a layer that makes every pixel of the larger map a channel: what follows reads it so",
            ),
        ),
    ),
    Operation(
        "larger maps",
        ("PixelShuffle", "UpsamplingNearest2d"),
        ("pixel_shuffle", "upsample_nearest2d"),
        ("DepthToSpace", "Resize"),
        (
            Form(
                "nearest-neighbour upsampling, pixel shuffle",
                "by 2 to 8, where a convolution, sums, joins, activations or a fully connected layer follow",
                "other weights of what follows, for a channel for every pixel of the larger map",
            ),
        ),
    ),
    Operation(
        "fully connected",
        ("Linear",),
        ("linear", "matmul", "mm"),
        ("Gemm", "MatMul"),
        (Form("fully connected", "after a flattened map of any size, the images, or another", "a layer"),),
    ),
    Operation(
        "batch norm",
        ("BatchNorm1d", "BatchNorm2d"),
        ("batch_norm",),
        ("BatchNormalization",),
        (
            Form(
                "batch norm",
                "anywhere",
                "part of the layer in front of it (a convolution keeps it trainable), if nobody else reads "
                "that; else of a 1×1 convolution",
            ),
        ),
    ),
    Operation(
        "arithmetic",
        (),
        ("add", "sub", "rsub", "mul", "div", "neg"),
        ("Add", "Sum", "Sub", "Mul", "Div", "Neg"),
        (
            Form("constant factors and offsets", "one number, or one per channel", "the same"),
            Form(
                "… and batch norms of the images",
                "what was subtracted from images and what they were divided by, in the order of the file",
                "part of the first layer, exactly, whatever its padding",
            ),
            Form(
                "sums and differences of maps",
                "maps of one shape",
                "part of the convolution that makes one of them, if nobody else reads it; else of a 1×1 "
                "convolution",
            ),
        ),
    ),
    Operation(
        "relu",
        ("ReLU",),
        ("relu",),
        ("Relu",),
        (Form("ReLU", "anywhere", "part of the layer, or of a 1×1 convolution"),),
    ),
    Operation(
        "leaky",
        ("LeakyReLU", "PReLU", "Threshold"),
        ("leaky_relu", "prelu", "threshold"),
        ("Elu", "LeakyRelu", "PRelu", "ThresholdedRelu"),
        (
            Form(
                "leaky ReLU, PReLU",
                f"slopes of 1/2, 1/4, … 1/{1 << MOST_LEAK}, the same for all channels; 0 and 1",
                "the same; a PReLU is no longer trained",
            ),
            Form(
                "… of other slopes",
                "of maps; one for all or one per channel",
                "two 1×1 convolutions, three for slopes above one: one adds the map to its ReLU",
            ),
        ),
    ),
    Operation(
        "clip",
        ("Hardtanh", "ReLU6"),
        ("clamp", "clamp_max", "clamp_min", "hardtanh", "max", "maximum", "min", "minimum", "relu6"),
        ("Clip", "Max", "Min"),
        (
            Form(
                "ReLU6, clips from 0 to a number",
                "anywhere",
                "the same; scales let channels saturate there",
            ),
            Form(
                "the larger or smaller of two maps",
                "maps of one shape",
                "three or four 1×1 convolutions with a ReLU and sums",
            ),
        ),
    ),
    Operation(
        "max pooling",
        ("AdaptiveMaxPool2d", "MaxPool2d"),
        ("adaptive_max_pool2d", "max_pool2d"),
        ("GlobalMaxPool", "MaxPool"),
        (
            Form(
                "max pooling",
                f"2×2 of stride 2, 4×4 of stride 4, …, {_WINDOW} of stride 1 or 2; padded, rounding up; of "
                "whole maps of 2×2, 4×4, …",
                "part of the layer, or of a 1×1 convolution",
            ),
            Form(
                "… of 5×5, 7×7, … and stride 1",
                "padded or not, as in spatial pyramids",
                "maxima of 3×3, one after the other",
            ),
            Form(
                "… of 2×2 and stride 1",
                "padded behind a ReLU alone, or by zeros in front of it (Darknet)",
                "the larger of four neighbours: about a dozen 1×1 convolutions",
            ),
        ),
    ),
    Operation(
        "average pooling",
        ("AdaptiveAvgPool2d", "AvgPool2d"),
        ("adaptive_avg_pool2d", "avg_pool2d"),
        ("AveragePool", "GlobalAveragePool"),
        (
            Form(
                "average pooling, means, sums of pixels",
                f"in front of a fully connected layer, any whose maps are at most {_DENSE}; elsewhere "
                f"windows of at most {_KERNEL} with strides of 1 or 2, and means over whole maps of any size",
                "part of the fully connected layer, or, where that would have more than "
                f"{WEIGHTS_OF_A_CHANNEL:,} weights for a channel, a layer that makes the means, of square "
                "maps; convolutions of equal weights",
            ),
        ),
    ),
    Operation("mean", (), ("mean", "sum"), ("ReduceMean", "ReduceSum"), ()),
    Operation("maximum of pixels", (), ("amax",), ("ReduceMax",), ()),
    Operation(
        "join",
        (),
        ("cat", "concat", "concatenate"),
        ("Concat",),
        (Form("joins along the channels", "any maps of one size", "nothing: maps lie side by side"),),
    ),
    Operation(
        "parts",
        (),
        ("chunk", "split", "split_with_sizes", "tensor_split", "unbind"),
        ("Split",),
        (),
    ),
    Operation(
        "move",
        ("ChannelShuffle", "Flatten", "PixelUnshuffle", "Unflatten"),
        (
            *("alias", "channel_shuffle", "clone", "contiguous", "detach", "expand", "flatten", "flip"),
            *("index", "index_select", "lift_fresh_copy", "movedim", "narrow", "native_channel_shuffle"),
            *("permute", "pixel_unshuffle"),
            *("repeat", "reshape", "roll", "select", "slice", "squeeze", "swapaxes", "transpose"),
            *("unflatten", "unsqueeze", "view"),
        ),
        (
            *("Expand", "Flatten", "Gather", "Reshape", "Slice", "SpaceToDepth", "Squeeze", "Tile"),
            *("Transpose", "Unsqueeze"),
        ),
        (
            Form(
                "shuffles, splits and slices of channels, zeros as channels",
                "any order",
                "other weights of the next layer",
            ),
            Form(
                "every second pixel, space to depth, crops",
                f"what a kernel of at most {_KERNEL} selects",
                "a layer",
            ),
            Form(
                "channels last",
                "transpositions of the images and of maps, with sums, joins, clips, padding, means and "
                "slices between them",
                "other weights of the next layer: nothing is moved",
            ),
            Form(
                "reshapes, transpositions",
                "what a flattened map, or channels in another order, is",
                "nothing",
            ),
        ),
    ),
    Operation(
        "pad",
        ("ZeroPad2d",),
        ("constant_pad_nd", "pad"),
        ("Pad",),
        (
            Form(
                "zero padding",
                "in front of a convolution, or anywhere",
                "part of the convolution, or a layer",
            ),
        ),
    ),
    Operation(
        "dropout",
        ("AlphaDropout", "Dropout", "Dropout2d", "FeatureAlphaDropout"),
        ("alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout"),
        ("Dropout",),
        (Form("dropout, identity", "in eval mode", "left out"),),
    ),
    Operation("identity", ("Identity",), (), ("Identity",), ()),
    Operation(
        "cast",
        (),
        ("to", "type_as"),
        ("Cast",),
        (
            Form(
                "casts between floats, moves to a device, no_grad, autocast",
                "",
                "left out: the network is computed in float32",
            ),
        ),
    ),
    Operation(
        "left to the host",
        ("LogSigmoid", "LogSoftmax", "Sigmoid", "Softmax", "Softplus", "Tanh", "Upsample"),
        (
            *("argmax", "atan", "exp", "hardsigmoid", "linalg_vector_norm", "log", "log_sigmoid"),
            *("log_softmax", "pow", "sigmoid", "softmax", "softplus", "sqrt", "tanh", "topk"),
            "upsample_bilinear2d",
        ),
        (
            *("ArgMax", "Atan", "Exp", "HardSigmoid", "Log", "LogSoftmax", "LpNormalization", "Pow"),
            *("ReduceL2", "Sigmoid", "Softmax", "Softplus", "Sqrt", "Tanh", "TopK", "Upsample"),
        ),
        (
            Form(
                "softmax, log-softmax, sigmoid, tanh, argmax, norms, upsampling, pixel shuffle, clips",
                "at the end",
                "left to the host, as is a ReLU of scores, leaky or not, and the shape of the result",
            ),
            Form(
                "… and what is computed of that",
                "with constants and with what it was computed of: `F.normalize(x)`, `100 * sigmoid(x)`",
                "the same",
            ),
        ),
    ),
)
"""Every name stands in one of them. Rows that tell of several kinds stand with the first."""

ALSO_TO_HOST = (
    *("clamp", "hardtanh", "relu6", "Clip"),
    *("pixel_shuffle", "upsample_nearest2d", "DepthToSpace", "Resize"),
)
"""Operations of another kind that the host does where they end a network and are no layer's."""

_FOLLOWING = ("arithmetic", "clip", "mean", "move", "parts")
_MORE = ("Abs", "Expand", "Reciprocal", "abs", "expand_as", "reciprocal", "rsqrt", "square")
"""Kinds and names of operations that may follow one that is left to the host."""

_SHAPES = {
    *("alias", "clone", "contiguous", "detach", "flatten", "lift_fresh_copy"),
    *("reshape", "squeeze", "unflatten", "unsqueeze", "view"),
    *("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"),
}
"""Operations that change no more than a shape."""

_TORCH = {name: operation.kind for operation in OPERATIONS for name in operation.torch}
_ONNX = {name: operation.kind for operation in OPERATIONS for name in operation.onnx}
_HOST = {*ALSO_TO_HOST, *(name for name, kind in (_TORCH | _ONNX).items() if kind == "left to the host")}


def of_torch(name: str) -> str | None:
    """The kind of an operation of a traced graph; None: none of the list."""
    return _TORCH.get(name)


def of_onnx(name: str) -> str | None:
    """The kind of an operation of an ONNX file; None: none of the list."""
    return _ONNX.get(name)


def may_end(name: str) -> bool:
    """Whether the host can do it, by either name, with what the hardware gives."""
    return name in _HOST


def may_follow(name: str) -> bool:
    """Whether the host can do it behind another operation that is left to it."""
    return may_end(name) or name in _MORE or (_TORCH | _ONNX).get(name) in _FOLLOWING


def reshapes(name: str) -> bool:
    """Whether nobody needs it who gets what comes in front of it, by either name."""
    return name in _SHAPES
