"""What pages say was measured is what the data beside them hold."""

import json
import re
import statistics
import tomllib

import pytest

from bitstreams.commands import pool_benchmark
from bitstreams.synthesis import extrapolation
from pruning.transfer.search import benchmark as search_benchmark
from sim.commands import spread_page, transfer_results
from sim.report import comparison, comparison_page, comparison_plot, explore_page, robustness_tables
from sim.rtl import layers
from tests.docs.pages import (
    README,
    RESULTS,
    ROOT,
)

SPARSITY, OF_VGG16, SEARCH, WORDS, ROBUSTNESS, POOL = (
    RESULTS / f"{name}.json"
    for name in ("sparsity", "sparsity-vgg16", "search", "words", "robustness", "pool")
)
"""Their tables have pages of their own."""


@pytest.mark.parametrize(
    "data",
    sorted({*RESULTS.glob("*.json")} - {SPARSITY, OF_VGG16, SEARCH, WORDS, ROBUSTNESS, POOL}),
    ids=lambda p: p.stem,
)
def test_the_results_page_holds_the_tables_of_its_data(data):
    page, rows = (ROOT / "docs" / "results.md").read_text(), json.loads(data.read_text())
    if isinstance(rows, list):
        tables = [comparison.markdown(rows)]
    elif "images_per_second" in rows:
        tables = [pytest.importorskip("pruning.training.benchmark").markdown(rows)]
    elif "slices" in rows:
        tables = [extrapolation.markdown(rows, rows["budget"], rows["device"])]
    else:
        tables = layers.markdown(rows)
    for table in tables:
        assert table in page, f"{data.name} has changed: put what its command prints into the page"


def test_the_sparsity_page_holds_the_table_and_the_plot_of_its_data():
    """Of the patterns of the sweep beside it, each with three seeds."""
    page, rows = (ROOT / "docs" / "sparsity.md").read_text(), json.loads(SPARSITY.read_text())
    assert comparison_page.section(rows, "results/sparsity.svg") in page, (
        "sparsity.json has changed: run 'make sparsity-seeds'"
    )
    assert page.count(comparison_page.marks(comparison_page.MEASURED)[0]) == 1
    drawn = SPARSITY.with_suffix(".svg").read_text()
    assert all(f">{comparison_plot.label(row)}<" in drawn for row in rows)
    sweep = tomllib.loads((RESULTS / "spread" / "cifar-small.toml").read_text())
    assert {row["seeds"] for row in rows} == {len(sweep["seeds"])} == {3}
    named = {"uniform" if row["scheme"] == "2:8" else row["scheme"] for row in rows}
    assert named == {*sweep["grid"]["sparsity"]} and len(rows) == len(named)


def test_the_sparsity_page_holds_what_the_hardware_makes_of_vgg16():
    page, rows = (ROOT / "docs" / "sparsity.md").read_text(), json.loads(OF_VGG16.read_text())
    assert comparison_page.section(rows) in page, "its data have changed: run 'make compare-sparsity'"
    assert page.count(comparison_page.marks(comparison_page.HARDWARE)[0]) == 1


def test_what_is_said_of_accuracies_and_seeds_is_so():
    rows = {row["scheme"]: row for row in json.loads(SPARSITY.read_text())}
    lost = {name: row["lost"] for name, row in rows.items()}
    assert all(row["spread"]["lost"] < 1 and row["spread"]["accuracy_integer"] < 1 for row in rows.values())
    assert abs(lost["adaptive-2:8"]) < 0.1 and 0.2 < lost["kernel"] < 0.4
    assert 2.5 < lost["2:8"] < 3.5 and lost["filter"] > 5
    accuracy = {name: row["accuracy_integer"] for name, row in rows.items()}
    assert accuracy["adaptive-1:8"] > max(accuracy["2:8"], accuracy["filter"])
    single = {row["scheme"]: row for row in json.loads(OF_VGG16.read_text())}
    clocks = {name: row["cycles"] for name, row in single.items()}
    regular = max(clocks[name] for name in ("2:8", "adaptive-2:8", "block", "column"))
    assert regular < 0.87 * min(clocks[name] for name in ("kernel", "pattern", "unstructured"))
    for name in ("block", "column", "combined"):
        less = single["adaptive-2:8"]["accuracy_integer"] - single[name]["accuracy_integer"]
        assert 0.8 < less < 1.2


