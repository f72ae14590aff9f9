"""Batch norms become part of the convolutions in front of them, in space and in the frequency domain."""

import pytest
import torch

from hw.contract.network import tiny
from pruning import NetworkModel, sort_channels_
from pruning.layers.models import norm_of
from pruning.layers.word_layers import to_word_layers_
from pruning.quant.batch_norm_folding import fold_batch_norms_


@pytest.fixture
def trained(tiny_batch):
    """A network whose norms do something: every statistic and parameter is its own."""
    model = NetworkModel(tiny(), batch_norm=True)
    model.train()
    for _ in range(3):
        model(tiny_batch)
    with torch.no_grad():
        for layer in tiny().layers:
            if (norm := norm_of(model, layer)) is not None:
                norm.weight.uniform_(0.5, 2)
                norm.bias.normal_()
    return model.eval()


@pytest.mark.parametrize("spectral", [False, True])
def test_outputs_stay_and_norms_go(trained, tiny_batch, spectral):
    before = trained(tiny_batch)
    if spectral:
        to_word_layers_(trained, tiny())
    fold_batch_norms_(trained, tiny())
    torch.testing.assert_close(trained(tiny_batch), before, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in trained.modules())
    trained.train()
    torch.testing.assert_close(trained(tiny_batch), before, rtol=1e-4, atol=1e-5)


def test_channels_take_their_norms_along(trained, tiny_batch):
    before, scale = trained(tiny_batch), trained.conv1_norm.weight.clone()
    sort_channels_(trained, tiny())
    torch.testing.assert_close(trained(tiny_batch), before, rtol=1e-4, atol=1e-5)
    assert not torch.equal(trained.conv1_norm.weight, scale)
