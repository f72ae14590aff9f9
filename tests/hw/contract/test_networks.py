"""Networks by name: known ones, and one sentence for those the hardware cannot run."""

import pytest

from hw.contract.network import MISSING, NETWORKS, find_network
from hw.util.errors import ConfigError, UnsupportedNetwork


@pytest.mark.parametrize("name", NETWORKS)
def test_every_name_is_that_of_its_network(name):
    assert find_network(name).name == find_network(name.upper()).name == name


@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_of_one_pixel_are_not_transformed(name):
    points = [layer for layer in find_network(name).layers if not layer.dot and layer.kernel == 1]
    assert all(layer.pointwise for layer in points)
    assert len(points) == {"resnet20": 2, "resnet18": 3, "resnet34": 3, "resnet50": 36, "mobilenet": 13}.get(
        name, len(points)
    )


@pytest.mark.parametrize(("name", "found"), [("ResNet-50", "resnet50"), ("vgg16cifar", "vgg16-cifar")])
def test_hyphens_and_capitals_make_no_difference(name, found):
    assert find_network(name).name == found


@pytest.mark.parametrize("name", ["efficientnet-b0", "MobileNet-v3"])
def test_a_family_is_refused_with_what_is_missing(name):
    with pytest.raises(UnsupportedNetwork) as caught:
        find_network(name)
    message = str(caught.value)
    assert (
        message.startswith(f"{name} needs ")
        and "gates (squeeze and excitation)" in message
        and "ONNX file" in message
    )
    assert "vgg16" in message and "\n" not in message


def test_no_known_network_is_called_missing():
    assert not any(name.startswith(family) for name in NETWORKS for family in MISSING)


def test_an_unknown_name_gets_the_known_ones():
    with pytest.raises(ConfigError, match="there is no network 'vgg': choose from lenet, tiny, vgg16"):
        find_network("vgg")