@pytest.mark.parametrize(("name", "page"), [("lenet", "sparsity.md"), ("pneumonia", "results.md")])
def test_a_page_holds_what_seeds_differ_by(name, page):
    """Of the patterns of the sweep beside it, each with three seeds, and what is said of them."""
    cases = json.loads((ROOT / "docs" / "results" / "spread" / f"{name}.json").read_text())
    sweep = tomllib.loads((ROOT / "docs" / "results" / "spread" / f"{name}.toml").read_text())
    assert [case["case"] for case in cases] == [
        f"sparsity {pattern}" for pattern in sweep["grid"]["sparsity"]
    ]
    assert {case["seeds"] for case in cases} == {len(sweep["seeds"])} == {3}
    assert spread_page.markdown(cases) in (ROOT / "docs" / page).read_text()


def test_what_is_said_of_the_seeds_of_lenet_is_so():
    cases = json.loads((ROOT / "docs" / "results" / "spread" / "lenet.json").read_text())
    integer = [case["measured"]["integer"] for case in cases]
    means = [of["mean"] for of in integer]
    assert max(means) - min(means) < 0.34 and max(of["stdev"] for of in integer) > max(means) - min(means)
    assert all(case["measured"]["lost"]["mean"] < 0.5 for case in cases)


def test_what_is_said_of_the_seeds_of_pneumonia_is_so():
    cases = json.loads((ROOT / "docs" / "results" / "spread" / "pneumonia.json").read_text())
    measured = [case["measured"] for case in cases]
    means = [of["integer"]["mean"] for of in measured]
    assert all(1.5 < of["integer"]["stdev"] < 3.5 and of["lost"]["mean"] < 0 for of in measured)
    assert max(means) - min(means) < min(of["integer"]["stdev"] for of in measured)
    assert 4.5 < max(of["sensitivity"]["stdev"] for of in measured) < 5.5


def test_the_robustness_page_holds_the_tables_of_its_data():
    found = json.loads(ROBUSTNESS.read_text())
    page = (ROOT / "docs" / "robustness.md").read_text()
    assert len(found["models"]) >= 6
    for part in robustness_tables.tables(found):
        assert part.split("\n\n")[-1] in page, (
            "robustness.json has changed: put what its command prints into the page"
        )


def test_the_robustness_page_says_what_its_data_say():
    """Hidden digits cost pruned networks more, patches no more than that, and one patch does for all."""
    found = json.loads(ROBUSTNESS.read_text())
    rows = {(row["scheme"], row["weight_bits"]): row for row in found["models"]}
    assert len(rows) == 9 and found["test_images"] == 1000
    grey = [
        [round(rows[scheme, 8]["grey"][i]) for scheme in ("dense", "adaptive-2:8", "adaptive-1:8")]
        for i in (1, 2)
    ]
    assert grey == [[90, 89, 86], [72, 69, 67]]
    extra = [[row["grey"][i] - row["own"][i] for row in rows.values()] for i in (1, 2)]
    assert 14.5 < min(extra[0]) and max(extra[0]) < 16 and 18.5 < min(extra[1]) and max(extra[1]) < 24.5
    for kind in ("noise", "blur", "jpeg"):
        means = [statistics.mean(row["corruptions"][kind]) for row in rows.values()]
        assert max(means) - min(means) <= 0.9
    names = list(found["across"])
    own = [found["across"][name][i] for i, name in enumerate(names)]
    assert all(abs(found["across"][a][i] - own[i]) < 2.65 for a in names for i in range(len(names)))
    assert all(row["own"][0] == row["shared"][0] for row in rows.values())


def test_the_search_page_holds_the_table_of_words_and_what_it_says():
    """IIQ is ahead of ITQ at 32 bits, level at 64, behind at 96; 12 bytes are a 33rd of the floats."""
    found = json.loads(WORDS.read_text())
    assert search_benchmark.markdown(found, "word") in (ROOT / "docs" / "similarity.md").read_text()
    recall = {(row["method"], row["bits"]): statistics.mean(row["recall"]) for row in found["rows"]}
    ahead = [recall["iiq", bits] - recall["itq", bits] for bits in (32, 64, 96)]
    assert 0.3 < ahead[0] < 0.4 and abs(ahead[1]) < 0.25 and ahead[2] < -0.5
    assert found["seeds"] == 5 and next(row["bytes"] for row in found["rows"]) / 12 > 33


