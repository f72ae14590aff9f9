#!/usr/bin/env bash
# torch.export keeps `torch.no_grad()` inside a forward pass and loses `torch.inference_mode()`: what was
# frozen gets gradients.
#
# torch 2.13.0. A good guess: both switch gradients off, so both are kept, or both are dropped. But a region
# under no_grad becomes a higher-order operation, wrap_with_set_grad_enabled, with a graph of its own, in which a
# walk over the nodes of the outer graph does not find the layers; a region under inference_mode becomes part
# of the outer graph without a trace. The exported module of the former trains as the original does, that of
# the latter trains weights that the original froze.
#
# Seen (gradient of the layer's weight in the original, and in the exported module; the layer's operation):
#     no_grad: False False, wrap_with_set_grad_enabled
#     inference_mode: False True, aten.linear.default
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.2.6'
cat > "$folder/export.py" <<'END'
import sys

import torch
from torch import nn


class Frozen(nn.Module):
    """A layer whose forward pass runs under ``mode``, then one that trains."""

    def __init__(self, mode):
        super().__init__()
        self.frozen, self.head, self.mode = nn.Linear(4, 4), nn.Linear(4, 2), mode

    def forward(self, x):
        with self.mode():
            x = self.frozen(x)
        return self.head(x.clone())


def trains(module, weight):
    """Whether a backward pass of ``module`` reaches ``weight``."""
    module(torch.ones(2, 4)).sum().backward()
    found, weight.grad = weight.grad is not None, None
    return found


results = {}
for mode in (torch.no_grad, torch.inference_mode):
    model = Frozen(mode)
    exported = torch.export.export(model, (torch.ones(2, 4),))
    operation = next(str(node.target) for node in exported.graph.nodes if node.op == "call_function")
    module = exported.module()
    results[mode.__name__] = (trains(model, model.frozen.weight), trains(module, module.frozen.weight), operation)
for name, (original, copy, operation) in results.items():
    print(f"{name}: {original} {copy}, {operation}")
wanted = {
    "no_grad": (False, False, "wrap_with_set_grad_enabled"),
    "inference_mode": (False, True, "aten.linear.default"),
}
sys.exit(results != wanted)
END
"$folder/venv/bin/python" "$folder/export.py"
