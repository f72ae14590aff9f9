"""Recipe files: those of the project, what a file may say, and one sentence for what it may not."""

import pytest

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning.training import recipe
from pruning.training.phases import phases_of
from pruning.training.settings import Bits, Epochs


@pytest.mark.parametrize("name", recipe.names())
def test_the_projects_recipes_are_whole(name):
    found = recipe.find(name)
    settings = found.settings(50_000)
    last = found.network.layers[-1].name
    assert found.name == name and found.network.name == name.removesuffix("-long")
    assert settings.config.sparsity(last).kind == "dense"
    assert [phase.epochs > 0 for phase in phases_of(settings)] == [True] * 4
    first = found.network.layers[0].name
    assert settings.config.sparsity(first).kind == "dense"
    halved = recipe.find(name, sparsity="filter").targets()
    assert halved.sparsity(first) == Sparsity("filter", 16, 32), "neighbours are halved, too"


def test_small_sets_have_more_epochs():
    lenet = recipe.find("lenet")
    assert lenet.settings(4000).epochs == Epochs(16, 8, 8, 3)
    assert lenet.settings(60_000).epochs == Epochs(8, 4, 4, 2)


def test_narrow_spectra_are_part_of_what_a_checkpoint_must_agree_in(tmp_path):
    """And those of 16 bits are not mentioned: jobs from before there were others go on."""
    found = recipe.find(write(tmp_path, "spectrum_bits = 11"))
    assert found.settings(4000).spectrum_bits == found.settings(4000).key()["spectrum_bits"] == 11
    wide = recipe.find("lenet").settings(4000)
    assert wide.spectrum_bits == 16 and "spectrum_bits" not in wide.key()


