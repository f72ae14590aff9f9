"""What to say of operations that the hardware has not: what is in the way, and a way out."""

from __future__ import annotations

from collections.abc import Sequence

from hw.contract.network import MOST_LEAK
from hw.util.errors import UnsupportedNetwork
from pruning.importers import hardware


def refuse(position: str, what: str, way_out: str) -> UnsupportedNetwork:
    """The error for ``what`` at ``position`` (an operation and where it stands)."""
    return UnsupportedNetwork(f"{position}: {what}; {way_out}")


def unsupported_slope(position: str, slopes: Sequence[float]) -> UnsupportedNetwork:
    """The error for a leaky ReLU of ``slopes`` of its channels that no fully connected layer has."""
    least, most = min(slopes), max(slopes)
    told = f"{least:.4g}" if least == most else f"{least:.4g} to {most:.4g}, by channel"
    return refuse(
        position,
        f"the slope of a leaky ReLU behind a fully connected layer is {told}, and there the hardware has "
        f"powers of two, 1/2 to 1/{1 << MOST_LEAK}, one for all",
        f"train with nn.LeakyReLU({0.5 ** hardware.nearest_leak(slopes):g}), the nearest, or with ReLU",
    )


def unsupported(position: str, operation: str) -> UnsupportedNetwork:
    """The error for an operation, as torch or ONNX call it, that no method of the assembler takes."""
    key = operation.replace("_", "").replace(" ", "").lower()
    if position.endswith("(LocalResponseNorm)"):  # whatever it is made of
        key = "localresponsenorm"
    for names, what, way_out in _REASONS:
        if key in names.split():
            return refuse(position, what, way_out)
    return refuse(
        position,
        f"the hardware has no {operation}",
        "it runs convolutions, batch norms, ReLU, 2×2 max pooling, sums and joins of maps and fully "
        "connected layers: replace it or leave it to the host",
    )


_REASONS = (
    (
        "sigmoid logsigmoid tanh gelu silu elu selu celu leakyrelu prelu rrelu hardtanh hardswish "
        "hardsigmoid mish softplus softsign relu6 clip clamp clampmin clampmax threshold thresholdedrelu "
        "max min maximum minimum",
        "the only activation the hardware has is ReLU, leaky or not",
        "use ReLU and fine-tune",
    ),
    (
        "softmax logsoftmax",
        "the hardware gives class scores, not probabilities, and something follows it",
        "leave it, and what follows it, to the host",
    ),
    (
        "add sum",
        "the hardware adds maps of one shape, and no constants that no bias can take",
        "add one number per channel",
    ),
    (
        "cat concat concatenate stack split chunk",
        "the hardware joins and parts the channels of maps, and nothing else",
        "join maps along their channels",
    ),
    (
        "mulofmaps divofmaps matmulofmaps mmofmaps",
        "the hardware multiplies maps with weights alone, not with other maps (gates, attention)",
        "leave out the gate and train again",
    ),
    (
        "mul sub rsub div reciprocal pow sqrt neg exp log",
        "the hardware has no arithmetic between layers but what weights and biases can take",
        "put constant factors into weights",
    ),
    (
        "pad",
        "padding is zero",
        "pad with zeros",
    ),
    (
        "layernorm layernormalization groupnorm groupnormalization instancenorm instancenormalization "
        "rmsnorm normalize",
        "only a batch norm can become part of a layer",
        "use batch norm after the convolution and train again",
    ),
    (
        "linalgvectornorm reducel2 lpnormalization",
        "it takes a norm of the map, which differs from image to image, and the hardware multiplies with "
        "weights alone",
        "leave it, and what follows it, to the host",
    ),
    (
        "lrn localresponsenorm",
        "a local response normalisation divides by a power of what other channels hold, and the hardware "
        "multiplies with weights alone",
        "leave it out, or use batch norm in its place, and train again",
    ),
    (
        "convtranspose convtranspose2d convtranspose2dinput upsample resize interpolate upsamplenearest2d "
        "upsamplebilinear2d pixelshuffle depthtospace",
        "maps grow by whole numbers, by repeated pixels, pixel shuffles and transposed convolutions, and no "
        "other way",
        'use mode="nearest" and one whole number for rows and columns, or leave such layers to the host',
    ),
    (
        "qlinear qlinearconv qlinearmatmul qlinearadd qlinearmul qlinearglobalaveragepool qlinearaveragepool "
        "qlinearconcat qlinearleakyrelu qlinearsigmoid qgemm convinteger matmulinteger",
        "it computes with whole numbers",
        "export the model with quantisers in pairs (QDQ), whose weights and ranges are taken, or as floats",
    ),
    (
        "dynamicquantizelinear",
        "its step follows from the image",
        "quantise with steps that are in the file (static), or give the float model",
    ),
    (
        "floatquant quantizelinearfloat",
        "it rounds to floats of few bits, and the hardware has whole numbers",
        "quantise to whole numbers",
    ),
    (
        "cast to typeas int long",
        "the hardware has no other numbers between layers",
        "leave out casts to whole numbers",
    ),
    (
        "dropout featuredropout alphadropout featurealphadropout",
        "it drops values at random although the model is in eval mode",
        "give it training=self.training, or leave it out",
    ),
    (
        "rand randn randint randlike randnlike bernoulli normal uniform multinomial poisson randomnormal "
        "randomnormallike randomuniform randomuniformlike",
        "its values are random, and the hardware computes the same for the same image",
        "leave it out, or export the model in eval mode",
    ),
    (
        "conv1d conv3d",
        "the hardware has two-dimensional convolutions alone",
        "use nn.Conv2d (a signal of one axis is a map of one row)",
    ),
    (
        "permute transpose transposeint",
        "features of a fully connected layer come in the order channel, row, column",
        "leave the transposition out and train again",
    ),
)
"""(names, lower case without underscores; what is in the way; a way out)."""
