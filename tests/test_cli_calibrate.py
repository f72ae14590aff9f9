"""``--calibrate``: an ONNX file and images become a model, and a design, without training."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx  # noqa: E402
from onnx import helper  # noqa: E402

from hw.contract.artifact import load  # noqa: E402
from hw.contract.design import DesignInfo  # noqa: E402
from pruning.commands.post_training import post_train  # noqa: E402
from pruning.importers.onnx_file import from_onnx  # noqa: E402
from sim import model  # noqa: E402
from tests.pruning.importers.onnx_graphs import export  # noqa: E402
from tests.pruning.post_training.gratings import SIDE, gratings, trained  # noqa: E402


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A trained network in a file, and images with labels beside it."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("given")
    net = trained()
    net.shape = (1, SIDE, SIDE)
    export(net, folder / "net.onnx")
    images, labels = (x.numpy() for x in gratings(160, seed=7))
    np.savez(folder / "images.npz", images=images, labels=labels)
    np.savez(folder / "bare.npz", images=images / np.float32(255))
    np.savez(folder / "same.npz", images=images, labels=np.full(160, 3))
    np.savez(folder / "large.npz", images=np.zeros((20, 1, 28, 28)))
    (folder / "net.txt").write_text("net")
    return folder


def test_generate_makes_a_model_beside_the_verilog(run, given, tmp_path):
    out = tmp_path / "design"
    array = ("--rows", "4", "--lanes", "1", "--batch", "1", "--out", out)
    result = run("generate", given / "net.onnx", "--calibrate", given / "images.npz", *array, "--json")
    assert result.code == 0
    measured = json.loads(result.out)["calibration"]
    artifact = load(out / "model.npz")
    assert DesignInfo.load(out).digest == artifact.digest
    assert (out / "spec2.v").exists() and measured["model"] == str(out / "model.npz")

    accuracy = measured["accuracy"]
    with np.load(given / "images.npz") as held:
        correct = 100 * (model.run(artifact, held["images"]).argmax(1) == held["labels"]).mean()
    assert accuracy["integer"] == pytest.approx(correct, abs=1e-3)
    assert accuracy["dense"] == accuracy["pruned"] > 75 and accuracy["integer"] > accuracy["dense"] - 2
    layers = measured["layers"]
    assert list(layers) == [layer.name for layer in artifact.network.layers]
    assert all(layer["kept"] > 90 and layer["pruned"] < 0.01 for layer in layers.values())
    assert all(0.05 < layer["integer"] < 6 for layer in layers.values())


def test_prune_reports_what_is_lost_layer_by_layer(run, given, tmp_path):
    """By much less than its accuracy: the same as ``generate`` does, of a quarter."""
    out = tmp_path / "pruned"
    options = ("--calibrate", given / "images.npz", "--sparsity", "adaptive-2:8", "--out", out)
    result = run("prune", given / "net.onnx", *options)
    assert result.code == 0
    text = " ".join(result.out.split())
    assert "on 54 of 160 images" in text and "Accuracy on the 160 images" in text
    assert "Nothing is pruned" not in text
    report = json.loads((out / "report.json").read_text())
    accuracy = report["accuracy"]
    assert accuracy["integer"] > accuracy["dense"] - 5 and accuracy["pruned"] < 100
    kept = [layer["kept"] for layer in report["sparsity"].values()]
    assert kept[0] > 90 and max(kept[1:3]) <= 25
    provenance = load(out / "model.npz").provenance
    assert provenance["calibration"] == {"file": "images.npz", "images": 160}
    again = tmp_path / "again"
    assert run("prune", given / "net.onnx", *options[:-1], again, "--threads", "1").code == 0
    assert load(again / "model.npz").digest == load(out / "model.npz").digest


RANGES = (20.0, 15.0)
"""Of the maps behind the first two ReLUs: several times what images reach."""


def with_ranges(path, out):
    """The file with quantisers behind the first two ReLUs."""
    proto = onnx.load(path)
    nodes, relus = [], [node for node in proto.graph.node if node.op_type == "Relu"]
    for node in proto.graph.node:
        nodes.append(node)
        if node in relus[:2]:
            name, number = node.output[0], relus.index(node)
            node.output[0] = f"{name}_real"
            step = onnx.numpy_helper.from_array(np.float32(RANGES[number] / 255), f"step{number}")
            proto.graph.initializer.append(step)
            pair = f"{name}_whole"
            nodes.append(helper.make_node("QuantizeLinear", [node.output[0], step.name], [pair]))
            nodes.append(helper.make_node("DequantizeLinear", [pair, step.name], [name]))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, out)
    return out


@pytest.mark.parametrize("sparsity", ["dense", "adaptive-2:8"])
def test_ranges_of_a_quantised_file_count_more_than_images(given, tmp_path, sparsity):
    """Of the third map it says nothing: that gets what the images reach, channel by channel."""
    file = with_ranges(given / "net.onnx", tmp_path / "quantised.onnx")
    found = post_train(file, given / "images.npz", sparsity=sparsity)
    first, second, third = (found.scales[layer.name] for layer in found.network.layers[:3])
    assert (first * 255).tolist() == pytest.approx([RANGES[0]] * len(first), rel=1e-4)
    assert (second * 255).tolist() == pytest.approx([RANGES[1]] * len(second), rel=1e-4)
    assert len(set(third.tolist())) > 1
    plain = post_train(given / "net.onnx", given / "images.npz", sparsity=sparsity)
    assert float((plain.scales[found.network.layers[0].name] * 255).max()) < RANGES[0] / 2


def test_widths_and_images_without_labels(run, given, tmp_path):
    inner = from_onnx(given / "net.onnx").network.layers[1].name
    bits = ("--weight-bits", "7", "--layer-bits", f"{inner}=5", "--spectrum-bits", "12")
    out = ("--out", tmp_path / "narrow")
    result = run("prune", given / "net.onnx", "--calibrate", given / "bare.npz", *bits, *out)
    assert result.code == 0 and "Accuracy on" not in result.out and "Nothing is pruned" in result.out
    artifact = load(tmp_path / "narrow" / "model.npz")
    assert (artifact.weight_bits, artifact.spectrum_bits) == (7, 12)
    assert artifact.layer_bits == {inner: 5}
    assert not (tmp_path / "narrow" / "accuracy.json").exists()


def test_sizes_that_a_file_leaves_open_are_those_of_the_images(run, given, tmp_path):
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3))
    net.shape = (1, SIDE, SIDE)
    export(net, tmp_path / "open.onnx", dynamic_axes={"image": {0: "n", 2: "h", 3: "w"}})
    result = run(
        "prune", tmp_path / "open.onnx", "--calibrate", given / "images.npz", "--out", tmp_path / "net"
    )
    assert result.code == 0 and "labels are not used" in result.err
    assert load(tmp_path / "net" / "model.npz").network.input == (1, SIDE, SIDE)


def test_images_of_one_class_are_worth_a_word(run, given, tmp_path):
    result = run("prune", given / "net.onnx", "--calibrate", given / "same.npz", "--out", tmp_path / "net")
    assert torch.is_grad_enabled()
    assert result.code == 0 and "all images are of one of 6 classes" in result.err


MISTAKES = {
    "generate without images": (["generate", "NET"], "give --calibrate images.npz"),
    "no file of images": (["generate", "NET", "--calibrate", "no.npz"], "there is no file no.npz"),
    "other images": (
        ["generate", "NET", "--calibrate", "LARGE"],
        "do not fit a network whose input is 1×12×12",
    ),
    "no network": (["generate", "no.onnx", "--calibrate", "IMAGES"], "cannot read no.onnx"),
    "another file": (["prune", "TEXT", "--calibrate", "IMAGES"], "for a trained network in an ONNX file"),
    "a recipe": (["prune", "--calibrate", "IMAGES"], "not for 'lenet'"),
    "unknown pattern": (["prune", "NET", "--calibrate", "IMAGES", "--sparsity", "magic"], "magic"),
    "no such layer": (["generate", "NET", "--calibrate", "IMAGES", "--layer-bits", "x=5"], "names 'x'"),
    "sparsity of a model": (
        ["generate", "model.npz", "--sparsity", "kernel"],
        "--sparsity is for --calibrate",
    ),
    "bits of a model": (["generate", "model.npz", "--weight-bits", "5"], "--weight-bits is for --calibrate"),
    "untrained": (["prune", "NET", "--calibrate", "IMAGES", "--untrained"], "leave --untrained out"),
    "data": (["prune", "NET", "--calibrate", "IMAGES", "--data", "mnist"], "leave --data out"),
    "clocks": (
        ["prune", "NET", "--calibrate", "IMAGES", "--target-cycles", "9"],
        "leave --target-cycles out",
    ),
    "mean bits": (["prune", "NET", "--calibrate", "IMAGES", "--mean-bits", "5"], "leave --mean-bits out"),
}


@pytest.mark.parametrize(("arguments", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence_and_writes_nothing(run, given, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    places = {"NET": "net.onnx", "IMAGES": "images.npz", "LARGE": "large.npz", "TEXT": "net.txt"}
    words = [given / places[word] if word in places else word for word in arguments]
    assert says in run(*words).sentence
    assert not list(tmp_path.iterdir())
