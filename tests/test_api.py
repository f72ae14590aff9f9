"""spec2 from Python: what the functions make, how they show it, and what they refuse."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import spec2
from bitstreams.commands.api.keywords import says_keywords
from hw.contract.design import DesignInfo
from hw.util.errors import ArtifactError, ConfigError, DataError, UnsupportedNetwork
from sim import model as integer_model
from sim.rtl.waves.recording import Recording

FEW = {"dense": 1, "pruning": 1, "finetune": 1, "mirror": 1}


class Text(HTMLParser):
    """The words of a cell, and the tags that are open."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.words, self.open, self.tags = [], [], set()
        self.feed(cell)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())

    def __contains__(self, text):
        return text in " ".join(self.words)


def cell(thing) -> Text:
    return Text(thing._repr_html_())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A module on 60 images of three classes, each a bright third of the image: model, images, labels."""
    torch = pytest.importorskip("torch")
    nn, rng = torch.nn, np.random.default_rng(3)
    labels = np.arange(60) % 3
    images = rng.integers(0, 60, (60, 12, 12)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 * label : 4 * label + 4] += 150
    torch.manual_seed(1)
    layers = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU()]
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(72, 3))
    folder = tmp_path_factory.mktemp("api") / "thirds"
    made = spec2.prune(module, images, labels, name="thirds", out=folder, epochs=FEW, seed=2, batch=8)
    return made, module, images, labels


def test_a_module_and_arrays_become_a_model(trained):
    made, _, images, labels = trained
    assert made.network.name == "thirds" and made.network.input == (1, 12, 12)
    held = np.arange(60) % 5 == 0
    scores = made.scores(images[held][:, None])
    assert np.array_equal(scores, integer_model.run(made.artifact, images[held][:, None]))
    right = 100 * (scores.argmax(1) == labels[held]).mean()
    assert made.accuracy["integer"] == pytest.approx(right, abs=0.01)
    assert set(made.accuracy) >= {"dense", "pruned", "mirror", "integer"}
    with np.load(made.folder / "images.npz") as stored:
        assert np.array_equal(stored["test_images"][:, 0], images[held])


def test_what_was_done_is_taken_over(trained):
    """The same settings again train nothing; another seed does."""
    made, module, images, labels = trained
    before = (made.folder / "training.csv").read_text()
    settings = {"name": "thirds", "out": made.folder, "epochs": FEW, "batch": 8}
    again = spec2.prune(module, images, labels, seed=2, **settings)
    assert again.digest == made.digest and (made.folder / "training.csv").read_text() == before
    other = spec2.prune(module, images, labels, seed=3, **settings | {"out": made.folder.with_name("other")})
    assert other.digest != made.digest


def test_other_images_begin_anew(trained, tmp_path):
    """A checkpoint in the same folder is one of other settings where pixels differ."""
    _, module, images, labels = trained
    settings = {"name": "thirds", "out": tmp_path / "here", "epochs": FEW, "batch": 8}
    first = spec2.prune(module, images, labels, **settings)
    second = spec2.prune(module, 255 - images, labels, **settings)
    assert first.folder == second.folder
    assert len((second.folder / "training.csv").read_text().splitlines()) == 1 + sum(FEW.values())
    with np.load(second.folder / "images.npz") as stored:
        assert np.array_equal(stored["images"][0, 0], 255 - images[1])


def test_the_model_shows_its_accuracy_and_layers(trained):
    made = trained[0]
    shown = cell(made)
    assert f"{made.accuracy['integer']:.2f} %" in shown and "table" in shown.tags
    for layer in made.network.layers:
        assert layer.name in shown.words
    assert "thirds" in repr(made) and str(made.folder) in repr(made)


def test_estimate_design_and_report_say_the_same(trained, tmp_path):
    made = trained[0]
    foretold = spec2.estimate(made, rows=4, lanes=2, board="vc707")
    design = spec2.generate(made, rows=4, lanes=2, out=tmp_path / "d", name="thirds")
    assert design.verilog.name == "thirds.v" and "module thirds(" in design.verilog.read_text()
    assert design.info.config.rows == 4 and design.info.config.batch == 2  # no more than lanes
    assert design.figures["cycles_per_image"] == foretold.cycles_per_image
    clocks = f"{foretold.cycles_per_image:,}"
    assert clocks in cell(foretold) and clocks in cell(design) and clocks in repr(foretold)
    assert "of the board: dsp" in cell(foretold)
    assert design.model.digest == made.digest
    report = spec2.report(made, design)
    assert report.path.exists() and report.figures["digest"] == made.digest
    framed = report._repr_html_()
    assert framed.startswith("<iframe srcdoc=") and 'sandbox=""' in framed and framed.count("<") == 2


def test_a_design_stands_for_its_model_and_a_model_for_its_design(fake_design, tiny_images, trained):
    assert spec2.simulate(spec2.Model(fake_design.folder), tiny_images).equal
    assert spec2.simulate(fake_design.folder, tiny_images).equal
    assert spec2.simulate(fake_design.folder / "model.npz", tiny_images).equal
    design = spec2.Design(fake_design.folder)
    assert design.folder == fake_design.design
    by_design, by_model = (
        spec2.estimate(of, rows=8, lanes=4) for of in (design, spec2.Model(fake_design.folder))
    )
    assert by_design.figures == by_model.figures


def test_a_module_is_taken_to_be_trained_and_its_images_as_they_are(monkeypatch, tmp_path):
    """No dense epochs and no augmentation, unless they are given."""
    torch = pytest.importorskip("torch")
    found = []

    def stop(recipe, *_, **__):
        found.append(recipe)
        raise KeyboardInterrupt

    monkeypatch.setattr("bitstreams.commands.api.training.follow", stop)
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.Flatten(), torch.nn.Linear(800, 3))
    for given in ({}, {"epochs": {"dense": 3}, "training": {"augment": "warp"}}):
        with pytest.raises(KeyboardInterrupt):
            spec2.prune(module, images(), [0] * 20, out=tmp_path, **given)
    (plain, chosen) = found
    assert plain.epochs.dense == 0 and plain.epochs.pruning > 0 and plain.training.augment == "none"
    assert chosen.epochs.dense == 3 and chosen.training.augment == "warp"


def test_a_simulation_is_that_of_the_command(fake_design, tiny_images):
    result = spec2.simulate(fake_design.design, tiny_images, stalls=True, seed=4)
    assert result.equal and result.images == 6 and "all equal" in repr(result)
    assert fake_design.calls[0] | {"memory": None} == fake_design.calls[0] | {
        "stalls": True,
        "seed": 4,
        "images": 6,
        "memory": None,
    }
    expected = integer_model.run(fake_design.artifact, tiny_images)
    assert np.array_equal(result.scores, expected)
    assert np.array_equal(result.chosen, expected.argmax(1))
    assert f"{result.cycles:,}" in cell(result) and "img" in cell(result).tags


@pytest.mark.parametrize("window", [(0, None), (2, 7)])
def test_waves_are_those_of_the_window(fake_design, tiny_images, monkeypatch, window):
    asked = []

    def simulated(*_, waves, **__):
        asked.append(waves)
        return {"mismatches": 0}

    monkeypatch.setattr("bitstreams.commands.api.simulation.simulate_design", simulated)
    first, last = window
    spec2.simulate(fake_design.design, tiny_images, waves="a.fst", waves_from=first, waves_to=last)
    spec2.simulate(fake_design.design, tiny_images)
    assert asked == [Recording(Path("a.fst"), first, last), None]


def test_wrong_values_are_shown_as_such(fake_design, tiny_images):
    fake_design.errors[1] = 1  # of the compared run, and of that of a batch
    result = spec2.simulate(fake_design.design, tiny_images)
    assert not result.equal and "2 WRONG" in repr(result)
    assert "WRONG: " in cell(result) and result.figures["first_mismatch"] in cell(result)


def test_a_design_simulates_the_images_that_its_model_was_trained_on(fake_design):
    shape = fake_design.info.network.input
    pixels = np.random.default_rng(8).integers(0, 256, (40, *shape), np.uint8)
    np.savez(fake_design.folder / "images.npz", images=pixels, labels=np.arange(40) % 3)
    result = spec2.simulate(fake_design.design, 8)
    assert result.images == 8 and result.figures["correct"] is not None
    held = pixels[::5]
    assert np.array_equal(result.scores, integer_model.run(fake_design.artifact, held))
    assert spec2.simulate(fake_design.design, str(fake_design.folder / "images.npz")).images == 8


def test_names_of_files_are_text(trained, tmp_path):
    """A folder's name goes into the cell; it is no markup there."""
    made = trained[0]
    folder = tmp_path / "<b>bold<b>"
    folder.mkdir()
    made.artifact.save(folder / "model.npz")
    assert "<b>bold<b>" in cell(spec2.Model(folder))


