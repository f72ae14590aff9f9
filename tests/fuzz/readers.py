"""Every reader of files and streams from outside, one row each.

======================= ======================================================== ====================
A row makes a valid file, says how it is mutated, and reads it as its readers do, with what they compute from
it at once. A valid file has to be accepted. A new reader is a new row.
"""

import gzip
import hashlib
import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import mutate


@dataclass(frozen=True)
class Reader:
    """make: writes valid files into a folder. file: the one of them that ``change`` mutates. read: takes the
    folder.

    share: inputs of this reader for every one of an ordinary one; slow ones have less.
    """

    file: str
    make: Callable[[Path], None]
    change: Callable[[bytes, Random], bytes]
    read: Callable[[Path], object]
    share: float = 1.0


# --- models, designs and what was measured on them ------------------------------------------------------


def _network():
    from hw.contract.network import Conv, Dense, Network

    conv, fc1, fc2 = Conv("conv", 1, 4, 3, pool=2), Dense("fc1", 4 * 9, 9), Dense("fc2", 9, 3, relu=False)
    return Network("small", (1, 8, 8), (conv, fc1, fc2))


def model(folder: Path) -> None:
    from dataclasses import replace

    from hw.contract.artifact import random_artifact

    accuracy = {"dense": 99.0, "pruned": 98.0, "mirror": None}
    provenance = {
        "accuracy": accuracy,
        "seconds": 3.5,
        "command": "spec2 prune",
        "pruned_from": _network().to_json(),
    }
    artifact = replace(random_artifact(_network(), seed=1), provenance=provenance, layer_bits={})
    artifact.save(folder / "model.npz")


def narrow_model(folder: Path) -> None:
    from hw.contract.artifact import random_artifact

    random_artifact(_network(), seed=1, spectrum_bits=10).save(folder / "narrow.npz")


def read_narrow_model(folder: Path) -> None:
    """As far as the program, which takes the shifts of words."""
    from hw.compile.compiler import compile_program
    from hw.contract.artifact import load
    from hw.contract.config import AcceleratorConfig

    compile_program(load(folder / "narrow.npz"), AcceleratorConfig(rows=4, lanes=2, batch=2))


def design(folder: Path) -> None:
    """Model, design, and results of it, with Verilog that nobody reads."""
    from hw.compile.compiler import compile_program
    from hw.contract import results
    from hw.contract.artifact import load
    from hw.contract.config import AcceleratorConfig
    from hw.contract.design import DesignInfo
    from hw.contract.design_files import Content
    from hw.cost.choices import choices
    from hw.cost.cycles import estimates
    from hw.host.counters import Counters, LayerCounters
    from sim.rtl import answers
    from sim.rtl.verify import Verification

    model(folder)
    artifact = load(folder / "model.npz")
    program = compile_program(artifact, AcceleratorConfig(rows=4, lanes=2, batch=2))
    figures = estimates(program) | {"layers": choices(program)}
    place, verilog = folder / "design", b"module spec2; endmodule\n"
    place.mkdir()
    (place / "spec2.v").write_bytes(verilog)
    files = {"spec2.v": Content(len(verilog), hashlib.sha256(verilog).hexdigest())}
    info = DesignInfo(
        "spec2", artifact.network, program.config, artifact.digest, {"clk": 1}, files, (), figures
    )
    info.save(place)
    layers = tuple(LayerCounters(layer.name, 100, 7) for layer in artifact.network.layers)
    run = Counters(300, 1, 2, 21, 4, 5, 6, 7, 8, 9, 10, layers)
    found = Verification(4, 0, None, 3, True, 1, run, run, 900, 1.5)
    results.save(place, results.SIMULATION, found.to_json())
    paths = {
        "levels": {"1": 5, "3": 2},
        "worst": [{"levels": 3, "start": "a", "end": "b", "cells": ["LUT6"]}],
    }
    cells = {
        "dsp": 24,
        "bram36": 1.5,
        "uram": 0,
        "lut": 900,
        "ff": 800,
        "paths": paths | {"fanout": [["n", 40]]},
    }
    results.save(place, results.SYNTHESIS, cells)
    about = {"digest": artifact.digest}
    (folder / "accuracy.json").write_text(json.dumps({**about, "integer": 97.5}))
    (folder / "training.json").write_text(json.dumps({**about, "seconds": 12.5, "command": "spec2 prune"}))
    (folder / "confusion.json").write_text(json.dumps({**about, "counts": [[3, 0, 1], [0, 4, 0], [1, 0, 3]]}))
    rows = [
        "phase,epoch,loss,accuracy,kept,primal,dual",
        "dense,1,0.5,97.5,1.0,0,0",
        "pruning,1,0.4,98,0.5,1,2",
    ]
    (folder / "training.csv").write_text("\n".join(rows))
    images = np.arange(4 * 64, dtype=np.uint8).reshape(4, 1, 8, 8)
    answers.save(place, images, np.eye(4, 3, dtype=np.int32), np.array([0, 1, 2, 2]))


