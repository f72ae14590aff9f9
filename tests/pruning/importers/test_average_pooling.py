"""Average pooling of files: windows, padding of any sides, what counts as a pixel; and as layers."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pruning import from_onnx
from pruning.importers import averages
from pruning.importers.onnx_nodes import average
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import CONV, WEIGHTS, array, save


def by_hand(x, kernel, stride, pads, ceil, counted):
    """Window by window."""
    top, left, bottom, right = pads
    whole = F.pad(x, (left, right, top, bottom), value=0.0 if counted else torch.nan)
    starts = []
    for axis in range(2):
        end, first = whole.shape[2 + axis] - kernel[axis], pads[axis]
        found = [n for n in range(0, end + 1, stride[axis])]
        more = found[-1] + stride[axis]
        if ceil and found[-1] < end and more < x.shape[2 + axis] + first:
            found.append(more)
        starts.append(found)
    rows = [
        [whole[:, :, y : y + kernel[0], z : z + kernel[1]].flatten(2).nanmean(2) for z in starts[1]]
        for y in starts[0]
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


@pytest.mark.parametrize(("ceil", "counted"), [(False, False), (False, True), (True, False), (True, True)])
def test_windows_are_those_of_the_definition(ceil, counted):
    """Of torch, too, where it has such padding."""
    x = torch.rand(2, 3, 9, 11, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    for kernel, stride, pads in product(
        [(2, 2), (3, 3), (3, 2)],
        [(1, 1), (2, 2), (3, 2)],
        [(0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 1, 1), (1, 0, 0, 1)],
    ):
        found = average(x, kernel, stride, pads, ceil, counted)
        torch.testing.assert_close(found, by_hand(x, kernel, stride, pads, ceil, counted))
        if pads[:2] == pads[2:]:
            torch.testing.assert_close(found, F.avg_pool2d(x, kernel, stride, pads[:2], ceil, counted))


FILES = {
    "a window that is padded to its size": (
        {"kernel_shape": [8, 8], "strides": [1, 1], "pads": [0, 0, 1, 1]},
        lambda x: x.mean((2, 3), keepdim=True),
    ),
    "windows of the last rows": (
        {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1], "count_include_pad": 1},
        lambda x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2),
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_uneven_padding_in_a_file(tmp_path, case):
    """In front of a fully connected layer, and of a convolution."""
    attributes, expected = FILES[case]
    images = torch.rand(2, 2, 9, 9, generator=torch.Generator().manual_seed(2))
    pooled = expected(F.conv2d(images, torch.from_numpy(WEIGHTS["w"])))
    features = pooled[0].numel()
    pool = ("AveragePool", "c", "p", attributes)
    dense = [CONV, pool, ("Flatten", "p", "f", {}), ("MatMul", "f v", "y", {})]
    constants = {"v": array(features, 3), "u": array(3, 4, 1, 1)}
    found = from_onnx(save(tmp_path / "dense.onnx", dense, WEIGHTS | constants)).model.eval()
    with torch.no_grad():
        assert_same(found(images), pooled.flatten(1) @ torch.from_numpy(constants["v"]))
    if "count_include_pad" in attributes:
        nodes = [CONV, pool, ("Conv", "p u", "y", {})]
        found = from_onnx(save(tmp_path / "conv.onnx", nodes, WEIGHTS | constants)).model.eval()
        with torch.no_grad():
            assert_same(found(images), F.conv2d(pooled, torch.from_numpy(constants["u"])))


def test_windows_that_count_fewer_pixels_at_borders_are_known_as_such():
    def pool(x, counted, padding=1):
        return average(x, (3, 3), (2, 2), [padding] * 4, False, counted)

    assert averages.counts_less_at_borders(lambda x: pool(x, False), 8, 8)
    assert averages.windows(lambda x: pool(x, False), 8, 8) is None
    (window,) = averages.windows(lambda x: pool(x, True), 8, 8)
    assert window.kernel == (3, 3) and window.weight == pytest.approx(1 / 9)
    numbers = torch.from_numpy(np.random.default_rng(3).random((1, 1, 8, 8)))
    assert not averages.counts_less_at_borders(lambda x: x[:, :, ::2, ::2] * numbers[:, :, ::2, ::2], 8, 8)
    assert not averages.counts_less_at_borders(lambda x: F.max_pool2d(x, 3, 2, 1), 8, 8)
