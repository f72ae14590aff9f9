"""Two processes under torchrun train to what one does, and write files once."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pruning.training.distributed import World, joined

STEPS = Path(__file__).with_name("ddp_steps.py")


def one_process(optimiser: str):
    spec = importlib.util.spec_from_file_location("ddp_steps", STEPS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.train(optimiser, World())


def torchrun(log_dir: Path, *arguments) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--log-dir", str(log_dir)]  # or it leaves a folder in /tmp
    done = subprocess.run(
        [*command, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_two_processes_end_as_one(optimiser, tmp_path):
    """Batches of 5 and of 3: one process gets an image more than the other."""
    loss, weights = one_process(optimiser)
    torchrun(tmp_path / "log", STEPS, optimiser, tmp_path)
    results = [torch.load(tmp_path / f"{rank}-of-2.pt") for rank in range(2)]
    for found, state, talking in results:
        assert found == pytest.approx(loss, rel=1e-5)
        assert not talking, "a thread that outlives Python may abort the process at its end"
        for name, value in weights.items():
            torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-5, msg=name)
    for name, value in results[0][1].items():
        assert torch.equal(value, results[1][1][name]), "the processes agree to the bit"


def test_without_torchrun_the_world_is_one(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with joined() as world:
        assert world == World(0, 1) and world.first and world.mean(3.5) == 3.5
    x = torch.arange(7)
    assert world.share(x).tolist() == x.tolist()
    assert torch.equal(torch.cat([World(rank, 3).share(x) for rank in range(3)]).sort().values, x)