def report(folder: Path) -> None:
    """As ``spec2 report`` and ``spec2 compare``."""
    from sim.report import comparison, models
    from sim.report.data import assemble
    from sim.report.page import markdown

    markdown(assemble(folder))
    found = models.Model.load(folder)
    figures = models.counted(found)
    if figures is not None:
        comparison.markdown([comparison._row(found, figures, comparison.VERILOG)])


def report_images(folder: Path) -> None:
    """As the images on it."""
    from sim.report.classification import confusion, simulated
    from sim.report.html.pictures import images
    from sim.rtl import answers

    if found := answers.load(folder / "design"):
        confusion(folder, "0" * 64, found)
        images(simulated(found), found.images)


def report_page(folder: Path) -> None:
    """As the page of ``spec2 report``."""
    from sim.report.data import assemble
    from sim.report.html.report import html
    from sim.rtl import answers

    made, found = assemble(folder), answers.load(folder / "design")
    html(made, found.images if found else None)


def change_design(content: bytes, rng: Random) -> bytes:
    """The description with other data and a right seal, or another text."""
    from hw.contract.design import SEAL, _seal

    if rng.random() < 0.12:
        return mutate.text(content, rng)
    data = json.loads(content)
    data.pop(SEAL)
    data = mutate.plain(data, rng)
    return json.dumps({**data, SEAL: _seal(data)} if isinstance(data, dict) else data).encode()


def read_design(folder: Path) -> None:
    from bitstreams.boards.budget import needs
    from hw.contract import results
    from hw.contract.design import DesignInfo

    info = DesignInfo.load(folder / "design")
    results.fingerprint(folder / "design")
    needs(info.estimates)
    report(folder)


def read_config(folder: Path) -> None:
    from hw.contract.config import AcceleratorConfig, load_config

    AcceleratorConfig(**load_config(folder / "config.json"))


def make_config(folder: Path) -> None:
    from hw.contract.config import AcceleratorConfig, save_config

    save_config(
        AcceleratorConfig(64, 10, 1, 64, 49_152, True, 1024, 2, 8192), folder / "config.json", network="x"
    )


def read_counts(folder: Path) -> None:
    from bitstreams.synthesis.extrapolation import _counts

    report(folder)
    _counts(folder / "design")


VALID = {"digest": "0" * 64, "source": "1" * 64}


def make_predicted(folder: Path) -> None:
    figures = {"cycles": 900, "cycles_batch": 1700, "dsp": 24, "lut": 900, "bram36": 2.5, "weight_bits": 5000}
    (folder / "predicted.json").write_text(json.dumps({**VALID, "arrays": {"{}": figures, "x": figures}}))


def read_predicted(folder: Path) -> None:
    from sim.report.prediction_cache import _read

    for one in _read(folder / "predicted.json", VALID).values():
        1 / (one.dsp * one.cycles_batch * one.cycles)


def make_rows(folder: Path) -> None:
    row = {
        "network": "lenet",
        "scheme": "kernel",
        "share_pruned": 75.0,
        **{"accuracy_dense": 99.1, "accuracy_float": 99.0, "accuracy_integer": 98.9},
        **{"cycles": 9000, "cycles_batch": None, "op_per_dsp_cycle": 3.2, "storage_bits": 80_000},
        **{"seconds": 12.5, "command": "spec2 prune", "clocks_from": "Verilog", "digest": "0" * 64},
        **{"rows": 8, "lanes": 4, "batch": 1},
    }
    (folder / "rows.json").write_text(json.dumps([row, row | {"scheme": "2:8"}]))


def make_explored(folder: Path) -> None:
    chosen = {
        "config": {"rows": 8, "lanes": 4},
        "cycles": 1000,
        "ms": 0.25,
        "needs": {"dsp": 96, "bram36": 7.5},
    }
    said = "Of 1,000 clocks, layers bound by: array 60 %, inverse transform and output 40 %; images in 0 %."
    document = {"schema": 1, "network": "lenet", "chosen": chosen, "limits": ["Scarcest are LUTs.", said]}
    (folder / "explore.json").write_text(json.dumps(document))


