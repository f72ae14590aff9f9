"""The number of networks that are accepted; every other one says why, in sentences."""

import pytest

from tests.census.census import judged
from tests.census.nets import NETS

REFUSED = {
    "lenet-5, tanh and means": ["tanh in '1' (Tanh)"],
    "caffe's cifar-quick": ["average pooling of 16×16 maps"],
    "se-resnet": ["gates"],
    "keyword spotting, cnn": ["7×5 kernel", "5×3 kernel"],
    "mobilenet-v3": ["hardswish in '2' (Hardswish)", "gates"],
    "efficientnet": ["silu in '2' (SiLU)", "gates"],
}
"""What is in the way, all of it."""


def test_of_72_networks_66_are_accepted():
    assert (len(NETS), len(NETS) - len(REFUSED)) == (72, 66)
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