def images(count=20):
    return np.zeros((count, 1, 12, 12), np.uint8)


def untrained():
    """A module, unless there is no torch."""
    nn = pytest.importorskip("torch").nn
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(800, 3))


REFUSED = {
    "no labels": (lambda m: spec2.prune(m, images()), ConfigError, "needs labels"),
    "labels alone": (lambda m: spec2.prune(m, "mnist", [1]), ConfigError, "labels and test go with"),
    "test of three": (
        lambda m: spec2.prune(m, images(), [0] * 20, test=(1, 2, 3)),
        ConfigError,
        "has 3 arrays",
    ),
    "no shape": (lambda m: spec2.prune(m), ConfigError, "give shape="),
    "a name of a recipe": (lambda m: spec2.prune("lenet", name="x"), ConfigError, "are for a torch module"),
    "weights": (lambda m: spec2.prune("net.pt"), ConfigError, "holds weights and no network"),
    "no recipe": (lambda m: spec2.prune("lenett"), ConfigError, "there is no recipe"),
    "no set": (lambda m: spec2.prune(m, "imagenet", shape=(1, 12, 12)), ConfigError, "unknown data set"),
    "entry": (lambda m: spec2.prune("lenet", bach=3), ConfigError, "a recipe has no 'bach': give data"),
    "entry's type": (
        lambda m: spec2.prune("lenet", batch="many"),
        ConfigError,
        "batch of a recipe: Expected",
    ),
    "field": (lambda m: spec2.prune("lenet", training={"rate": 1}), ConfigError, "training of a recipe"),
    "phase": (lambda m: spec2.prune("lenet", epochs={"warm": 1}), ConfigError, "epochs of a recipe"),
    "few images": (lambda m: spec2.prune(m, images(9), [0] * 9), DataError, "at least 16 are needed"),
    "no model": (lambda m: spec2.Model("nowhere"), ArtifactError, "nowhere"),
    "no zoo model": (lambda m: spec2.Model("zoo:lenet-9:8"), ConfigError, "zoo"),
    "no design": (lambda m: spec2.Design("nowhere"), ArtifactError, "spec2 generate"),
    "array": (
        lambda m: spec2.estimate("zoo:lenet-2:8", row=4),
        ConfigError,
        "an array has no 'row': give rows",
    ),
    "board": (lambda m: spec2.estimate("zoo:lenet-2:8", board="vc70"), ConfigError, "vc70"),
}


