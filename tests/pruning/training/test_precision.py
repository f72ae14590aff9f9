"""bf16 where the processor has it, float32 where torch would only imitate it."""

import pytest
import torch

from pruning.training import precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def processor(monkeypatch):
    """The function ``processor(**capabilities)``: what torch says of it from now on."""

    def made(**found):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
        precision.has_bf16.cache_clear()

    yield made
    precision.has_bf16.cache_clear()


def product(name):
    """The type of a matrix product at that precision."""
    with precision.cast(name, CPU):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize("name", precision.ARITHMETIC)
def test_a_processor_with_any_such_arithmetic_computes_in_bf16(processor, name):
    processor(architecture="x86_64", avx2=True, **{name: True})
    assert precision.effective("bf16", CPU) == "bf16" and product("bf16") == torch.bfloat16
    assert product("float32") == torch.float32


def test_a_processor_without_takes_float32(processor):
    processor(architecture="x86_64", avx2=True, avx512_f=True, avx512_bf16=False, amx_bf16=False)
    assert precision.effective("bf16", CPU) == "float32" and product("bf16") == torch.float32
    assert precision.effective("bf16", GPU) == "bf16", "what the processor lacks is no matter of a GPU"


def test_other_processors_are_taken_at_their_word(processor):
    processor(architecture="aarch64")
    assert product("bf16") == torch.bfloat16


def test_torch_tells_of_these_names_on_x86():
    """They would be looked for in vain if a version of torch called them otherwise."""
    found = torch.cpu.get_capabilities()
    if found["architecture"] == "x86_64":
        assert set(precision.ARITHMETIC) <= set(found)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
@pytest.mark.parametrize("there", [False, True])
def test_training_says_when_it_takes_float32(processor, run, tmp_path, device, there):
    """Before anything else is done: here there are no images to train on."""
    processor(architecture="x86_64", amx_bf16=there)
    where = ("--data-dir", tmp_path, "--out", tmp_path / "out", "--device", device)
    done = run("prune", "cifar-small", *where)
    assert (precision.NO_BF16.split(":")[0] in " ".join(done.err.split())) != there


def test_a_benchmark_computes_in_bf16_all_the_same(processor):
    processor(architecture="x86_64")
    with precision.autocast("bf16", CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
