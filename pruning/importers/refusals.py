"""What to say of operations that the hardware has not: what is in the way, and a way out."""

from __future__ import annotations

from hw.errors import UnsupportedNetwork


def refuse(place: str, what: str, way_out: str) -> UnsupportedNetwork:
    """The error for ``what`` at ``place`` (an operation and where it stands)."""
    return UnsupportedNetwork(f"{place}: {what}; {way_out}")


def unsupported(place: str, operation: str) -> UnsupportedNetwork:
    """The error for an operation, as torch or ONNX call it, that no method of the assembler takes."""
    key = operation.replace("_", "").lower()
    for names, what, way_out in _REASONS:
        if key in names.split():
            return refuse(place, what, way_out)
    return refuse(
        place,
        f"the hardware has no {operation}",
        "it runs chains of convolutions of stride 1, batch norms, ReLU, 2×2 max pooling and fully connected "
        "layers: replace it or leave it to the host",
    )


_REASONS = (
    (
        "sigmoid logsigmoid tanh gelu silu elu selu celu leakyrelu prelu rrelu hardtanh hardswish "
        "hardsigmoid mish softplus softsign relu6 clip clamp threshold thresholdedrelu",
        "the only activation the hardware has is ReLU",
        "use ReLU and fine-tune",
    ),
    (
        "softmax logsoftmax",
        "the hardware gives class scores, not probabilities",
        "leave it to the loss or to the host: it does not change which class wins",
    ),
    (
        "add sum",
        "the hardware runs chains, without additions of an earlier map (residual) or of constants",
        "use a network without branches, like VGG16; constants belong into biases",
    ),
    (
        "cat concat concatenate stack split chunk",
        "the hardware runs chains, without branches that join or part",
        "use a network without branches, like VGG16",
    ),
    (
        "mul sub rsub div pow sqrt neg exp log",
        "the hardware has no arithmetic between layers",
        "put constant factors into weights, and what scales images into what prepares them",
    ),
    (
        "pad",
        "padding is zero, and part of a convolution",
        "give the convolution behind it the padding",
    ),
    (
        "layernorm layernormalization groupnorm groupnormalization instancenorm instancenormalization lrn "
        "localresponsenorm rmsnorm normalize",
        "only a batch norm can become part of a layer",
        "use batch norm behind the convolution and train again",
    ),
    (
        "convtranspose convtranspose2d convtranspose2dinput upsample resize interpolate upsamplenearest2d "
        "upsamplebilinear2d pixelshuffle depthtospace",
        "maps never grow in the hardware",
        "leave layers that enlarge them to the host",
    ),
    (
        "quantizelinear dequantizelinear qlinearconv qlinearmatmul convinteger matmulinteger "
        "dynamicquantizelinear",
        "the model is quantised already",
        "give the float model: spec2 quantises by the hardware's rules",
    ),
    (
        "permute transpose transposeint",
        "features of a fully connected layer come in the order channel, row, column",
        "leave the transposition out and train again",
    ),
)
"""(names, lower case without underscores; what is in the way; a way out)."""
