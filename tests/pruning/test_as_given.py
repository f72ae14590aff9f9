"""``spec2 prune --as-given``: from a quantised file to an artifact, without images."""

import numpy as np
import pytest

from hw.contract.artifact import load
from hw.util.errors import ConfigError
from pruning.commands.as_given import quantise_as_given
from sim.model import run
from tests.pruning.importers.onnx_graphs import array, save
from tests.pruning.importers.quantised_graphs import Numbers, dialect


def test_a_quantised_file_becomes_an_artifact(tmp_path, capsys):
    path = dialect("runtime", Numbers(), tmp_path / "net.onnx")
    quantise_as_given(str(path), tmp_path, weight_bits=10, layer_bits={"node3": 6})
    artifact = load(tmp_path / "model.npz")
    assert artifact.weight_bits == 10 and artifact.layer_bits == {"node3": 6}
    assert artifact.provenance["recipe"] == "net, quantised as given"
    assert capsys.readouterr().err.startswith("weights of up to 4 bits are the real numbers of the file")
    images = np.random.default_rng(1).integers(0, 256, (3, 2, 7, 7), np.uint8)
    assert len(np.unique(run(artifact, images))) > 3


def test_what_it_cannot_do_is_a_sentence(tmp_path):
    path = save(tmp_path / "net.onnx", [("Conv", "x w", "y", {})], {"w": array(3, 2, 3, 3)})
    for what, options, message in (
        (path, {"sparsity": "adaptive"}, "leave --sparsity out"),
        (path, {"mean_bits": 5.0}, "leave --mean-bits out"),
        ("lenet", {}, "--as-given is for a quantised network in an ONNX file, not for 'lenet'"),
        (path, {}, "nothing says what range 'node0' should have"),
    ):
        with pytest.raises(ConfigError, match=message):
            quantise_as_given(str(what), tmp_path, **options)
    assert not (tmp_path / "model.npz").exists()