def read_explored(folder: Path) -> None:
    from sim.report import networks_page

    networks_page.markdown([networks_page.read(folder / "explore.json")])


def read_rows(folder: Path) -> None:
    from sim.report.comparison import read_rows
    from sim.report.comparison_page import section

    section(read_rows(folder / "rows.json"), "x.svg")


def make_manifest(folder: Path) -> None:
    from bitstreams.plans.manifest import Manifest

    made = Manifest("kc705", "xc7k325t", "vivado", 100e6, 921_600, "0" * 64, "1" * 64, tools={"spec2": "0.1"})
    (folder / "manifest.json").write_text(made.with_files({"a.xdc": b"x"}).to_text())


def read_manifest(folder: Path) -> None:
    from bitstreams.plans.manifest import Manifest

    found = Manifest.load(folder)
    found.board.lower(), found.artifact[:8], found.to_text(), round(found.clock_hz / 1e6, 6)


def make_answer(folder: Path) -> None:
    from hw.host.counters import Counters, LayerCounters
    from sim.bench.job import Answer

    run = Counters(300, 1, 2, 21, 4, 5, 6, 7, 8, 9, 10, (LayerCounters("conv", 100, 7),))
    Answer(np.zeros((2, 3), np.int32), (run, run), 900).save(folder)


def read_answer(folder: Path) -> None:
    from sim.bench.job import Answer

    Answer.load(folder, folder / "log")


def make_features(folder: Path) -> None:
    from hw.contract.artifact import random_artifact
    from hw.contract.features import About, features_of, save
    from sim import model

    artifact = random_artifact(_network(), seed=1)
    kind, images = features_of(artifact, "conv"), pixels(9, 1, 8, 8)
    about = About(**asdict(kind), model=artifact.digest, images="0" * 64, count=9, source="integer model")
    save(folder / "features.npz", about, [model.features(artifact, images, "conv")], np.arange(9) % 3)


def read_features(folder: Path) -> None:
    """As 'spec2 index' and the queries of 'spec2 search'."""
    from hw.contract.features import load
    from pruning.transfer.search.index import make

    found = load(folder / "features.npz")
    made = make(found, "float")
    made.nearest(found, 1)
    found.first(1)


