"""One projection and a refit: little is lost, less than by magnitude, and what should stay stays."""

import copy

import pytest
import torch
from torch import nn

import pruning
from hw.contract.artifact import Sparsity
from pruning.optimisers import MagnitudeConfig, prune_
from pruning.post_training import compress
from pruning.post_training.compress import compress_
from tests.pruning.post_training.gratings import SIDE, accuracy, gratings, trained

QUARTER = Sparsity("adaptive", 2, 8, 8)


@pytest.fixture(scope="module")
def net():
    torch.set_num_threads(1)
    return trained()


def sparse(network, inner=QUARTER):
    """``inner`` for all but the first and the last layer."""
    return MagnitudeConfig(None, {layer.name: inner for layer in network.layers[1:-1]})


def test_the_refitted_network_is_as_good_as_the_dense_one_and_magnitude_is_not(net):
    """Real training on a task that is not trivial; 128 images without labels, others to measure."""
    network, model = pruning.convert(net, (1, SIDE, SIDE))
    few, _ = gratings(128, seed=7)
    images, labels = gratings(600, seed=8)
    before = accuracy(net, images, labels)
    assert 75 < before < 100

    plain, found = copy.deepcopy(model), copy.deepcopy(model)
    prune_(plain.eval(), network, sparse(network)).finalise()
    compress_(found, network, few / 255, sparse(network))
    kept = found.get_submodule(network.layers[2].name).mask.float().mean()
    assert 0.2 < kept <= 0.25
    after, by_magnitude = accuracy(found, images, labels), accuracy(plain, images, labels)
    assert after > before - 4 and after > by_magnitude + 4


def test_each_half_gains_outputs_that_are_nearer(net, monkeypatch):
    """Words that are weighed are nearer than those of largest magnitude, and refitted much nearer still."""
    network, model = pruning.convert(net, (1, SIDE, SIDE))
    few, images = gratings(128, seed=7)[0] / 255, gratings(200, seed=8)[0] / 255
    with torch.no_grad():
        wanted = net(images)

    def distance(prepare):
        other = copy.deepcopy(model)
        prepare(other)
        with torch.no_grad():
            return float((other.eval()(images) - wanted).norm() / wanted.norm())

    plain = distance(lambda m: prune_(m, network, sparse(network)).finalise())
    refitted = distance(lambda m: compress_(m, network, few, sparse(network)))
    monkeypatch.setattr(compress, "refit_", lambda *_: None)
    weighed = distance(lambda m: compress_(m, network, few, sparse(network)))
    assert refitted < 0.2 * weighed and weighed < plain


def test_dense_targets_change_no_output(net):
    network, model = pruning.convert(net, (1, SIDE, SIDE))
    images = gratings(32, seed=9)[0] / 255
    compress_(model, network, images, MagnitudeConfig(None, {}))
    with torch.no_grad():
        assert torch.allclose(model(images), net(images), atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


class Residual(nn.Module):
    """A sum, a depthwise convolution and a copy of one map."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(1, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.c = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.d = nn.Conv2d(8, 8, 3, padding=1)
        self.e = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.a(x))
        x = torch.relu(self.b(x) + x)
        x = torch.relu(self.d(torch.relu(self.c(x))) + x)
        return self.e(x.mean((2, 3)))


def test_sums_are_part_of_what_is_refitted_and_depthwise_stays_so():
    torch.manual_seed(3)
    net = Residual().eval()
    network, model = pruning.convert(net, (1, SIDE, SIDE))
    targets = MagnitudeConfig(None, {"b": QUARTER, "d": QUARTER})
    few, images = gratings(32, seed=7)[0] / 255, gratings(64, seed=8)[0] / 255
    plain = copy.deepcopy(model).eval()
    prune_(plain, network, targets).finalise()
    compress_(model, network, few, targets)
    with torch.no_grad():
        wanted = net(images)
        near, far = ((m(images) - wanted).norm() for m in (model, plain))
    assert near < 0.3 * far
    assert torch.equal(model.get_submodule("c").mask.any(2), torch.eye(8, dtype=torch.bool))


def test_words_that_are_zero_are_not_filled():
    """Those of a layer that only copies, say: they would cost steps."""
    torch.manual_seed(4)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 1),
    )
    with torch.no_grad():
        net[4].weight.copy_(torch.eye(8)[:, :, None, None])
    network, model = pruning.convert(net, (1, SIDE, SIDE))
    names = [layer.name for layer in network.layers]
    compress_(model, network, gratings(32, seed=7)[0] / 255, MagnitudeConfig(None, {names[1]: QUARTER}))
    kept = model.get_submodule(names[2]).mask
    assert torch.equal(kept.any(2), torch.eye(8, dtype=torch.bool))


def test_removed_channels_are_made_up_for():
    """Of a filter that goes, the bias and the layer behind it know."""
    torch.manual_seed(5)
    net = trained(steps=30)
    network, model = pruning.convert(net, (1, SIDE, SIDE))
    names = [layer.name for layer in network.layers]
    targets = MagnitudeConfig(None, {names[1]: Sparsity("filter", 3, 4)})
    few, images = gratings(128, seed=7)[0] / 255, gratings(100, seed=8)[0] / 255
    plain = copy.deepcopy(model).eval()
    prune_(plain, network, targets).finalise()
    compress_(model, network, few, targets)
    gone = ~model.get_submodule(names[1]).mask.any((1, 2))
    assert int(gone.sum()) == 6 and not model.get_submodule(names[2]).mask[:, gone].any()
    with torch.no_grad():
        wanted = net(images)
        assert (model(images) - wanted).norm() < 0.5 * (plain(images) - wanted).norm()


def test_large_maps_take_fewer_images_and_parts_make_no_difference(net, monkeypatch):
    network, model = pruning.convert(net, (1, SIDE, SIDE))
    few = gratings(64, seed=7)[0] / 255
    seen = []
    other = copy.deepcopy(model)
    compress_(model, network, few[::2], sparse(network), lambda done, what: seen.append((done, what)))
    assert seen == sorted(seen, key=lambda item: item[0]) and seen[-1][0] < 1
    assert [what for _, what in seen][-2:] == [f"refitting {layer.name}" for layer in network.layers[-2:]]
    monkeypatch.setattr(compress, "FEWEST", 32)
    monkeypatch.setattr(compress, "MOST_BYTES", 1)
    monkeypatch.setattr(compress, "MAP_BYTES", 10 * 4 * 16 * SIDE**2)
    compress_(other, network, few, sparse(network))
    with torch.no_grad():
        one, two = (m(few) for m in (model, other))
    assert (one - two).norm() < 0.02 * one.norm()
