"""What a sweep's file becomes, and what is refused before anything is trained; the table in the end."""

import pytest

from hw.util.errors import ConfigError
from pruning.training.sweep import plan
from pruning.training.sweep.engine import Outcome
from pruning.training.sweep.spread import LOST, cells, spread

TWO = 'recipe = "lenet"\nseeds = [3, 1]\n[grid]\nsparsity = ["adaptive-1:8", "block"]\nweight_bits = [8, 6]\n'


def read(tmp_path, text, data_dir=None):
    (tmp_path / "sweep.toml").write_text(text)
    return plan.read(tmp_path / "sweep.toml", tmp_path / "out", data_dir)


def test_every_combination_with_every_seed(tmp_path):
    jobs = read(tmp_path, TWO)
    assert [job.seed for job in jobs] == [3] * 4 + [1] * 4
    assert [job.case for job in jobs[:4]] == [
        f"sparsity {sparsity}, weight_bits {bits}"
        for sparsity in ("adaptive-1:8", "block")
        for bits in (8, 6)
    ]
    assert jobs[0].changes == {"sparsity": "adaptive-1:8", "weight_bits": 8}
    assert jobs[0].folder == tmp_path / "out" / "adaptive-1of8-8-seed3"
    assert len({job.folder for job in jobs}) == len({job.key for job in jobs}) == 8
    assert [job.key for job in read(tmp_path, TWO)] == [job.key for job in jobs]


def test_a_result_is_bound_to_recipe_settings_and_images(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('network = "lenet"\ndata = "mnist"\n')
    text = 'recipe = "mine.toml"\nseeds = [0]\n'
    (job,) = read(tmp_path, text)
    assert job.recipe == str(recipe) and job.name == "seed 0"
    keys = {job.key, read(tmp_path, text, tmp_path)[0].key}
    recipe.write_text('network = "lenet"\ndata = "mnist"\nbatch = 32\n')
    assert len(keys | {read(tmp_path, text)[0].key}) == 3


def test_a_result_is_bound_to_the_weights_that_training_begins_with():
    """Those of an ONNX file, which may change under the same name."""
    torch = pytest.importorskip("torch")
    from msgspec.structs import replace

    from pruning.layers.models import NetworkModel

    recipe, keys = plan.recipes.find("lenet"), set()
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        keys.add(plan._source(replace(recipe, start=NetworkModel(recipe.network)), None))
    assert len(keys | {plan._source(recipe, None)}) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seeds = [0]", "recipe"),
        ('recipe = "none"', "there is no recipe 'none'"),
        ('recipe = "lenet"\nseeds = []', "give at least one seed"),
        ('recipe = "lenet"\nseeds = [1, 1]', "and none twice"),
        ('recipe = "lenet"\nseeds = [-1]', "seed must be 0"),
        ('recipe = "lenet"\nspeed = 3', "speed"),
        ('recipe = "lenet"\n[grid]\nseed = [1]', "seed"),
        ('recipe = "lenet"\n[grid]\nblock = [8, 8]', "a value of block twice"),
        ('recipe = "lenet"\n[grid]\nsparsity = ["magic"]', "magic"),
        ('recipe = "lenet"\n[grid]\nweight_bits = [8, 99]', "99"),
        (f'recipe = "lenet"\nseeds = {list(range(10_001))}', "10,001 trainings, more than 10,000"),
        ("recipe = ", "damaged or has an unknown entry"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read(tmp_path, text)


def test_there_is_no_sweep(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the sweep"):
        plan.read(tmp_path / "none.toml", tmp_path, None)


def test_mean_and_deviation_over_the_seeds_that_were_measured(tmp_path):
    jobs = read(tmp_path, TWO)
    values = {(3, "adaptive-1:8"): (99.0, 98.0), (1, "adaptive-1:8"): (98.0, 97.5)}
    found = [
        Outcome(job, dict(zip(("dense", "integer"), values[job.seed, job.changes["sparsity"]], strict=True)))
        if (job.seed, job.changes["sparsity"]) in values and job.changes["weight_bits"] == 8
        else Outcome(job, {}, "no")
        for job in jobs
    ]
    first, *others = spread(found)
    assert first["case"] == "sparsity adaptive-1:8, weight_bits 8" and first["seeds"] == 2
    assert first["measured"]["dense"] == {"mean": 98.5, "stdev": 0.7071}
    assert first["measured"][LOST] == {"mean": 0.75, "stdev": 0.3536}
    assert [row["seeds"] for row in others] == [0, 0, 0]
    head, body = cells([first, *others])
    assert head == ["case", "seeds", "dense", "integer", LOST]
    assert body[0][1:] == ["2", "98.50 ± 0.71", "97.75 ± 0.35", "0.75 ± 0.35"] and body[1][2:] == ["-"] * 3
    (single,) = spread(found[:1])
    assert cells([single])[1][0][2:] == ["99.00", "98.00", "1.00"]