def test_the_search_page_holds_the_table_of_its_data_and_what_it_says():
    """8 bytes of ITQ find classes better than floats; IIQ trades precision for exact neighbours."""
    found = json.loads(SEARCH.read_text())
    assert search_benchmark.markdown(found) in (ROOT / "docs" / "similarity.md").read_text()
    mean = {
        (row["method"], row["bits"]): (statistics.mean(row["map"]), statistics.mean(row["recall"]))
        for row in found["rows"]
    }
    assert found["seeds"] == 5 and mean["itq", 64][0] > mean["float", 0][0]
    for bits in (32, 64, 128, 256):
        assert mean["iiq", bits][0] < mean["itq", bits][0] and mean["iiq", bits][1] > mean["itq", bits][1]
    assert [mean["sign", bits][0] for bits in (32, 64, 128, 256)] == sorted(
        (mean["sign", bits][0] for bits in (32, 64, 128, 256)), reverse=True
    )


@pytest.mark.parametrize("task", ["cifar10", "pneumonia"])
def test_the_page_on_new_classes_holds_the_tables_of_its_data(task):
    page = (ROOT / "docs" / "transfer.md").read_text()
    found = transfer_results.read(RESULTS / "transfer" / f"{task}.json")
    for made in transfer_results.tables(found).split("\n\n"):
        assert made in page, "put what 'python -m sim.commands.transfer_results' prints into the page"


def test_the_readme_quotes_what_was_measured():
    readme = " ".join(README.read_text().split())
    for name in ("vgg16", "vgg16-packed-1in8"):
        total = json.loads((RESULTS / f"{name}.json").read_text())["total"]
        took = f"{total['cycles']:,} clocks on {total['dsp_total']:,} DSP slices"
        assert f"{took}, {total['op_per_dsp_cycle']:.1f}" in readme
    rows = json.loads((RESULTS / "vgg16-cifar.json").read_text())
    (row,) = [one for one in rows if one["scheme"] == "adaptive-1:8"]
    assert (
        f"{row['accuracy_dense']:.2f} % of the test images before pruning; as integers with "
        f"{row['share_pruned']:.1f} % of its words gone, on {row['accuracy_integer']:.2f} %"
    ) in readme


EXPLORED = re.findall(
    r"```sh\nspec2 explore (vgg16 .*)\n```\n\n(\*\*(?:.+\n|\n(?=\*))+)",
    (ROOT / "docs" / "exploring.md").read_text(),
)


ONE_MEMORY, QUICK = "--memories 1", "vgg16 --board vc709 --weight-bits 8"
"""One large board is explored with all memories and with one; all explorations but one are slow."""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(*quoted, id=quoted[0], marks=[pytest.mark.slow] * (quoted[0] != QUICK))
        for quoted in EXPLORED
    ],
)
def test_the_exploring_page_quotes_what_its_commands_say(run, tmp_path, arguments, said):
    data = json.loads(run("explore", *arguments.split(), "--out", tmp_path, "--json").out)
    assert said.split() == explore_page.summary(data).split()


def test_the_exploring_page_shows_both_large_boards():
    commands = [command for command, _ in EXPLORED]
    assert len(commands) == 4 and sum(ONE_MEMORY in command for command in commands) == 1
    assert {command.split()[2] for command in commands} == {"vc709", "vcu118"}
    assert QUICK in commands


def test_the_page_on_several_boards_holds_what_was_measured():
    """Boards do not hold one another up."""
    found = json.loads(POOL.read_text())
    assert pool_benchmark.markdown(found) in (ROOT / "docs" / "deploying.md").read_text()
    rate = {row["boards"]: row["images_per_second"] for row in found["rows"]}
    assert min(rate) == 1 and max(rate) >= 4
    assert all(images >= 0.9 * boards * rate[1] for boards, images in rate.items())
