"""Quantised ONNX graphs in the forms that Brevitas, torch and ONNX Runtime write, and what they compute.

What a file computes without the rounding of its maps is computed here once more, from the same numbers:
weights rounded by hand, maps clipped.
"""

import numpy as np
import torch
import torch.nn.functional as F

from tests.pruning.importers.onnx_graphs import array, save

QONNX = {"domain": "qonnx.custom_op.general"}


STEPS = {"x": 1 / 255, "r": 0.02, "c": 0.03, "h": 0.06}
"""Of the images, behind the first ReLU, of the second convolution's map, of the hidden layer."""


def tensor(values):
    return torch.from_numpy(np.array(values))


class Numbers:
    """Integer weights and steps of a small network, and what it computes."""

    def __init__(self, seed=1, bits=4, per_channel=True):
        rng = np.random.default_rng(seed)
        most = 2 ** (bits - 1) - 1
        shapes = {"w1": (4, 2, 3, 3), "w2": (5, 4, 3, 3), "w3": (6, 45), "w4": (3, 6)}
        self.whole, self.step = {}, {}
        for name, shape in shapes.items():
            self.whole[name] = rng.integers(-most, most + 1, shape).astype(np.int8)
            count = shape[0] if per_channel and name != "w4" else 1
            self.step[name] = (rng.uniform(0.5, 1.5, count) * 0.3 / most).astype(np.float32)
        self.bias = rng.integers(-40, 41, 6).astype(np.int32)
        self.bias_step = np.float32(0.01)

    def real(self, name):
        whole = self.whole[name]
        return whole.astype(np.float32) * self.step[name].reshape(-1, *[1] * (whole.ndim - 1))

    def __call__(self, x, maps=15.0):
        """``maps``: the largest whole number of the maps without a sign."""
        w1, w2, w3, w4 = (tensor(self.real(name)) for name in ("w1", "w2", "w3", "w4"))
        x = F.conv2d(x, w1, padding=1).clamp(0, maps * STEPS["r"])
        x = F.max_pool2d(x, 2)
        x = F.conv2d(x, w2, padding=1)[:, :, :3, :3]
        bias = tensor(self.bias.astype(np.float32) * self.bias_step)
        return F.linear(F.linear(x.flatten(1), w3, bias).clamp(0, maps * STEPS["h"]), w4)


