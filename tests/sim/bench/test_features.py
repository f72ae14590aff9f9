"""Features of the Verilog and of a virtual board: the integers of the integer model, through the command."""

import json

import numpy as np
import pytest

from hw.contract.artifact import load as load_artifact
from hw.contract.features import load
from sim import model
from tests.sim.bench.accelerators import images

pytestmark = pytest.mark.verilator

CASE = ("tiny", "adaptive", 8, 4, 4)
"""As in test_virtual_board.py, and so are the simulators."""


def features(run, folder, pictures, out, *options):
    arguments = ["features", folder / "model.npz", pictures, "--design", folder, "--out", out, "--json"]
    result = run(*arguments, *options, "--verify")
    assert result.code == 0, result.err
    said = json.loads(result.out)
    assert said["file"] == str(out) and said["mismatch"] is None
    return load(out)


@pytest.mark.parametrize(("layer", "form"), [("conv2", "average"), ("fc1", "flat")])
def test_verilog_and_virtual_board_make_the_integers_of_the_model(run, accelerator, tmp_path, layer, form):
    folder, artifact = accelerator(*CASE)
    pictures, labels = images("tiny", 6, 1), np.arange(6)
    np.savez(tmp_path / "pictures.npz", image=pictures, label=labels)
    options = {"integer model": [], "Verilog": ["--verilog"], "virtual": ["--link", "virtual"]}
    found = {
        name: features(
            run,
            folder,
            tmp_path / "pictures.npz",
            tmp_path / "f.npz",
            "--layer",
            layer,
            "--form",
            form,
            *more,
        )
        for name, more in options.items()
    }
    for name, made in found.items():
        np.testing.assert_array_equal(made.vectors, model.features(artifact, pictures, layer, form))
        assert made.about.source == name and made.labels.tolist() == labels.tolist()
        same = vars(made.about) | {"source": "", "command": ""}
        assert same == vars(found["integer model"].about) | {"source": "", "command": ""}
    found["Verilog"].check_model(load_artifact(folder / "model.npz"))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["average", "maps"])
def test_every_layer_of_a_graph(run, accelerator, tmp_path, form):
    """Strides, sums, joins: each of its maps is that of the integer model."""
    folder, artifact = accelerator("graph", "adaptive", 8, 4, 2)
    np.savez(tmp_path / "pictures.npz", image=images("graph", 3, 2))
    for layer in artifact.network.layers:
        options = ["--layer", layer.name, "--form", form, "--verilog"]
        found = features(run, folder, tmp_path / "pictures.npz", tmp_path / "f.npz", *options)
        np.testing.assert_array_equal(
            found.vectors, model.features(artifact, images("graph", 3, 2), layer.name, form)
        )