@pytest.mark.parametrize("call, error, sentence", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(call, error, sentence, tmp_path, monkeypatch):
    module = untrained()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=sentence):
        call(module)
    assert not [path for path in tmp_path.rglob("model.npz") if "zoo" not in path.parts]


SAID = {
    "budget": (
        lambda design: spec2.estimate("zoo:lenet-2:8", rows=64, lanes=16, board="basys3"),
        "lower rows or lanes; lower lanes or batch, or prune harder",
    ),
    "no memory": (
        lambda design: spec2.estimate("zoo:lenet-1:8", rows=4, lanes=1, stream_weights=True, board="basys3"),
        "hold their weights, without stream_weights and memories",
    ),
    "window": (
        lambda design: spec2.simulate(design, 1, waves="a.fst", waves_from=9, waves_to=9),
        "waves_from 9 and waves_to 9 leave no clock between: waves_to is",
    ),
    "no file": (
        lambda design: spec2.simulate(design, 1, waves_to=9),
        "waves_from and waves_to bound waves: name its file",
    ),
    "device": (
        lambda design: spec2.prune("lenet", epochs={"dense": 1}, device="nothing"),
        "leave device out to use the processor",
    ),
    "set": (
        lambda design: spec2.prune(untrained(), shape=(1, 12, 12)),
        "no data set has images of 1×12×12: give images, one of mnist",
    ),
    "a command": (lambda design: spec2.Design("nowhere"), "'spec2 generate'"),
}


@pytest.mark.parametrize("call, sentence", SAID.values(), ids=SAID)
def test_sentences_have_the_names_of_python(call, sentence, fake_design, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(spec2.Spec2Error) as error:
        call(fake_design.design)
    assert sentence in str(error.value) and "--" not in str(error.value)


def test_options_that_a_function_does_not_take_and_commands_stay_as_they_are():
    """Of the first argument of an error alone there is a sentence; others may be anything."""

    @says_keywords(lambda: ["stream_bits"])
    def call(lanes: int) -> None:
        raise ConfigError("--lanes, --rows, --stream-bits, --lanes-, a--lanes: 'spec2 generate --lanes 1'", 2)

    with pytest.raises(ConfigError) as error:
        call(1)
    assert error.value.args == (
        "lanes, --rows, stream_bits, --lanes-, a--lanes: 'spec2 generate --lanes 1'",
        2,
    )
    assert call.__name__ == "call"


def test_a_network_that_cannot_be_is_refused_for_all_its_reasons():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    module = nn.Sequential(
        nn.Conv2d(1, 4, 9, 3), nn.GELU(), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(16, 3)
    )
    with pytest.raises(UnsupportedNetwork) as error:
        spec2.prune(module, images(), [0] * 20)
    assert "GELU" in str(error.value) and "GroupNorm" in str(error.value)


def test_few_images_of_a_simulation_are_checked(fake_design):
    with pytest.raises(DataError, match="do not fit a network whose input is"):
        spec2.simulate(fake_design.design, images())
    with pytest.raises(ConfigError, match="0 images are none"):
        spec2.simulate(fake_design.design, 0)
    with pytest.raises(ConfigError, match="leave them out"):
        spec2.simulate(fake_design.design, 3, labels=[1, 2, 3])


def test_a_simulation_that_another_one_replaced_says_so(fake_design, tiny_images):
    result = spec2.simulate(fake_design.design, tiny_images)
    (fake_design.design / "answers.npz").unlink()
    with pytest.raises(ConfigError, match="simulate again"):
        _ = result.scores
    assert DesignInfo.load(fake_design.design).digest == result.design.info.digest
