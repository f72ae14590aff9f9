"""Models that cannot be traced, or not as what they are: what to say of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning.importers.refusals import refuse
from pruning.layers.word_layers import WordLayer

FLOAT_MODEL = "give the float model: spec2 quantises by the hardware's rules"

PACKAGES = (
    (("torch.ao.nn.qat", "torch.ao.nn.intrinsic.qat"), "it is prepared for quantisation-aware training"),
    (
        ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse.quantized"),
        "it is quantised already (post-training quantisation)",
    ),
    (("brevitas.",), "it is a quantised layer of Brevitas"),
)
"""(where a module's class comes from, what it is)."""

BASES = (
    ("FakeQuantizeBase", "it is prepared for quantisation-aware training"),
    ("ObserverBase", "it is prepared for post-training quantisation"),
)
"""(a class that a module's class derives from, what it is)."""


def check_kind(model: Any) -> None:
    """Raises ``ConfigError`` for what is no module, ``UnsupportedNetwork`` for one of another kind."""
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        way_out = (
            "load it into the module that it belongs to" if isinstance(model, dict) else "give the module"
        )
        if isinstance(model, torch.export.ExportedProgram):
            way_out = "give its module()"
        raise ConfigError(f"convert takes a torch.nn.Module, not a {kind}: {way_out}")
    if isinstance(model, torch.jit.ScriptModule):
        raise refuse(
            f"the model ({type(model).__name__})",
            "it is TorchScript, whose modules are compiled",
            "give the nn.Module that it was scripted or traced from",
        )
    for path, module in model.named_modules():
        position, what = f"{path!r} ({type(module).__name__})", _quantised(module)
        if isinstance(module, torch.jit.ScriptModule):
            raise refuse(
                position, "it is TorchScript", "give the nn.Module that it was scripted or traced from"
            )
        if isinstance(module, WordLayer):
            raise refuse(
                position,
                "it is in spectral form already",
                "convert the model first, and prune what comes out of it",
            )
        if what:
            raise refuse(position, what, FLOAT_MODEL)


def _quantised(module: nn.Module) -> str | None:
    """What kind of quantised layer it is, if any. FloatFunctional computes with floats."""
    if "FloatFunctional" in type(module).__name__:
        return None
    bases = {base.__name__ for base in type(module).__mro__}
    home = type(module).__module__
    found = [what for homes, what in PACKAGES if home.startswith(homes)]
    found += [what for base, what in BASES if base in bases]
    return found[0] if found else None


def other_axes(model: nn.Module) -> UnsupportedNetwork | None:
    """The error for a model that takes no images because its convolutions have other axes, if it is one."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv1d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose3d):
            axes = "one axis" if "1d" in type(module).__name__ else "three axes"
            return refuse(
                f"{path!r} ({type(module).__name__})" if path else f"the model ({type(module).__name__})",
                f"a convolution over {axes}, and the hardware has two-dimensional ones alone",
                "use nn.Conv2d, for images of (channels, height, width)",
            )
    return None