def dialect(form, numbers, path):
    """The network of ``numbers``, for maps of 7×7, in one of the ways in which tools write quantisers."""
    nodes, constants = [], {}

    def weight(name):
        whole, step, real = numbers.whole[name], numbers.step[name], numbers.real(name)
        axes = [-1, *[1] * (whole.ndim - 1)]
        if form == "qonnx":  # real numbers, not rounded yet; steps along the weight's own axes
            constants.update({name: real * np.float32(1.01), f"{name}s": step.reshape(axes)})
            narrow = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND", **QONNX}
            nodes.append(("Quant", f"{name} {name}s zero four", f"{name}q", narrow))
        elif form == "torch":  # rounded in the file: fake quantisation of torch's exporter
            constants.update({name: real * np.float32(1.01), f"{name}s": step})
            constants[f"{name}z"] = np.zeros(len(step), np.int8)
            nodes.append(("QuantizeLinear", f"{name} {name}s {name}z", f"{name}i", {"axis": 0}))
            nodes.append(("DequantizeLinear", f"{name}i {name}s {name}z", f"{name}q", {"axis": 0}))
        elif form == "runtime":  # ONNX Runtime: 8 bits with a zero point
            constants.update({f"{name}_quantized": (whole.astype(np.int16) + 128).astype(np.uint8)})
            constants.update({f"{name}s": step, f"{name}z": np.full(len(step), 128, np.uint8)})
            nodes.append(("DequantizeLinear", f"{name}_quantized {name}s {name}z", f"{name}q", {"axis": 0}))
        else:  # Brevitas: clipped whole numbers
            constants.update({f"{name}c": whole, f"{name}s": step, "m7": np.int8(-7), "p7": np.int8(7)})
            nodes.append(("Clip", f"{name}c m7 p7", f"{name}i", {}))
            nodes.append(("DequantizeLinear", f"{name}i {name}s", f"{name}q", {"axis": 0}))

    def map_(name, out, step, signed=False, bits=4):
        constants[f"{out}s"] = np.float32(step)
        if form == "qonnx":
            given = {"signed": int(signed), "narrow": 0, "rounding_mode": "ROUND", **QONNX}
            nodes.append(("Quant", f"{name} {out}s zero {'eight' if bits == 8 else 'four'}", out, given))
            return
        zero = {"runtime": "zr"}.get(form, "zs" if signed else "zu") if not signed else "zs"
        nodes.append(("QuantizeLinear", f"{name} {out}s {zero}", f"{out}i", {}))
        whole = f"{out}i"
        if bits == 4:
            ends = ("lowr highr" if zero == "zr" else "lows highs" if signed else "lowu highu").split()
            nodes.append(("Clip", f"{out}i {' '.join(ends)}", f"{out}j", {}))
            whole = f"{out}j"
        nodes.append(("DequantizeLinear", f"{whole} {out}s {zero}", out, {}))

    constants |= {"zero": np.float32(0), "four": np.float32(4), "eight": np.float32(8)}
    constants |= {"zs": np.int8(0), "zu": np.uint8(0), "zr": np.int8(-128)}
    constants |= {"lows": np.int8(-8), "highs": np.int8(7), "lowu": np.uint8(0), "highu": np.uint8(15)}
    constants |= {"lowr": np.int8(-128), "highr": np.int8(-113)}
    map_("x", "xq", STEPS["x"], bits=8)
    weight("w1")
    nodes.append(("Conv", "xq w1q", "c1", {"pads": [1, 1, 1, 1]}))
    if form != "runtime":  # which leaves it to the range
        nodes.append(("Relu", "c1", "r1", {}))
    map_("c1" if form == "runtime" else "r1", "r1q", STEPS["r"])
    nodes.append(("MaxPool", "r1q", "p1", {"kernel_shape": [2, 2], "strides": [2, 2]}))
    weight("w2")
    nodes.append(("Conv", "p1 w2q", "c2", {"pads": [1, 1, 1, 1]}))
    map_("c2", "c2q", STEPS["c"], signed=True, bits=8)
    weight("w3")
    nodes.append(("Flatten", "c2q", "f", {}))
    constants |= {"bw": numbers.bias, "bs": numbers.bias_step.reshape(1), "b32": np.float32(32)}
    if form == "qonnx":
        constants["b"] = numbers.bias.astype(np.float32) * numbers.bias_step
        nodes.append(("Quant", "b bs zero b32", "bq", {"signed": 1, "narrow": 0, **QONNX}))
    else:
        nodes.append(("DequantizeLinear", "bw bs", "bq", {"axis": 0}))
    nodes.append(("Gemm", "f w3q bq", "g1", {"transB": 1}))
    if form != "runtime":
        nodes.append(("Relu", "g1", "h", {}))
    map_("g1" if form == "runtime" else "h", "hq", STEPS["h"])
    weight("w4")
    nodes.append(("Gemm", "hq w4q", "y", {"transB": 1}))
    return save(path, nodes, constants, shape=("n", 2, 7, 7))


W = {"w": array(4, 2, 3, 3), "w4": array(4, 4, 3, 3), "w1": array(4, 4, 1, 1), "s": np.float32(0.05)}


WHOLE = np.random.default_rng(8).integers(-8, 8, (6, 4, 3, 3)).astype(np.int8)
CONV = ("Conv", "x w", "c", {})


def qdq(name, out, zero="", step="s"):
    return [
        ("QuantizeLinear", f"{name} {step} {zero}".strip(), f"{out}_i", {}),
        ("DequantizeLinear", f"{out}_i {step} {zero}".strip(), out, {}),
    ]
