"""Exact equivalents of a chain are taken, and compute what torch computes; what is none is refused."""

import copy
from contextlib import nullcontext

import pytest
import torch
import torch.ao.quantization as quantisation
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import convert
from tests.pruning.importers.converting import assert_same, chains, stirred

SHAPE = (4, 9, 9)


class Net(nn.Module):
    """Layers to compose a forward pass of: ``function(self, x)``."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv, self.same, self.other = (
            nn.Conv2d(4, 6, 3),
            nn.Conv2d(6, 6, 3, padding=1),
            nn.Conv2d(6, 4, 3),
        )
        self.whole = nn.Conv2d(4, 6, 7, padding=0)
        self.norm, self.head, self.narrow = nn.BatchNorm2d(6), nn.Linear(6 * 49, 5), nn.Linear(6, 5)
        self.shift, self.scale = nn.Parameter(torch.randn(6)), nn.Parameter(torch.randn(6))
        self.matrix = nn.Parameter(torch.randn(6 * 49, 3))
        self.register_buffer("offsets", torch.randn(6, 1, 1))
        stirred(self, 5)

    def forward(self, x):
        return self.function(self, x)


def scores(m, x):
    return m.conv(x).flatten(1) @ m.matrix


def without_gradients(m, x):
    with torch.no_grad():
        x = m.conv(x)
    return m.same(x)


def in_regions(m, x):
    """One in another, and layers on both sides."""
    x = m.conv(x)
    with torch.no_grad():
        with torch.autocast("cpu", enabled=False):
            x = m.norm(x)
        x = F.relu_(x)
    with torch.enable_grad():
        return m.head(x.flatten(1))


def in_narrow_floats(m, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = m.conv(x)
    return m.same(x.float())


def in_place(m, x):
    x = m.conv(x)
    x *= 2
    x += m.offsets
    return x.clamp_(min=0)


def original_in_place(m, x):
    """What a copy was made of is changed, and the copy is not."""
    x = m.conv(x)
    copy = x.clone()
    x.relu_()
    return m.same(x) + copy


def unused(m, x):
    x = m.conv(x)
    torch.sigmoid(m.same(x)).sum()
    return m.same(x) if x is None else x.relu()


EQUAL = {
    "to a device": lambda m, x: m.conv(x.to("cpu")),
    "to the weights' device": lambda m, x: m.conv(x.to(m.conv.weight.device)),
    "to a type": lambda m, x: m.conv(x.to(torch.float32)),
    "float": lambda m, x: m.conv(x.float()).type_as(x),
    "wider and back": lambda m, x: m.conv(x.double().float()),
    "weights to a device": lambda m, x: F.conv2d(x, m.conv.weight.to(x.device), m.conv.bias.contiguous()),
    "cpu": lambda m, x: m.conv(x).cpu().type(torch.float32),
    "memory format": lambda m, x: m.conv(x.to(memory_format=torch.channels_last)).contiguous(),
    "no_grad": without_gradients,
    "regions": in_regions,
    "inference_mode": torch.inference_mode()(lambda m, x: m.conv(x)),
    "decorated": torch.no_grad()(lambda m, x: m.conv(x)),
    "nothing padded": lambda m, x: F.pad(m.conv(x), (0, 0, 0, 0), mode="reflect"),
    "padding": lambda m, x: m.conv(F.pad(x, (1, 1, 1, 1))),
    "padding in two": lambda m, x: m.same(F.relu(F.pad(F.pad(m.conv(x), (1, 0)), (0, 1, 1, 1)))),
    "identical order": lambda m, x: m.conv(x).permute(0, 1, 2, 3).transpose(2, -2),
    "pixels of one": lambda m, x: m.narrow(
        m.whole(x).relu().mean((2, 3), keepdim=True).permute(0, 2, 3, 1)[:, 0, 0]
    ),
    "squeezed twice": lambda m, x: m.narrow(F.adaptive_avg_pool2d(m.conv(x), 1).squeeze(3).squeeze(-1)),
    "first pixel": lambda m, x: m.narrow(F.adaptive_avg_pool2d(m.conv(x), 1)[:, :, 0, 0]),
    "mean of rows": lambda m, x: m.narrow(m.conv(x).flatten(2).mean(-1)),
    "sum": lambda m, x: m.narrow(m.conv(x).sum((2, 3))),
    "all of it": lambda m, x: m.conv(x)[:, :, 0:, :].repeat(1, 1, 1, 1).expand(-1, 6, -1, -1),
    "one joined": lambda m, x: torch.cat([m.conv(x)], 1),
    "flattened in two": lambda m, x: m.head(m.conv(x).relu().flatten(2).flatten(1)),
    "clamp": lambda m, x: m.conv(x).clamp(min=0),
    "clamp to infinity": lambda m, x: torch.clamp(m.conv(x), 0, float("inf")),
    "clamp_min": lambda m, x: torch.clamp_min(m.conv(x), 0.0),
    "clamp by a tensor": lambda m, x: torch.clamp(m.conv(x), min=torch.tensor(0.0)),
    "clamp of what is positive": lambda m, x: m.conv(x).relu().clamp(min=-1),
    "maximum": lambda m, x: torch.maximum(torch.tensor(0.0), m.conv(x)),
    "maximum with zeros": lambda m, x: (lambda y: torch.maximum(y, torch.zeros_like(y)))(m.conv(x)),
    "threshold": lambda m, x: F.threshold(m.conv(x), 0, 0),
    "leak of nothing": lambda m, x: F.leaky_relu(m.conv(x), 0.0),
    "leak of all": lambda m, x: F.leaky_relu(m.conv(x), 1.0),
    "leaky": lambda m, x: m.same(F.leaky_relu(m.conv(x), 0.125)),
    "leaky and pooled": lambda m, x: m.same(F.max_pool2d(F.leaky_relu(m.norm(m.conv(x)), 0.25), 3, 2, 1)),
    "leaky twice": lambda m, x: F.leaky_relu(F.leaky_relu(m.conv(x), 0.25), 0.125),
    "leaky far below": lambda m, x: F.leaky_relu(F.leaky_relu(m.conv(x), 1 / 64), 1 / 16),
    "leaky, then not": lambda m, x: m.same(F.leaky_relu(m.conv(x), 0.125).relu()),
    "leaky, clipped": lambda m, x: m.same(F.leaky_relu(m.conv(x), 0.125).clamp(0, 0.25)),
    "clipped, leaky": lambda m, x: m.same(F.leaky_relu(m.conv(x).clamp(0, 0.25), 0.1)),
    "leaky, times": lambda m, x: m.same(F.leaky_relu(m.conv(x), 0.125) * 3),
    "leaky, times below zero": lambda m, x: m.same(F.leaky_relu(m.conv(x), 0.125) * -3 + 1),
    "leaky of a map read twice": lambda m, x: (lambda y: m.same(F.leaky_relu(y, 0.5)) + y)(m.conv(x)),
    "leaky of what is joined": lambda m, x: (
        lambda y: m.same(F.leaky_relu(torch.cat([y[:, :3].relu(), y[:, 3:]], 1), 0.5))
    )(m.conv(x)),
    "leaky of means": lambda m, x: m.same(F.leaky_relu(F.avg_pool2d(m.conv(x), 2), 0.5)),
    "leaky and flat": lambda m, x: m.head(F.leaky_relu(m.conv(x).flatten(1), 0.25)),
    "prelu of one slope": lambda m, x: m.same(F.prelu(m.conv(x), torch.full((6,), 0.25))),
    "prelu of one number": lambda m, x: m.same(F.prelu(m.conv(x), torch.tensor([0.5]))),
    "prelu": lambda m, x: F.prelu(m.conv(x), torch.zeros(6)),
    "hardtanh": lambda m, x: F.hardtanh(m.conv(x), 0.0, float("inf")),
    "scalar": lambda m, x: 0.5 + m.conv(x) - 0.25,
    "alpha": lambda m, x: torch.add(m.conv(x), 3, alpha=0.5).sub(1, alpha=2),
    "subtracted": lambda m, x: 1 - m.conv(x),
    "alpha of the map": lambda m, x: torch.sub(m.offsets, m.conv(x), alpha=2),
    "factor": lambda m, x: m.conv(x) * 3 / 2,
    "negative": lambda m, x: -m.conv(x),
    "parameters": lambda m, x: m.conv(x) * m.scale.view(1, -1, 1, 1) + m.shift[None, :, None, None],
    "buffer": lambda m, x: m.conv(x) + 2 * m.offsets,
    "after a norm": lambda m, x: (m.norm(m.conv(x)) + m.offsets) * -0.5,
    "after a maximum": lambda m, x: F.max_pool2d(m.conv(x), 2) * 0.5 + m.offsets,
    "after ReLU": lambda m, x: m.conv(x).relu() * 2,
    "after ReLU, flat": lambda m, x: m.head(m.conv(x).relu().flatten(1) * 2),
    "scores": lambda m, x: m.head(m.conv(x).flatten(1)) / 4 - 1,
    "matrix": lambda m, x: m.conv(x).flatten(1) @ m.matrix + torch.tensor([1.0, 2.0, 3.0]),
    "in place": in_place,
    "in place, but for a copy": original_in_place,
    "unused": unused,
    "dropout of nothing": lambda m, x: F.dropout(m.conv(x), 0.0, True),
    "dropout in eval": lambda m, x: F.dropout2d(m.conv(x), 0.5, m.training),
    "padding for a norm": lambda m, x: m.norm(F.pad(m.conv(x), (1, 1, 1, 1))),
    "padding for a maximum": lambda m, x: F.max_pool2d(F.pad(m.conv(x), (1, 1, 1, 1)), 2),
    "padding for an offset": lambda m, x: m.same(F.pad(m.conv(x), (1, 1, 1, 1)) + 1),
    "doubled map": lambda m, x: (lambda y: y + y)(m.conv(x)),
    "offset after ReLU": lambda m, x: m.conv(x).relu() + 1,
    "negative after ReLU": lambda m, x: -m.conv(x).relu(),
    "negative after a maximum": lambda m, x: -F.max_pool2d(m.conv(x), 2),
    "padding at the end": lambda m, x: F.pad(m.conv(x), (1, 1, 1, 1)),
    "cropped": lambda m, x: m.conv(F.pad(x, (-1, -1, -1, -1))),
    "padding around averages": lambda m, x: m.same(F.pad(F.avg_pool2d(m.conv(x), 2), (1, 1, 1, 1))),
    "offset of averages": lambda m, x: m.narrow(m.conv(x).mean((2, 3)) + 1),
    "maximum of one": lambda m, x: F.max_pool2d(m.conv(x), 1),
}


@pytest.mark.parametrize("case", EQUAL)
def test_an_equivalent_of_a_chain_is_taken(case):
    model = Net(EQUAL[case]).eval()
    images = torch.rand(3, *SHAPE)
    with torch.no_grad():
        expected = model(images.clone())
        chain = convert(model, SHAPE).model
        assert_same(chain(images), expected)


def test_half_precision_changes_no_more_than_roundings():
    """Of regions, and of models whose weights it has: what comes out is trained in float32."""
    model = Net(in_narrow_floats).eval()
    images = torch.rand(3, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(convert(model, SHAPE).model(images), model(images), rtol=0.02, atol=0.02)
        plain = Net(lambda m, x: m.head(m.norm(m.conv(x)).flatten(1))).eval()
        for kind in (torch.float16, torch.bfloat16):
            half = copy.deepcopy(plain).to(kind)
            chain = convert(half, SHAPE).model
            assert {value.dtype for value in chain.state_dict().values()} == {torch.float32, torch.int64}
            assert_same(chain(images), half.float()(images))


def batch_statistics(m, x):
    m.norm.train()
    return m.norm(m.conv(x))


def changed_weights(m, x):
    with torch.no_grad():
        m.conv.weight.mul_(2)
    return m.conv(x)


def changed_buffer(m, x):
    m.offsets.add_(1)
    return m.conv(x) + m.offsets


def changed_constant(m, x):
    zeros = torch.zeros(6, 1, 1)
    zeros[0] = 1
    return m.conv(x) + zeros


def view_changed(m, x):
    x = m.conv(x)
    flat = x.view(-1, 6, 49)
    F.relu_(x)
    return m.same(x) + flat.view(-1, 6, 7, 7)


RANDOM = "values are random"
DROPS = "drops values at random"
REFUSED = {
    "training=True": (
        lambda m, x: F.batch_norm(m.conv(x), m.norm.running_mean, m.norm.running_var, training=True),
        "batch_norm in",
        "statistics of the batch",
        "training=True",
    ),
    "train()": (batch_statistics, "batch_norm in 'norm' (BatchNorm2d)", "statistics of the batch", "train()"),
    "dropout": (lambda m, x: F.dropout(m.conv(x), 0.5, True), "dropout in", DROPS, "self.training"),
    "dropout2d": (lambda m, x: F.dropout2d(m.conv(x), 0.5, True), DROPS),
    "alpha dropout": (lambda m, x: F.alpha_dropout(m.conv(x), 0.5, True), DROPS),
    "feature dropout": (lambda m, x: F.feature_alpha_dropout(m.conv(x), 0.5, True), DROPS),
    "noise": (lambda m, x: m.conv(x) + torch.randn(6, 1, 1), "randn in", RANDOM, "eval mode"),
    "random factor": (lambda m, x: m.conv(x) * torch.rand(1), "rand in", RANDOM),
    "random of a map": (lambda m, x: torch.bernoulli(m.conv(x)), "bernoulli in", RANDOM),
    "random weights": (lambda m, x: F.conv2d(x, torch.bernoulli(m.conv.weight.sigmoid())), "computed"),
    "rounded weights": (lambda m, x: F.conv2d(x, m.conv.weight.int().float()), "computed in the forward"),
    "narrow weights": (lambda m, x: F.conv2d(x, m.conv.weight.half().float()), "computed in the forward"),
    "rounded factor": (lambda m, x: m.conv(x) * m.scale.int().view(6, 1, 1), "mul in", "no arithmetic"),
    "changed weights": (changed_weights, "conv2d in 'conv'", "computed in the forward pass"),
    "changed buffer": (changed_buffer, "add in", "constants that no bias can take"),
    "changed constant": (changed_constant, "add in", "constants that no bias can take"),
    "whole numbers": (lambda m, x: m.conv(x.int().float()), "to in", "casts to whole numbers"),
    "other bits": (lambda m, x: m.conv(x).view(torch.int32).float(), "view in"),
    "filled": (lambda m, x: m.conv(F.pad(x, (1, 1, 1, 1), value=1)), "pad in", "padding is zero"),
    "low bound": (lambda m, x: m.same(m.conv(x).clamp(min=0.1)), "clamp in", "only activation"),
    "high bound": (lambda m, x: m.same(m.conv(x).clamp(max=6)), "clamp in", "only activation"),
    "bounds by channel": (lambda m, x: torch.maximum(m.conv(x), m.offsets.abs()), "maximum in"),
    "bounds below zero": (lambda m, x: torch.maximum(m.conv(x), -m.offsets.abs()), "only activation"),
    "maximum of features": (lambda m, x: (lambda y: torch.maximum(y, -y))(scores(m, x)), "maximum in", "sum"),
    "slope of no power of two": (
        lambda m, x: F.leaky_relu(scores(m, x), 0.1),
        "leaky_relu in",
        "leaky ReLU behind a fully connected layer is 0.1, and there the hardware has powers of two, 1/2 to",
        "train with nn.LeakyReLU(0.125), the nearest",
    ),
    "slope of torch": (lambda m, x: F.leaky_relu(scores(m, x)), "is 0.01,", "nn.LeakyReLU(0.0078125)"),
    "slope too small": (lambda m, x: F.leaky_relu(scores(m, x), 2**-9), "0.001953,", "LeakyReLU(0.0078125)"),
    "slope above one": (lambda m, x: F.leaky_relu(scores(m, x), 2.0), "is 2,", "nn.LeakyReLU(0.5)"),
    "slope below zero": (lambda m, x: F.leaky_relu(scores(m, x), -0.5), "only activation"),
    "slope of nothing": (lambda m, x: F.leaky_relu(m.conv(x), float("nan")), "only activation"),
    "slopes": (
        lambda m, x: F.prelu(scores(m, x), torch.tensor([0.25] * 2 + [0.5])),
        "prelu in",
        "is 0.25 to 0.5, by channel",
        "nn.LeakyReLU(0.25)",
    ),
    "squared": (lambda m, x: (lambda y: y * y)(m.conv(x)), "mul in", "not with other maps"),
    "swapped": (lambda m, x: m.same(m.conv(x).permute(0, 1, 3, 2)), "conv2d in 'same'", "were moved"),
    "turned": (lambda m, x: m.same(m.conv(x).flip(3)), "conv2d in 'same'", "were moved"),
    "cut": (lambda m, x: m.same(m.conv(x)[:, :, 1:]), "conv2d in 'same'", "1×1 kernel"),
    "padding for a maximum": (lambda m, x: F.max_pool2d(F.pad(m.conv(x), (1, 1)), 2), "7×9 of 7×7 pixels"),
    "a view changed": (view_changed, "view in", "changed in place (relu in Net)"),
    "inverse": (lambda m, x: 1 / m.conv(x), "no arithmetic"),
    "rounded": (lambda m, x: torch.div(m.conv(x), 2, rounding_mode="floor"), "div in", "no arithmetic"),
    "no number": (lambda m, x: m.conv(x) / 0, "div in", "no arithmetic"),
    "by pixel": (
        lambda m, x: m.conv(x) + torch.arange(49.0).view(7, 7),
        "a constant of 7×7",
        "one number per channel of the 6×7×7 map",
    ),
    "by image": (lambda m, x: m.conv(x) + torch.arange(2.0).view(2, 1, 1, 1), "2×1×1×1", "one number per"),
    "larger": (lambda m, x: m.conv(x) + torch.zeros(2, 2, 6, 7, 7), "one number per"),
    "shared factor": (
        lambda m, x: m.same(m.conv(x) * m.scale.view(6, 1, 1)) * m.scale.view(6, 1, 1),
        "same weights",
        "deepcopy",
    ),
    "computed factor": (lambda m, x: m.conv(x) * m.scale.exp().view(6, 1, 1), "mul in", "no arithmetic"),
    "along the last axis": (lambda m, x: m.conv(x).flatten(2) @ m.matrix[:49], "matmul in", "computed in"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_equivalent_is_refused(case, capfd):
    function, *parts = REFUSED[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(Net(function), SHAPE)
    assert "\n" not in str(caught.value) and capfd.readouterr() == ("", "")
    for part in parts:
        assert part in str(caught.value)


def floats():
    return nn.Sequential(quantisation.QuantStub(), nn.Conv2d(4, 4, 3), nn.ReLU(), quantisation.DeQuantStub())


def prepared(how):
    model = floats()
    if how == "training":
        model.train().qconfig = quantisation.get_default_qat_qconfig("x86")
        return quantisation.prepare_qat(model)
    model.eval().qconfig = quantisation.get_default_qconfig("x86")
    model = quantisation.prepare(model)
    model(torch.rand(2, *SHAPE))
    return quantisation.convert(model) if how == "done" else model


KINDS = {
    "script": (lambda: torch.jit.script(floats()), "TorchScript", "the nn.Module that it was scripted"),
    "trace": (lambda: torch.jit.trace(floats(), torch.rand(1, *SHAPE)), "TorchScript"),
    "script within": (lambda: nn.Sequential(torch.jit.script(nn.ReLU())), "'0' (", "TorchScript"),
    "quantised": (lambda: prepared("done"), "'0' (Quantize)", "post-training quantisation", "float model"),
    "observed": (lambda: prepared("observed"), "prepared for post-training quantisation", "float model"),
    "aware": (lambda: prepared("training"), "quantisation-aware training", "float model"),
    "dynamic": (
        lambda: quantisation.quantize_dynamic(nn.Sequential(nn.Flatten(), nn.Linear(324, 4)), {nn.Linear}),
        "'1' (Linear)",
        "quantised already",
    ),
    "one axis": (lambda: nn.Sequential(nn.Conv1d(4, 4, 3)), "'0' (Conv1d)", "over one axis", "nn.Conv2d"),
    "rows": (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 4, 3)), "'1' (Conv1d)", "two-dimensional"),
    "three axes": (lambda: nn.Conv3d(4, 4, 3), "the model (Conv3d)", "over three axes"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("case", KINDS)
def test_models_of_another_kind_are_called_what_they_are(case):
    make, *parts = KINDS[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(make(), SHAPE)
    for part in parts:
        assert part in str(caught.value)


def test_a_signal_of_one_axis_is_called_that_whatever_shape_is_given():
    with pytest.raises(UnsupportedNetwork, match=r"'0' .Conv1d.: a convolution over one axis"):
        convert(nn.Sequential(nn.Conv1d(4, 4, 3)), (4, 81))


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (nn.Conv2d(4, 4, 3).state_dict(), "not a OrderedDict: load it into the module"),
        (
            torch.export.export(nn.Conv2d(4, 4, 3), (torch.rand(2, *SHAPE),)),
            r"ExportedProgram: give its module",
        ),
        (torch.rand(3), "not a Tensor: give the module"),
    ],
    ids=["weights", "program", "tensor"],
)
def test_what_is_no_module_is_refused(thing, message):
    with pytest.raises(ConfigError, match=message):
        convert(thing, SHAPE)


# --- at random ------------------------------------------------------------------------------------------

HARMLESS = {
    "device": lambda x: x.to("cpu"),
    "wider": lambda x: x.double().float(),
    "order": lambda x: x.permute(*range(x.dim())),
    "pad": lambda x: F.pad(x, (0, 0)),
    "zero": lambda x: x + 0,
    "one": lambda x: x * torch.ones(1),
    "detached": lambda x: x.detach().clone(),
    "whole": lambda x: x[:, 0:],
    "clamp": lambda x: x.clamp(max=float("inf")),
    "there and back": lambda x: x.unsqueeze(1).squeeze(1),
}
"""What changes nothing, anywhere."""


def scaled(x, module):
    """Doubled and halved: after a layer and what follows it, but for averages that wait."""
    return x if isinstance(module, nn.AdaptiveAvgPool2d | nn.Flatten) else 2 * x / 2


class Noisy(nn.Module):
    """A chain with operations between its layers that change nothing."""

    def __init__(self, chain, before, noise, scales, relu):
        super().__init__()
        self.chain, self.shape = chain, chain.shape
        self.before, self.noise, self.scales, self.relu = before, noise, scales, relu

    def forward(self, x):
        for name in self.before:
            x = HARMLESS[name](x)
        layer = False
        for module, names, scale in zip(self.chain, self.noise, self.scales, strict=True):
            layer = layer or isinstance(module, nn.Conv2d)
            with torch.no_grad() if module is self.chain[0] and names else nullcontext():  # regions cost time
                x = self.relu(x) if isinstance(module, nn.ReLU) else module(x)
            for name in names:
                x = HARMLESS[name](x)
            x = scaled(x, module) if scale and layer and not self._averaged(module) else x
        return x

    def _averaged(self, module):
        modules = list(self.chain)
        at = [isinstance(m, nn.AdaptiveAvgPool2d) for m in modules]
        return any(at) and at.index(True) <= modules.index(module) <= at.index(True) + 1


RELUS = [
    F.relu,
    lambda x: x.clamp(min=0),
    lambda x: torch.maximum(x, torch.zeros(())),
    lambda x: F.leaky_relu(x, 0.0),
    lambda x: F.threshold(x, 0.0, 0.0),
]


@st.composite
def noisy(draw):
    chain = draw(chains(largest=12))
    names = st.lists(st.sampled_from(sorted(HARMLESS)), max_size=2)
    noise = [draw(names) for _ in chain]
    scales = [draw(st.booleans()) for _ in chain]
    return Noisy(chain, draw(names), noise, scales, draw(st.sampled_from(RELUS)))


@given(noisy())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_operations_that_change_nothing_are_left_out(model):
    """The network is that of the bare chain, and the model computes what torch does."""
    model.eval()
    images = torch.rand(3, *model.shape)
    network, chain = convert(model, model.shape)
    bare = convert(model.chain, model.shape).network
    for one, other in zip(network.layers, bare.layers, strict=True):
        assert one.name == f"chain_{other.name}" and type(one) is type(other)
        assert {**vars(one), "name": ""} == {**vars(other), "name": ""}
    with torch.no_grad():
        assert_same(chain(images), model(images))
