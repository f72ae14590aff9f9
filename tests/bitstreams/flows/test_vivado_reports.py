"""Vivado's reports become figures; what cannot be read is an error, never a good figure."""

import re
from pathlib import Path

import pytest

from bitstreams.flows import vivado_reports as reports
from bitstreams.flows.vivado_reports import Use
from hw.util.errors import ToolFailed
from tests.bitstreams import vivado_texts as texts


@pytest.mark.parametrize("release", ["2018.3", "2019.1.1", "2023.2", "2025.1"])
def test_timing(release):
    text = texts.timing(0.512, 0.045, release=release)
    found = reports.timing(text)
    assert (found.wns, found.tns, found.setup_failing, found.endpoints) == (0.512, 0.0, 0, 51234)
    assert (found.whs, found.ths, found.hold_failing, found.wpws) == (0.045, 0.0, 0, 1.1)
    assert found.met
    assert [(clock.name, clock.period, clock.slack) for clock in found.clocks] == [
        ("oscillator", 5.0, None),
        ("feedback", 5.0, None),
        ("made", 5.0, 0.512),
    ]
    assert found.clocks[2].fmax == pytest.approx(1000 / 4.488)
    assert reports.tool(text) == f"Vivado {release}"


@pytest.mark.parametrize("figures", [{"wns": -0.001}, {"whs": -0.001}, {"wpws": -0.001}])
def test_any_negative_slack_is_a_miss(figures):
    assert not reports.timing(texts.timing(**figures)).met


def test_a_design_without_timed_paths_is_not_one_that_meets_timing():
    text = texts.timing()
    start = text.index("Design Timing Summary")
    row = text.index("0.512", start)
    with pytest.raises(ToolFailed, match="no path of the design is timed"):
        reports.timing(text[:row] + "   NA" + text[row + 5 :])


def test_utilisation_of_both_families():
    assert reports.utilisation(texts.utilization()) == {
        "lut": Use(21345, 433200),
        "ff": Use(17083, 866400),
        "bram36": Use(12.5, 1470),
        "dsp": Use(96, 3600),
    }
    found = reports.utilisation(texts.utilization(texts.ULTRASCALE, release="2018.3"))
    assert found["lut"] == Use(65321, 1182240) and found["uram"] == Use(8, 960)
    assert found["dsp"] == Use(384, 6840)


def test_hierarchy_is_what_lies_right_below_the_top():
    found = reports.hierarchy(texts.HIERARCHY)
    assert list(found) == ["clocks", "serial"]
    assert found["serial"] == {
        "Total LUTs": 21304, "Logic LUTs": 20082, "LUTRAMs": 1200, "SRLs": 22, "FFs": 17028, "RAMB36": 10,
        "RAMB18": 5, "DSP Blocks": 96,
    }  # fmt: skip


def test_hierarchy_with_percentages():
    text = texts.HIERARCHY.replace("|      21304 |", "| 21304(4.9%) |").replace(
        "| Total LUTs |", "|  Total LUTs |"
    )
    assert reports.hierarchy(text)["serial"]["Total LUTs"] == 21304


def test_routing():
    assert reports.unrouted(texts.route_status()) == 0
    assert reports.unrouted(texts.route_status(unrouted=3)) == 3
    assert reports.unrouted(texts.route_status(errors=2)) == 2


def test_a_whole_run(tmp_path):
    for name, text in texts.reports(period=4.0, wns=-0.25).items():
        (tmp_path / name).write_text(text)
    log = "WARNING: [Synth 8-7080] x\nINFO: y\nCRITICAL WARNING: [Route 35-39] z\nWARNING: [DRC 1] a\n"
    report = reports.read(tmp_path, log)
    assert report.tool == "Vivado 2023.2"
    assert (report.warnings, report.critical_warnings, report.unrouted) == (2, 1, 0)
    assert report.fmax(250) == pytest.approx(1000 / 4.25)
    assert report.fmax(100) is None


@pytest.mark.parametrize("name", list(texts.reports()))
def test_a_missing_report_is_named(tmp_path, name):
    for other, text in texts.reports().items():
        if other != name:
            (tmp_path / other).write_text(text)
    with pytest.raises(ToolFailed, match=f"Vivado left no report {name}"):
        reports.read(tmp_path, "")


@pytest.mark.parametrize("name", list(texts.reports()))
@pytest.mark.parametrize("keep", [0.0, 0.1])
def test_a_truncated_report_is_refused(tmp_path, name, keep):
    for other, text in texts.reports().items():
        (tmp_path / other).write_text(text[: int(keep * len(text))] if other == name else text)
    with pytest.raises(ToolFailed, match="that can be read"):
        reports.read(tmp_path, "")


@pytest.mark.parametrize("word", ["inf", "NA", "1.2.3", "", "9" * 5000, "many", "-"])
def test_words_where_numbers_should_be_are_a_sentence(tmp_path, word):
    """In any column of any report: a figure, or that there is none that can be read."""
    given = texts.reports()
    for name, text in given.items():
        for number in sorted(set(re.findall(r"(?<= )\d[\d.]*(?= )", text))):
            for other, whole in given.items():
                (tmp_path / Path(other).name).write_text(whole)
            (tmp_path / Path(name).name).write_text(re.sub(rf"(?<= ){re.escape(number)}(?= )", word, text))
            try:
                found = reports.read(tmp_path, "")
            except ToolFailed as error:
                assert "\n" not in str(error)
            else:
                found.timing.to_json(), found.fmax(200.0)