def write(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_text('network = "lenet"\ndata = "mnist"\n' + text)
    return str(path)


def test_layers_densities_and_training_are_the_files(tmp_path):
    text = """
        sparsity = "adaptive-3:16"
        block = 16
        [layers]
        conv2 = "kernel-1:2"
        fc2 = "adaptive-1:8"
        [pruning]
        rho = 0.25
        [training]
        optimiser = "sgd"
        rates = { finetune = 0.5 }
        [target]
        cycles = 1000
        rows = 8
        lanes = 4
        [layer_bits]
        conv2 = 5
    """
    found = recipe.find(write(tmp_path, text), seed=3)
    targets = found.targets()
    assert found.name == "own" and found.seed == 3
    assert targets.sparsity("conv1") == Sparsity() and targets.rho == 0.25
    assert targets.sparsity("conv2") == Sparsity("kernel", 16, 32)
    assert targets.sparsity("fc1") == Sparsity("adaptive", 1.5, 8, 16)
    assert targets.sparsity("fc2") == Sparsity("adaptive", 1, 8, 16)
    rates = [phase.lr for phase in phases_of(found.settings(1))]
    assert rates == [2e-3, 1e-3, 0.5, 3e-4] and found.target.cycles == 1000
    assert found.settings(1).layer_bits == {"conv2": 5} and found.settings(1).bits is None


def test_widths_are_found_as_the_file_says_or_the_command_line(tmp_path):
    found = recipe.find(write(tmp_path, "weight_bits = 6\n[bits]\nmean = 4.5\nleast = 2\nimages = 9"))
    assert found.settings(1).bits == Bits(4.5, 2, 9)
    assert recipe.for_bits(found, 3).bits == Bits(3, 2, 9)
    assert recipe.for_bits(recipe.find("lenet"), 6).settings(1).bits == Bits(6, 3, 500)
    with pytest.raises(
        ConfigError, match=r"mean bits must be 2 \(least in .bits.\) to 6 \(weight_bits\), not 7"
    ):
        recipe.for_bits(found, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 3", "object contains unknown field colour"),
        ("block = 'many'", "block: expected int, got str: 'many'"),
        ("[training]\nmomentum = 1", "training: object contains unknown field momentum"),
        ("[epochs]\ndense = 1.5", "epochs.dense: expected int, got float: 1.5"),
        ("[layers]\nconv9 = 'dense'", r"has no layer 'conv9': \[layers\] may name conv1, conv2, fc1, fc2"),
        ("sparsity = 'magic'", "unknown sparsity 'magic'"),
        (f"sparsity = 'uniform-1:{'9' * 5000}'", "must be PATTERN or PATTERN-a:b with 0 < a <= b"),
        ("[training]\naugment = 'blur'", "unknown augmentation 'blur': choose none, warp"),
        ("[training]\nprecision = 'fp8'", "unknown precision 'fp8'"),
        ("weight_bits = 1", "weight_bits must be 2 to 16, not 1"),
        ("spectrum_bits = 17", "spectrum_bits must be 8 to 16, not 17"),
        (
            "spectrum_bits = 8",
            "spectrum_bits must be 9 or more, not 8: the fully connected layer 'fc1' takes",
        ),
        (
            "[layer_bits]\nconv9 = 5",
            "layer_bits names 'conv9', but network 'lenet' has no such layer: "
            "choose from conv1, conv2, fc1, fc2",
        ),
        (
            "input = [3, 28, 28]",
            r"lenet takes an input of \[1, 28, 28\], not of \[3, 28, 28\]: leave input out",
        ),
        ("input = [28, 28]", "input: expected array of length 3, got 2"),
        ("[layer_bits]\nfc1 = 1", r"layer_bits of 'fc1' must be 2 to 8 \(weight_bits\), not 1"),
        (
            "weight_bits = 6\n[layer_bits]\nfc1 = 7",
            r"layer_bits of 'fc1' must be 2 to 6 \(weight_bits\), not 7",
        ),
        ("[layer_bits]\nfc1 = 4.5", r"layer_bits\[\.\.\.\]: expected int, got float"),
        ("[bits]\nleast = 4", "bits: object missing required field mean"),
        ("[bits]\nmean = 8.5", r"mean bits must be 3 \(least in .bits.\) to 8 \(weight_bits\), not 8.5"),
        ("[bits]\nmean = 2.9", "not 2.9"),
        ("[bits]\nmean = nan", "nan is no number to work with: write a finite one"),
        ("[bits]\nmean = 5\nleast = 1", r"least in .bits. must be 2 to 8 \(weight_bits\), not 1"),
        ("[bits]\nmean = 5\nimages = 0", "images in .bits. must be at least 1, not 0"),
        ("[bits]\nmean = 5\n[layer_bits]\nfc1 = 5", "mean bits are to find: leave one of the two out"),
        ("[pruning]\nrho = 0.5\nstrength = 1", "admm has no 'strength': .pruning. may hold rho, growth"),
        ("[pruning]\nrho = -1", "rho must be positive"),
        ("optimiser = 'magnitude'\n[pruning]\nrho = 1", "magnitude has no 'rho': .pruning. may hold nothing"),
        ("= 3", "damaged"),
    ],
)
def test_what_a_file_may_not_say_is_one_sentence(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        recipe.find(write(tmp_path, text))


def test_names_that_are_no_recipes():
    with pytest.raises(ConfigError, match=r"no recipe 'magic': choose cifar-small, cifar-small-long, lenet"):
        recipe.find("magic")
    with pytest.raises(ConfigError, match=r"cannot read the recipe nowhere\.toml: No such file"):
        recipe.find("nowhere.toml")
    with pytest.raises(UnsupportedNetwork, match="efficientnet needs SiLU"):
        recipe.find("efficientnet")


def test_a_file_is_one_however_its_name_is_written(tmp_path):
    path = tmp_path / "OWN.TOML"
    path.write_text('network = "lenet"\ndata = "mnist"\ninput = [1, 28, 28]\n')
    assert recipe.find(str(path)).network.name == "lenet"


@pytest.mark.parametrize("name", [name for name in recipe.names() if name.endswith("-long")])
def test_a_long_recipe_is_the_short_one_for_longer(name):
    """The field's schedule: a rise of the rate, then a cosine, over several times the epochs."""
    long, short = recipe.find(name), recipe.find(name.removesuffix("-long"))
    assert long.network == short.network and long.targets() == short.targets()
    assert long.training.rates == short.training.rates and long.training.batch_norm
    assert 0 < long.training.warmup < short.training.warmup and long.training.optimiser == "sgd"
    assert long.epochs.dense >= 4 * short.epochs.dense and long.epochs.finetune > 2 * short.epochs.finetune
