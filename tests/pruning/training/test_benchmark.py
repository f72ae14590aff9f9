"""The benchmark of training runs everything it compares, on a network that takes no time."""

import pytest
import torch

from hw.contract.network import cifar_small
from pruning.training import benchmark
from pruning.training.memory import keep_freed_memory


def test_every_option_is_measured_and_tabled():
    speed = benchmark.measure(cifar_small(), batch=4, rounds=1)
    assert set(speed) == set(benchmark.OPTIONS) and min(speed.values()) > 0
    table = benchmark.markdown({"images_per_second": {**speed, "Conv2d float32": 50.0, "Conv2d bf16": 75.0}})
    assert "| Conv2d float32 | 50 | 1.00 |" in table and "| Conv2d bf16 | 75 | 1.50 |" in table


@pytest.mark.parametrize("layers", ["pruning", "pruned"])
def test_a_step_trains_what_it_says(layers):
    """While pruning all words move; after that those outside the masks stay zero."""
    torch.manual_seed(0)
    models = []

    class Spy(benchmark.NetworkModel):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            models.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark, "NetworkModel", Spy)
        step = benchmark.stepper(cifar_small(), torch.rand(4, 3, 32, 32), "float32", layers)
    layer = models[0].get_submodule(cifar_small().layers[1].name)
    before = layer.weight.detach().clone()
    step()
    moved = (layer.weight != before).any(-1)
    assert moved[layer.mask].all() and not moved[~layer.mask].any()
    assert layer.mask.all() if layers == "pruning" else 0.2 < layer.mask.float().mean() <= 0.25


def test_freed_memory_can_be_kept_twice():
    assert keep_freed_memory() == keep_freed_memory()
