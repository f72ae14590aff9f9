"""The number of networks that are accepted; every other one says why, in sentences."""

import pytest

from tests.census.census import judged
from tests.census.nets import NETS

REFUSED = {
    "perceptron, 784 inputs": ["at most 8×8 pixels, not 28×28"],
    "perceptron with norms, 784 inputs": ["at most 8×8 pixels, not 28×28"],
    "lenet-5, tanh and means": ["tanh in '1' (Tanh)"],
    "caffe's cifar-quick": ["max pooling of 3×3 with stride 2×2", "average pooling of 16×16 maps"],
    "alexnet": ["max pooling of 3×3"],
    "resnet-18": ["max pooling of 3×3"],
    "resnet-34": ["max pooling of 3×3"],
    "resnet-50": ["max pooling of 3×3"],
    "se-resnet": ["gates"],
    "googlenet": ["max pooling of 3×3 with stride 1×1", "max pooling of 3×3 with stride 2×2"],
    "densenet": ["max pooling of 3×3"],
    "squeezenet 1.0": ["max pooling of 3×3"],
    "squeezenet 1.1": ["max pooling of 3×3"],
    "u-net": ["maps never grow"],
    "mobilenet, ReLU6": ["hardtanh in '2' (ReLU6)"],
    "keyword spotting, cnn": ["7×5 kernel", "5×3 kernel"],
    "mobilenet-v2": ["hardtanh in '2' (ReLU6)"],
    "mobilenet-v3": ["hardswish in '2' (Hardswish)", "gates"],
    "efficientnet": ["silu in '2' (SiLU)", "gates"],
    "efficientnet-lite": ["hardtanh in '2' (ReLU6)"],
    "tiny-yolo-v2": ["leaky_relu in '2' (LeakyReLU)", "max pooling of 2×2 with stride 1×1"],
    "autoencoder, transposed convolutions": ["maps never grow"],
    "srcnn": ["a kernel of 9×9"],
}
"""What is in the way, all of it."""


def test_of_72_networks_49_are_accepted():
    assert (len(NETS), len(NETS) - len(REFUSED)) == (72, 49)
    assert REFUSED.keys() < NETS.keys()


@pytest.mark.parametrize("name", NETS)
def test_a_network_computes_the_same_or_is_refused_for_all_its_reasons(name):
    result = judged(name)
    assert result.accepted == (name not in REFUSED), result.says
    reasons = REFUSED.get(name, ())
    if len(reasons) > 1:
        assert result.says.startswith(f"{len(reasons)} things are in the way: (1) ")
    for reason in reasons:
        assert reason in result.says
