"""The picture of a comparison: what it shows, equal files for equal rows, labels that can be read."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from hw.util.errors import ArtifactError, ConfigError
from sim.report import comparison, comparison_plot
from sim.report.comparison_plot import plot

COMMON = {
    "network": "vgg",
    "accuracy_dense": 93.0,
    "rows": 64,
    "lanes": 10,
    "batch": 1,
    "clocks_from": comparison.MODEL,
}
POINTS = [
    ("dense", 0, 92.9, 400_000),
    ("kernel", 75, 92.3, 128_000),
    ("kernel", 87.5, 91.0, 80_000),
    ("2:8", 75, 92.4, 110_000),
    ("adaptive-2:8", 75.2, 92.4, 110_500),
    ("adaptive-1:8", 87.5, 91.5, 70_000),
    ("block", 75, 92.4, 111_000),
]
ROWS = [
    {**COMMON, "scheme": name, "share_pruned": share, "accuracy_integer": accuracy, "cycles": cycles}
    for name, share, accuracy, cycles in POINTS
]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made."""
    made = []

    class Kept(Figure):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(comparison_plot, "Figure", Kept)
    return made


@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_equal_rows_give_an_equal_file(tmp_path, ending):
    first, again = (plot(ROWS, tmp_path / name).read_bytes() for name in (f"a{ending}", f"deep/b{ending}"))
    assert first == again
    assert plot(ROWS[1:], tmp_path / f"c{ending}").read_bytes() != first


def test_every_point_is_named_and_the_array_told(tmp_path):
    text = plot(ROWS, tmp_path / "a.svg").read_text()
    for name in ("kernel 75 %", "kernel 88 %", "2:8 75 %", "adaptive-1:8 88 %", "dense, integer model"):
        assert name in text
    assert "Clocks of N = 64, P = 10, batch 1, predicted by scheduler and cost model." in text


def test_a_kind_is_one_curve_whatever_its_density(tmp_path, figures):
    plot(ROWS, tmp_path / "a.svg")
    curves = {line.get_label(): line.get_xydata().tolist() for line in figures[0].axes[0].get_lines()}
    assert curves["kernel"] == [[80_000, 91.0], [128_000, 92.3]]
    assert curves["adaptive"] == [[70_000, 91.5], [110_500, 92.4]]
    assert curves["uniform"] == [[110_000, 92.4]]


def test_the_dense_line_is_the_float_network_where_nobody_ran_the_integer_one(tmp_path, figures):
    for found, level in ((ROWS, 92.9), (ROWS[1:], 93.0)):
        plot(found, tmp_path / "a.svg")
        (line,) = [one for one in figures[-1].axes[0].get_lines() if one.get_linestyle() == ":"]
        assert set(line.get_ydata()) == {level}
    assert "dense, floating point" in (tmp_path / "a.svg").read_text()


def test_labels_cover_neither_points_nor_one_another(tmp_path, figures):
    plot(ROWS, tmp_path / "a.svg")
    (axes,) = figures[0].axes
    canvas = FigureCanvasAgg(figures[0])
    canvas.draw()
    boxes = [Text.get_window_extent(text, canvas.get_renderer()) for text in axes.texts]
    assert len(boxes) == len(ROWS) + 1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    points = axes.transData.transform([(cycles, accuracy) for _, _, accuracy, cycles in POINTS])
    assert not any(box.contains(*point) for box in boxes for point in points)


def test_rows_without_an_accuracy_are_left_out(tmp_path):
    untrained = {**ROWS[6], "accuracy_integer": None}
    text = plot([*ROWS[:6], untrained], tmp_path / "a.svg").read_text()
    assert "kernel 75 %" in text and "block" not in text
    with pytest.raises(ConfigError, match="--untrained"):
        plot([untrained], tmp_path / "b.svg")
    assert not (tmp_path / "b.svg").exists()


def test_other_formats_and_places_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.svg or a \.png file, not a\.pdf"):
        plot(ROWS, tmp_path / "a.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot write"):
        plot(ROWS, tmp_path / "file" / "a.svg")


def test_a_long_title_is_no_wider_than_the_figure(tmp_path, figures):
    """One that also says where weights lie."""
    plot([{**row, "bram36": 100.5 + number} for number, row in enumerate(ROWS)], tmp_path / "a.svg")
    title = figures[0].axes[0].title
    box = title.get_window_extent(FigureCanvasAgg(figures[0]).get_renderer())
    assert "100.5 to 106.5 RAMB36 blocks (spec2 boards)." in title.get_text().replace("\n", " ")
    assert box.x0 > 0 and box.x1 < figures[0].bbox.width


def test_the_deviation_of_several_trainings_is_a_bar(tmp_path, figures):
    plot([{**row, "spread": {"accuracy_integer": 0.25}} for row in ROWS], tmp_path / "a.svg")
    bars = [bar.get_segments() for bar in figures[0].axes[0].collections]
    assert len(bars) == 5  # one family each
    ends = {tuple(map(tuple, segment.tolist())) for family in bars for segment in family}
    assert ((128_000.0, 92.05), (128_000.0, 92.55)) in ends
    plot(ROWS, tmp_path / "b.svg")
    assert not figures[1].axes[0].collections