def make_index(method: str, bits: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from hw.contract.features import About, Features
        from pruning.transfer.search import index

        what = {"network": "n", "layer": "c", "form": "average", "shape": (16, 2, 2), "step": None}
        what |= {"signed": False, "scores": False, "model": "0" * 64, "images": "0" * 64, "source": "Verilog"}
        vectors = np.random.default_rng(3).integers(0, 99, (9, 16), np.int32)
        found = Features(About(**what, count=9), vectors, np.arange(9) % 3)
        index.make(found, method, bits).save(folder / f"{method}.npz")

    return make


def read_index(method: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        """As 'spec2 search', for features of the right layer."""
        from hw.contract.features import Features
        from pruning.transfer.search.index import load

        found = load(folder / f"{method}.npz")
        vectors = np.ones((found.about.count, *found.about.vector), found.about.dtype)
        found.nearest(Features(found.about, vectors, found.labels), 1)

    return read


# --- images ---------------------------------------------------------------------------------------------


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


def picture(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from PIL import Image

        Image.fromarray(pixels(9, 11, 3)).save(folder / name)

    return make


def images(name: str, shape: tuple[int, int, int]) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from bitstreams.classify.images import read

        read([folder / name], shape)

    return read


def make_npz(folder: Path) -> None:
    np.savez_compressed(folder / "images.npz", image=pixels(3, 1, 9, 11), label=np.array([1, 2, 3]))


def make_calibration(folder: Path) -> None:
    np.savez_compressed(
        folder / "calibration.npz",
        images=pixels(16, 2, 9, 11).astype(np.float32) / 255,
        labels=np.arange(16) % 3,
    )


def read_calibration(folder: Path) -> None:
    from hw.contract.network import tiny
    from pruning.data.calibration_file import read

    found = read(folder / "calibration.npz")
    found.images_for(tiny().input), found.labels_for(tiny())


def make_npy(folder: Path) -> None:
    np.save(folder / "images.npy", pixels(3, 9, 11))


def make_mnist(folder: Path) -> None:
    for part in ("train", "test"):
        np.savez(folder / f"mnist_{part}.npz", image=pixels(3, 28, 28), label=np.array([1, 2, 3], np.uint8))


def make_pneumonia(folder: Path) -> None:
    for part in ("train", "test"):
        np.savez(
            folder / f"pneumonia_{part}.npz", image=pixels(3, 28, 28), label=np.array([0, 1, 1], np.uint8)
        )


def make_csv(folder: Path) -> None:
    lines = "\n".join(",".join(map(str, [*row, 5])) for row in pixels(10, 784))
    (folder / "mnist_5k.csv.gz").write_bytes(gzip.compress(lines.encode()))


def read_csv(folder: Path) -> None:
    from pruning.data.mnist import _read_csv

    _read_csv(folder / "mnist_5k.csv.gz")


def inside_gzip(content: bytes, rng: Random) -> bytes:
    """The text in a gzip file, or the file's bytes."""
    if rng.random() < 0.3:
        return mutate.octets(content, rng)
    return gzip.compress(mutate.text(gzip.decompress(content), rng), 1)


def make_cifar(folder: Path) -> None:
    from PIL import Image

    files = []
    for image in pixels(3, 32, 32, 3):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG")
        files.append(np.frombuffer(file.getvalue(), np.uint8))
    arrays = {"jpeg": np.concatenate(files), "offset": np.cumsum([0, *map(len, files)])}
    for part in ("train", "test"):
        np.savez(folder / f"cifar10_{part}.npz", label=np.array([1, 2, 3], np.uint8), **arrays)


def make_binary(folder: Path) -> None:
    (folder / "cifar-10-batches-bin").mkdir()
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (folder / "cifar-10-batches-bin" / name).write_bytes((b"\x03" + bytes(3072)) * 2)


def read_set(name: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from pruning import data

        data.load(name, folder)

    return read


# --- training -------------------------------------------------------------------------------------------

RECIPE = """\
network = "lenet"
data = "mnist"
sparsity = "adaptive-2:8"
optimiser = "admm"
block = 8
prune_first = ["filter"]
batch = 64
weight_bits = 8
seed = 3
[layers]
conv2 = "kernel"
[epochs]
dense = 2
pruning = 1
[epochs.few]
dense = 1
pruning = 1
finetune = 1
mirror = 1
[pruning]
rho = 0.03
[training]
optimiser = "adam"
warmup = 0.1
pruning_batch = 32
[training.rates]
dense = 1e-3
[target]
cycles = 300_000
[layer_bits]
conv2 = 5
"""


def make_recipe(folder: Path) -> None:
    (folder / "recipe.toml").write_text(RECIPE)


def read_recipe(folder: Path) -> None:
    from pruning.training.recipe import read

    read(folder / "recipe.toml").settings(1000).key()


SWEEP = """recipe = "lenet"
seeds = [0, 1]
[grid]
sparsity = ["block", "adaptive-1:8"]
weight_bits = [8, 6]
"""


def make_sweep(folder: Path) -> None:
    (folder / "sweep.toml").write_text(SWEEP)


def read_sweep(folder: Path) -> None:
    from pruning.training.sweep.plan import read

    read(folder / "sweep.toml", folder / "out", None)


def make_words(folder: Path) -> None:
    """The npm package's file of word vectors, a small one."""
    words = ["the", "of", "and"]
    vectors = {word: [0.5, -1.25, 2.0, 2.4, n] for n, word in enumerate(words)}
    text = json.dumps({"size": 3, "dimensions": 3, "words": words, "vectors": vectors})
    (folder / "words.json").write_text(text)


def read_words(folder: Path) -> None:
    from pruning.transfer.search.words import read

    read(folder / "words.json", 2)


def make_request(folder: Path) -> None:
    """A request of the inference protocol, its tensor in JSON."""
    tensor = {"name": "image", "shape": [2, 1, 2, 3], "datatype": "UINT8", "data": list(range(12))}
    outputs = [{"name": "scores", "parameters": {"binary_data": True}}]
    (folder / "request.json").write_text(json.dumps({"id": "7", "inputs": [tensor], "outputs": outputs}))


def read_request(folder: Path) -> None:
    """As 'spec2 serve' reads and answers it."""
    import numpy as np

    from bitstreams.classify.server import messages

    found = messages.read((folder / "request.json").read_bytes(), None, (1, 2, 3), 4)
    messages.answer(np.zeros((len(found.images), 3), np.int32), found, "net", "1")


def make_journal(folder: Path) -> None:
    """As 'spec2 robustness' keeps what it has measured."""
    from pruning.robustness.journal import Journal, Learned

    journal = Journal(folder / "journal.json", "key")
    journal.keep("m clean", 97.5)
    journal.keep("patch", Learned([[[0, 255], [3, 4]]], [1.0], [[0.5, 2.5]]))


def read_journal(folder: Path) -> None:
    from pruning.robustness.journal import Journal

    journal = Journal(folder / "journal.json", "key")
    if journal.has("patch"):
        journal.patch("patch")


def _sweep_job(folder: Path):
    from pruning.training.sweep.plan import Job

    return Job("lenet", {}, 0, folder, "k")


def make_sweep_result(folder: Path) -> None:
    from pruning.training.sweep.engine import attempt

    attempt(_sweep_job(folder), lambda job: {"dense": 99.5, "integer": 98.25})


def read_sweep_result(folder: Path) -> None:
    from pruning.training.sweep.engine import known
    from pruning.training.sweep.spread import spread

    if outcome := known(_sweep_job(folder)):
        spread([outcome])


def make_onnx(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    shapes = {"w": (3, 1, 3, 3), "b": (3,), "v": (5, 27), "c": (5,)}
    constants = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    constants |= {"s": np.ones(3), "m": np.zeros(3), "f": np.full((3, 1, 1), 2)}
    constants |= {"qs": np.full((3, 1, 1, 1), 0.02), "qz": np.zeros(()), "qb": np.full((), 6.0)}
    nodes = [
        helper.make_node("Pad", ["x", "p"], ["0"], mode="constant"),
        helper.make_node(
            "Quant",
            ["w", "qs", "qz", "qb"],
            ["wq"],
            domain="qonnx.custom_op.general",
            signed=1,
            narrow=1,
            rounding_mode="ROUND",
        ),
        helper.make_node(
            "Conv", ["0", "wq", "b"], ["1"], pads=[0, 0, 0, 0], kernel_shape=[3, 3], strides=[1, 1]
        ),
        helper.make_node("BatchNormalization", ["1", "s", "m", "m", "s"], ["2"], epsilon=1e-5),
        helper.make_node("Neg", ["f"], ["g"]),
        helper.make_node("Mul", ["2", "g"], ["2a"]),
        helper.make_node("Relu", ["2a"], ["3"]),
        helper.make_node("QuantizeLinear", ["3", "vs"], ["3i"]),
        helper.make_node("QLinearConv", ["3i", "vs", "", "qw", "vs", "", "vs", "", "qi"], ["3k"], group=1),
        helper.make_node("DequantizeLinear", ["3k", "vs"], ["3q"]),
        helper.make_node("MaxPool", ["3q"], ["4"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("DequantizeLinear", ["vi", "vs"], ["v"], axis=0, block_size=0),
        helper.make_node("Flatten", ["4"], ["5"], axis=1),
        helper.make_node("Gemm", ["5", "v", "c"], ["y"], transB=1, alpha=1.0),
    ]
    tensors = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    whole = tensors.pop([tensor.name for tensor in tensors].index("v"))
    whole = (numpy_helper.to_array(whole) * 40).astype(np.int8)
    tensors += [numpy_helper.from_array(whole, "vi"), numpy_helper.from_array(np.float32(0.05), "vs")]
    tensors.append(numpy_helper.from_array(rng.integers(-9, 9, (3, 3, 1, 1)).astype(np.int8), "qw"))
    tensors.append(numpy_helper.from_array(np.array([9, -9, 0], np.int32), "qi"))
    tensors.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "p"))
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 6, 6])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "net", ends, out, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), folder / "network.onnx")


OPERATIONS = """
    Relu Conv Gemm MatMul Add Mul MaxPool AveragePool GlobalAveragePool Reshape Flatten Expand ConstantOfShape
    Tile Range Pad Clip Transpose Concat Identity Dropout Shape Cast Squeeze Unsqueeze Loop Softmax
    RandomNormal QuantizeLinear DequantizeLinear Quant BipolarQuant Trunc Resize Sparkle Sub Div Neg Sum Max
    Min LeakyRelu PRelu Elu ReduceMean ReduceSum Slice Gather Size QLinearConv QLinearMatMul QGemm QLinearAdd
    QLinearConcat QLinearAveragePool ConvInteger
""".split()
NUMBERS = (0, 1, 2, 3, -1, -7, 7, 64, 1 << 20, 1 << 31, -(1 << 63), (1 << 63) - 1)


def change_onnx(content: bytes, rng: Random) -> bytes:
    """The graph with a node, an attribute, a tensor or a shape changed, or the file's bytes."""
    import onnx
    from onnx import helper, numpy_helper

    if rng.random() < 0.3:
        return mutate.octets(content, rng)
    found = onnx.load_from_string(content)
    graph = found.graph
    for _ in range(rng.choice((1, 1, 2))):
        node, tensor, how = rng.choice(graph.node), rng.choice(graph.initializer), rng.randrange(12)
        if how == 0:
            node.op_type = rng.choice(OPERATIONS)
        elif how == 1 and node.attribute:
            one = rng.choice(node.attribute)
            if one.ints:
                one.ints[rng.randrange(len(one.ints))] = rng.choice(NUMBERS)
            elif rng.random() < 0.5:
                one.i = rng.choice(NUMBERS)
            else:
                one.f = rng.choice((float("nan"), float("inf"), 0.0, -1.0, 1e30))
        elif how == 2 and node.attribute:
            del node.attribute[rng.randrange(len(node.attribute))]
        elif how == 3 and node.attribute:
            rng.choice(node.attribute).type = rng.randrange(12)
        elif how == 4:
            if tensor.dims:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
        elif how == 5:
            tensor.data_type = rng.randrange(24)
        elif how == 6:
            dim = graph.input[0].type.tensor_type.shape.dim
            if dim:
                rng.choice(dim).dim_value = rng.choice(NUMBERS)
        elif how == 7 and node.input:
            names = [n for one in graph.node for n in (*one.input, *one.output)] + ["", "nothing"]
            node.input[rng.randrange(len(node.input))] = rng.choice(names)
        elif how == 8:
            value = rng.choice((float("nan"), float("inf"), 1e38, 0.0))
            array = np.ones(3, np.float32)
            with suppress(Exception):  # a tensor that an earlier change made unsound
                if tensor.data_type == 1 and tensor.raw_data:
                    array = numpy_helper.to_array(tensor).copy()
            array[...] = value
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        elif how == 9:
            numbers = np.array([rng.choice(NUMBERS) for _ in range(rng.randrange(1, 4))], np.int64)
            graph.initializer.append(numpy_helper.from_array(numbers, f"extra{len(graph.initializer)}"))
            kind = rng.choice(("ConstantOfShape", "Reshape", "Expand", "Tile", "Range", "Pad"))
            inputs = [graph.initializer[-1].name] * (
                1 if kind == "ConstantOfShape" else 3 if kind == "Range" else 2
            )
            graph.node.insert(0, helper.make_node(kind, inputs, [f"made{len(graph.node)}"]))
        elif how == 10:
            tensor.data_location = 1
            entry = tensor.external_data.add()
            entry.key, entry.value = (
                "location",
                rng.choice(("/etc/passwd", "../../x", "x", "network.onnx", "")),
            )
        else:
            node.name = node.output[0] = rng.choice(("a\nb", "\x1b[31m", "x" * 500, "../x", ""))
    return found.SerializeToString()


def read_onnx(folder: Path) -> None:
    from pruning.importers.onnx_file import from_onnx

    from_onnx(folder / "network.onnx")


KEY = {"data": "mnist", "seed": 1}


def make_checkpoint(folder: Path) -> None:
    import torch

    from pruning.training.checkpoint import save_state
    from pruning.training.log import LogRow

    log = [asdict(LogRow("dense", 1, 0.5, 90.0, 1.0, 0.0, 0.0))]
    state = {
        "key": KEY,
        "phase": 1,
        "epoch": 2,
        "model": {"w": torch.zeros(3, 4)},
        "optimiser": None,
        "pass": None,
    }
    state |= {"admm": {"steps": 3, "finalised": False}, "log": log, "accuracy": {"dense": 99.0}}
    state |= {"spent": {"dense": 1.5}, "layer_bits": None}
    save_state(folder / "checkpoint.pt", state)


def change_checkpoint(content: bytes, rng: Random) -> bytes:
    """Members of the file (most of all its pickle) with other bytes, or other data pickled."""
    import torch

    how = rng.random()
    if how < 0.3:
        return mutate.octets(content, rng)
    if how < 0.6:
        members = mutate.unpack(content)
        name = rng.choice([*members, *(name for name in members if name.endswith(".pkl"))])
        members[name] = mutate.octets(members[name], rng) if rng.random() < 0.8 else bytes(8 << 20)
        packed = rng.choice((0, 0, 8))
        return mutate.pack(members, packed)
    state, made = torch.load(io.BytesIO(content), weights_only=True), io.BytesIO()
    state.pop("model")
    state = mutate.plain(state, rng)
    torch.save(state, made)
    return made.getvalue()


def read_checkpoint(folder: Path) -> None:
    from pruning.training.checkpoint import State, load_state

    load_state(folder / "checkpoint.pt", KEY, State)


# --- what tools leave -----------------------------------------------------------------------------------


def make_stat(folder: Path) -> None:
    cells = {"FDRE": 800, "LUT6": 500, "RAMB18E1": 3, "RAMB36E1": 2, "DSP48E1": 24, "SRL16E": 9}
    stat = {"creator": "Yosys 0.6 (git)", "modules": {"\\spec2": {}}, "design": {"num_cells_by_type": cells}}
    (folder / "synthesis.stat.json").write_text(json.dumps(stat))


def read_stat(folder: Path) -> None:
    import msgspec

    from bitstreams.synthesis import netlist
    from bitstreams.synthesis.yosys import count

    count(msgspec.to_builtins(netlist.read(folder / "synthesis.stat.json", netlist.Stat)), "xc7", 1.0)


def make_netlist(name: str) -> Callable[[Path], None]:
    def cell(kind: str, **ports: tuple[str, int]) -> dict:
        return {
            "type": kind,
            "port_directions": {port: way for port, (way, _) in ports.items()},
            "connections": {port: [bit] for port, (_, bit) in ports.items()},
        }

    def make(folder: Path) -> None:
        cells = {
            "r0": cell("FDRE", C=("input", 2), D=("input", 6), Q=("output", 3)),
            "l0": cell("LUT2", I0=("input", 3), O=("output", 4)),
            "l1": cell("LUT6", I0=("input", 4), O=("output", 5)),
            "r1": cell("FDRE", C=("input", 2), D=("input", 5), Q=("output", 6)),
        }
        nets = {"a": {"bits": [3]}, "b": {"bits": [6, "0"]}, "$c": {"bits": [4, 5]}}
        found = {"creator": "Yosys 0.6", "modules": {"top": {"cells": cells, "netnames": nets}}}
        (folder / name).write_text(json.dumps(found))

    return make


def read_paths(folder: Path) -> None:
    from bitstreams.synthesis import netlist
    from bitstreams.synthesis.paths import paths

    paths(netlist.read(folder / "synthesis.net.json", netlist.Netlist), "top").to_json()


def read_top(folder: Path) -> None:
    from bitstreams.flows.openxc7 import synthesised

    synthesised(folder / "top.json").to_json()


NEXTPNR = """\
Info: Device utilisation:
Info:             SLICE_LUTX: 12586/126800     9%
Info:               RAMB18E1:     8/  270     2%
Info: Max frequency for clock 'clk': 51.00 MHz (PASS at 50.00 MHz)
Info: Max frequency for clock   'clk': 52.10 MHz (PASS at 50.00 MHz)
"""


def make_nextpnr(folder: Path) -> None:
    (folder / "nextpnr.log").write_text(NEXTPNR)


def read_nextpnr(folder: Path) -> None:
    from bitstreams.flows.nextpnr import read

    found = read(folder / "nextpnr.log", clock_hz=50e6, allow_timing_fail=True)
    json.dumps(found.to_json(), allow_nan=False)
    min(clock.slack_ns for clock in found.clocks)


def make_reports(folder: Path) -> None:
    from tests.bitstreams.vivado_texts import reports

    for name, text in reports().items():
        (folder / Path(name).name).write_text(text)


def read_reports(folder: Path) -> None:
    from bitstreams.flows.vivado_reports import read

    found = read(folder, "WARNING: x\n")
    found.timing.to_json(), found.fmax(200.0)


# --- a board that answers -------------------------------------------------------------------------------


def make_frames(folder: Path) -> None:
    from hw.host_interface.protocol import Frame, Status

    answers = ((1, bytes(4)), (2, b""), (3, bytes(9)), (4, b""), (5, bytes(64)))
    frames = [Frame(5, number, Status.OK, payload) for number, payload in answers]
    (folder / "frames").write_bytes(b"".join(frame.encode() for frame in frames))


def change_frames(content: bytes, rng: Random) -> bytes:
    """Bytes of the wire, or frames with any content and a right checksum."""
    from hw.host_interface.protocol import Frame

    if rng.random() < 0.4:
        return mutate.octets(content, rng)
    kinds = [rng.choice((*range(12), rng.randrange(256))) for _ in range(rng.randrange(1, 5))]
    return b"".join(
        Frame(5, rng.randrange(6), kind, rng.randbytes(rng.choice((0, 0, 1, 4, 5, 8, 200)))).encode()
        for kind in kinds
    )


def read_frames(folder: Path) -> None:
    from bitstreams.links.serial_client import SerialClient
    from hw.host_interface.protocol import Command

    class Wire:
        """Says what is in the file, and then nothing."""

        def __init__(self) -> None:
            self.left, self.clock = (folder / "frames").read_bytes(), 0.0

        def write(self, data: bytes) -> None:
            pass

        def read(self, timeout: float) -> bytes:
            said, self.left = self.left[:1], self.left[1:]
            self.clock += 0 if said else timeout
            return said

        def now(self) -> float:
            return self.clock

    client = SerialClient(Wire(), 921_600, session=5)
    client.request(Command.READ, bytes(4), 4, 10)
    sizes = {Command.WRITE: 0, Command.RECEIVE: 256, Command.WRITE_MEMORY: 0, Command.READ_MEMORY: 64}
    for command, size in sizes.items():
        client.request(command, bytes(8), size, 10)


# --- the table ------------------------------------------------------------------------------------------

READERS = [
    Reader("model.npz", design, mutate.artifact, report),
    Reader("narrow.npz", narrow_model, mutate.artifact, read_narrow_model, 0.5),
    Reader("design/design.json", design, change_design, read_design, 0.7),
    Reader("config.json", make_config, mutate.document, read_config),
    Reader("design/simulation.json", design, mutate.document, report, 0.3),
    Reader("design/synthesis.json", design, mutate.document, read_counts, 0.5),
    Reader("accuracy.json", design, mutate.document, report, 0.3),
    Reader("training.json", design, mutate.document, report, 0.3),
    Reader("confusion.json", design, mutate.document, report, 0.3),
    Reader("training.csv", design, mutate.text, report_page, 0.3),
    Reader("design/answers.npz", design, mutate.headed, report_images, 0.3),
    Reader("predicted.json", make_predicted, mutate.document, read_predicted),
    Reader("rows.json", make_rows, mutate.document, read_rows),
    Reader("explore.json", make_explored, mutate.document, read_explored),
    Reader("manifest.json", make_manifest, mutate.document, read_manifest),
    Reader("answer.npz", make_answer, mutate.archive, read_answer),
    Reader("features.npz", make_features, mutate.headed, read_features),
    Reader("itq.npz", make_index("itq", 8), mutate.headed, read_index("itq")),
    Reader("float.npz", make_index("float", 0), mutate.headed, read_index("float")),
    *(
        Reader(
            f"picture.{kind}",
            picture(f"picture.{kind}"),
            mutate.octets,
            images(f"picture.{kind}", (3, 9, 11)),
        )
        for kind in ("png", "jpg", "gif", "bmp", "tiff", "webp")
    ),
    Reader("images.npz", make_npz, mutate.archive, images("images.npz", (1, 9, 11))),
    Reader("calibration.npz", make_calibration, mutate.archive, read_calibration),
    Reader("images.npy", make_npy, mutate.npy, images("images.npy", (1, 9, 11))),
    Reader("mnist_train.npz", make_mnist, mutate.archive, read_set("mnist")),
    Reader("pneumonia_train.npz", make_pneumonia, mutate.archive, read_set("pneumonia"), 0.5),
    Reader("mnist_5k.csv.gz", make_csv, inside_gzip, read_csv, 0.5),
    Reader("cifar10_train.npz", make_cifar, mutate.archive, read_set("cifar10")),
    Reader("cifar-10-batches-bin/data_batch_2.bin", make_binary, mutate.octets, read_set("cifar10")),
    Reader("recipe.toml", make_recipe, mutate.text, read_recipe),
    Reader("sweep.toml", make_sweep, mutate.text, read_sweep),
    Reader("request.json", make_request, mutate.document, read_request),
    Reader("words.json", make_words, mutate.document, read_words, 0.5),
    Reader("journal.json", make_journal, mutate.document, read_journal),
    Reader("sweep.json", make_sweep_result, mutate.document, read_sweep_result),
    Reader("network.onnx", make_onnx, change_onnx, read_onnx, 0.5),
    Reader("checkpoint.pt", make_checkpoint, change_checkpoint, read_checkpoint, 0.5),
    Reader("synthesis.stat.json", make_stat, mutate.document, read_stat),
    Reader("synthesis.net.json", make_netlist("synthesis.net.json"), mutate.document, read_paths),
    Reader("top.json", make_netlist("top.json"), mutate.document, read_top),
    Reader("nextpnr.log", make_nextpnr, mutate.text, read_nextpnr),
    *(
        Reader(f"{name}.rpt", make_reports, mutate.text, read_reports)
        for name in ("timing", "utilization", "utilization_hierarchical", "route_status")
    ),
    Reader("frames", make_frames, change_frames, read_frames),
]
