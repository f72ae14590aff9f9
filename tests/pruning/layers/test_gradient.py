"""Steps of training: as long in space for spectra as for kernels, and masks that hold."""

import pytest
import torch
from torch import nn

from pruning.layers import transform
from pruning.layers.gradient import MOMENTUM, optimiser_for
from pruning.layers.spectral import SpectralConv2d


def test_sgd_moves_a_spectrum_as_far_as_its_kernel():
    """Words that count twice move as the kernel does; decay shrinks both alike."""
    conv = nn.Conv2d(3, 4, 5)
    models = [nn.Sequential(conv), nn.Sequential(SpectralConv2d.from_conv(conv))]
    x = torch.randn(2, 3, 12, 12)
    moved = []
    for model in models:
        before = model[0].weight.detach().clone()
        optimiser = optimiser_for(model, "sgd", 0.01, 0.1)
        for group in optimiser.param_groups:
            group["lr"] = 0.01 * group["scale"]
        model(x).square().mean().backward()
        optimiser.step()
        moved.append(model[0].weight.detach() - before)
    kernel = transform.kernel_matrix().float() @ moved[1].permute(2, 3, 0, 1).reshape(64, -1)
    kernel = kernel.view(8, 8, 4, 3).permute(2, 3, 0, 1)[..., :5, :5]
    # dual-real words, two of 32, count once and move half as far
    assert float((kernel - moved[0]).norm() / moved[0].norm()) < 0.25
    direction = float((kernel * moved[0]).sum() / (kernel.norm() * moved[0].norm()))
    assert direction > 0.97


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_the_layer_itself_moves_and_masked_words_stay_zero(name):
    """The optimiser holds views of the spectra: steps must reach the layers, and resume from a state."""
    layer = SpectralConv2d.from_conv(nn.Conv2d(3, 4, 3, padding=1))
    layer.mask[:, :, 5:] = False
    with torch.no_grad():
        layer.weight *= layer.gate(layer.mask)
    before = layer.weight.detach().clone()
    model = nn.Sequential(layer)
    optimiser = optimiser_for(model, name, 0.01, 0.1)
    for _ in range(3):
        model.zero_grad()
        model(torch.randn(2, 3, 9, 9)).square().sum().backward()
        optimiser.step()
    assert (layer.weight != before)[layer.mask].float().mean() > 0.9
    assert not layer.weight[~layer.mask].any()
    state = optimiser.state_dict()
    again = optimiser_for(model, name, 0.01, 0.1)
    again.load_state_dict(state)
    assert len(again.state) == len(optimiser.state) == 2


def test_biases_and_norms_do_not_decay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimiser = optimiser_for(model, "sgd", 0.1, 0.5)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for name, value in model.named_parameters():
        # Nesterov's first step is longer by the momentum.
        factor = 1 - 0.1 * 0.5 * (1 + MOMENTUM) if value.dim() > 1 else 1
        torch.testing.assert_close(value, before[name] * factor, msg=name)
