"""Additions as weights: what a layer adds reaches its output unmoved, whatever the padding, and stays
there."""

import pytest
import torch

from hw.contract.artifact import Sparsity
from hw.contract.network import Conv, Dense, Network
from hw.util.errors import ConfigError
from pruning import MagnitudeConfig, NetworkModel, fold_batch_norms_, prune_, quantise_, to_artifact
from pruning.layers.models import takes_all
from pruning.quant.additions import absorb_additions_
from sim import model as integer_model


def residual(kernel: int = 3) -> Network:
    """A block with an addition between two other layers; the map that is added has both signs."""
    padding = {"padding": (kernel - 1) // 2, "end_padding": kernel // 2}
    return Network(
        "residual",
        (2, 11, 9),
        (
            Conv("stem", 2, 5, 3, padding=1, relu=False),
            Conv("inner", 5, 6, kernel, **padding),
            Conv("sum", 11, 5, kernel, added=True, sources=("inner", "stem"), **padding),
            Dense("fc", 5 * 99, 4, relu=False),
        ),
    )


def images(network: Network, count: int = 6) -> torch.Tensor:
    return torch.randint(0, 256, (count, *network.input), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 7])
def test_the_model_does_not_change(kernel):
    network = residual(kernel)
    model = NetworkModel(network, batch_norm=True).train()
    x = images(network) / 255
    model(x)
    model.eval()
    with torch.no_grad():
        expected = model(x)
        fold_batch_norms_(model, network)
        assert not takes_all(model.sum) and model.sum.weight.shape[1] == 6
        absorb_additions_(model, network)
        whole = model.sum
        absorb_additions_(model, network)
        assert model.sum is whole and takes_all(whole) and whole.weight.shape[1] == 11
        torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-5)


def test_pruning_leaves_what_is_added_and_nothing_else_of_it():
    """Masks are those of the convolved channels; the added ones keep their own channel and no other."""
    network = residual()
    model = NetworkModel(network)
    prune_(model, network, MagnitudeConfig(Sparsity("kernel", 4, 32), {"fc": None})).finalise()
    pruned = model.sum.mask.clone()
    absorb_additions_(model, network)
    assert torch.equal(model.sum.mask[:, :6], pruned)
    assert torch.equal(model.sum.mask[:, 6:], torch.eye(5, dtype=torch.bool)[:, :, None].expand(-1, -1, 32))


def test_integers_add_what_floats_add():
    network = residual()
    torch.manual_seed(1)
    model = NetworkModel(network).eval()
    x = images(network, 16)
    with torch.no_grad():
        expected = model(x / 255)
        quantise_(model, network, x / 255, weight_bits=12)
    artifact = to_artifact(model, network)
    scores = integer_model.run(artifact, x.numpy().astype("uint8")) * artifact.score_scale
    assert abs(scores - expected.numpy()).max() < 0.05 * float(expected.abs().max())
    kept = artifact.layers["sum"].mask[:, 6:]
    assert kept.sum() == 5 * 32 and kept[range(5), range(5)].all()


def test_channels_of_branches_are_not_removed():
    with pytest.raises(ConfigError, match="removes channels, and in network 'residual', which has branches"):
        prune_(NetworkModel(residual()), residual(), MagnitudeConfig(Sparsity("filter", 1, 2)))
