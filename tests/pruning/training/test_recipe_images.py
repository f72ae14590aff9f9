"""Recipes of files that were trained on images with a mean subtracted, and the options that say so."""

import pytest
import torch
import torch.nn.functional as F

from hw.util.errors import ConfigError
from pruning.commands.options import parse_numbers
from pruning.training import recipe
from tests.pruning.importers.onnx_graphs import array, save

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 2.0, 0.25)
WEIGHTS = {"w": array(4, 3, 3, 3), "f": array(4 * 32 * 32, 10)}
NODES = [
    ("Conv", "x w", "c", {"pads": [1, 1, 1, 1]}),
    ("Flatten", "c", "v", {}),
    ("MatMul", "v f", "y", {}),
]


@pytest.fixture
def file(tmp_path):
    return save(tmp_path / "net.onnx", NODES, WEIGHTS, (1, 3, 32, 32))


def check(found, mean, std):
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(1)) / 255
    given = (images - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    expected = F.conv2d(given, torch.tensor(WEIGHTS["w"]), padding=1).flatten(1) @ torch.tensor(WEIGHTS["f"])
    with torch.no_grad():
        torch.testing.assert_close(found.start.eval()(images), expected, rtol=1e-4, atol=1e-2)


def test_a_file_alone_is_given_its_mean_and_deviation(file):
    check(recipe.find(str(file), mean=MEAN, std=STD), MEAN, STD)
    check(recipe.find(str(file), std=(0.5,)), (0.0,), (0.5,))


def test_a_recipe_has_them_and_options_come_before(file):
    path = file.with_suffix(".toml")
    path.write_text('network = "net.onnx"\ndata = "cifar10"\nmean = [0.1, 0.2, 0.3]\nstd = 0.5\n')
    check(recipe.find(str(path)), MEAN, (0.5,))
    check(recipe.find(str(path), mean=(0.0,)), (0.0,), (0.5,))
    path.write_text('network = "net.onnx"\ndata = "cifar10"\nmean = [0.1, 0.2]\n')
    with pytest.raises(ConfigError, match=r"net.toml: mean is 2 numbers for images of 3 channels"):
        recipe.find(str(path))


def test_what_is_trained_here_takes_images_as_they_are():
    with pytest.raises(ConfigError, match="'lenet' is trained here, on images of 0 to 1: leave them out"):
        recipe.find("lenet", mean=0.5)


def test_numbers_have_commas_between_and_may_be_fractions():
    assert parse_numbers("--mean", None) is None
    assert parse_numbers("--mean", "0.5") == (0.5,)
    assert parse_numbers("--std", "1/255, 2,.5") == (1 / 255, 2.0, 0.5)
    for wrong in ("", "0.5;0.4", "1/0", "a,b", "1,,2"):
        with pytest.raises(ConfigError, match="--std takes numbers with commas between"):
            parse_numbers("--std", wrong)
