"""Quantised weights of an ONNX file: widths, blocks, channels, roundings, names."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from hw.util.errors import UnsupportedNetwork
from pruning import from_onnx
from tests.pruning.importers.onnx_graphs import array, save
from tests.pruning.importers.quantised_graphs import QONNX, WHOLE, tensor


def weights_of(path):
    return from_onnx(path).model.get_submodule(from_onnx(path).network.layers[0].name).weight.detach()


def of_weights(path, nodes, constants, opset=21):
    return save(path, [*nodes, ("Conv", "x wq", "y", {})], constants, shape=("n", 4, 9, 9), opset=opset)


def test_weights_of_four_bits_in_blocks_and_channels(tmp_path):
    """Opset 21: a step for every two input channels of every output."""
    steps = np.random.default_rng(9).uniform(0.1, 1, (6, 2, 3, 3)).astype(np.float32)
    nodes = [("DequantizeLinear", "w s", "wq", {"axis": 1, "block_size": 2})]
    path = of_weights(tmp_path / "i4.onnx", nodes, {"s": steps})
    proto = onnx.load(path)
    proto.graph.initializer.append(helper.make_tensor("w", TensorProto.INT4, WHOLE.shape, WHOLE.flatten()))
    onnx.save(proto, path)
    expected = WHOLE * steps[:, [0, 0, 1, 1]]
    np.testing.assert_allclose(weights_of(path).numpy(), expected, rtol=1e-6)
    assert from_onnx(path).note == "weights of up to 4 bits are the real numbers of the file"


ROUNDED = {
    "ROUND": [-2, -2, -1, 0, 0, 0, 1, 2, 2],
    "FLOOR": [-2, -2, -2, -1, 0, 0, 1, 1, 2],
    "CEIL": [-2, -1, -1, 0, 0, 1, 2, 2, 2],
    "UP": [-2, -2, -2, -1, 0, 1, 2, 2, 2],
    "DOWN": [-2, -1, -1, 0, 0, 0, 1, 1, 2],
    "HALF_UP": [-2, -2, -1, -1, 0, 1, 1, 2, 2],
    "HALF_DOWN": [-2, -1, -1, 0, 0, 0, 1, 1, 2],
}
"""Of -2.4, -1.5, -1.2, -0.5, 0, 0.5, 1.2, 1.5 and 2.4, kept within -2 and 2."""


@pytest.mark.parametrize("mode", ROUNDED)
def test_roundings_of_weights_are_those_of_qonnx(tmp_path, mode):
    given = np.array([-2.4, -1.5, -1.2, -0.5, 0, 0.5, 1.2, 1.5, 2.4], np.float32)
    attributes = {"signed": 1, "narrow": 1, "rounding_mode": mode, **QONNX}
    constants = {"w": np.float32(0.5) * np.tile(given, 4).reshape(1, 4, 3, 3), "s": np.float32(0.5)}
    constants |= {"z": np.float32(0), "b": np.float32(2.5849625)}  # 5 numbers have no whole number of bits
    nodes = [("Quant", "w s z b", "wq", attributes)]
    with pytest.raises(UnsupportedNetwork, match=r"Quant node 'node0': 2\.58\d+ bits; give one width"):
        from_onnx(of_weights(tmp_path / "r.onnx", nodes, constants))
    constants["b"] = np.float32(3)
    constants["w"] = np.clip(constants["w"], -1.2, 1.2)
    found = weights_of(of_weights(tmp_path / "r.onnx", nodes, constants))[0, 2].flatten().numpy() * 2
    wanted = [
        3 if n == 2.4 and mode in ("CEIL", "UP") else m for n, m in zip(given, ROUNDED[mode], strict=True)
    ]
    wanted = [-3 if n < -2 and mode in ("FLOOR", "UP") else m for n, m in zip(given, wanted, strict=True)]
    assert [float(n) for n in found] == [float(n) for n in wanted]


@pytest.mark.parametrize("node", [("BipolarQuant", "w s"), ("Quant", "w s z one")], ids=lambda n: n[0])
def test_weights_of_one_bit_are_minus_one_and_one(tmp_path, node):
    constants = {"w": array(6, 4, 3, 3), "s": np.float32(0.25), "z": np.float32(0), "one": np.float32(1)}
    constants["w"][0, 0, 0, 0] = 0.0
    path = of_weights(tmp_path / "b.onnx", [(*node, "wq", {"signed": 1, "narrow": 0, **QONNX})], constants)
    assert torch.equal(weights_of(path), tensor(np.where(constants["w"] >= 0, 0.25, -0.25)).float())
    assert from_onnx(path).note == "weights of up to 1 bits are the real numbers of the file"


def test_layers_are_called_after_the_weights_in_front_of_their_quantisers(tmp_path):
    nodes = [("DequantizeLinear", "features.3.weight_quantized s", "t7", {}), ("Conv", "x t7", "y", {})]
    constants = {"features.3.weight_quantized": WHOLE[:, :2], "s": np.float32(0.1)}
    (layer,) = from_onnx(save(tmp_path / "n.onnx", nodes, constants)).network.layers
    assert layer.name == "features_3"
