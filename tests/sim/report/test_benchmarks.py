"""Figures of a benchmark beside those recorded: every design, its ratios, and what is no design."""

import json

from sim.report import benchmarks


def save(folder, name, cycles, slices, wrong=0):
    total = {"cycles": cycles, "op_per_dsp_cycle": slices, "mismatches": wrong}
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"layers": [], "total": total}))


def test_every_design_stands_beside_its_record(tmp_path, capsys):
    now, then = tmp_path / "now", tmp_path / "then"
    save(now, "old", 500, 20.0)
    save(then, "old", 1000, 10.0)
    save(now, "new", 300, 42.5, wrong=3)
    save(then, "gone", 1, 1.0)
    (now / "training.json").write_text('{"images_per_second": {}}')
    (now / "list.json").write_text("[1]")
    assert benchmarks.main([str(now), "--recorded", str(then)]) == 0
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()
    ]
    assert head[:4] == ["design", "clocks recorded", "clocks", "ratio"]
    assert rows == [
        ["new", "", "300", "", "", "42.5", "", "3"],
        ["old", "1,000", "500", "0.500", "10", "20", "2.000", "0"],
    ]


def test_a_damaged_file_is_a_sentence(tmp_path, capsys):
    (tmp_path / "broken.json").write_text('{"total": ')
    assert benchmarks.main([str(tmp_path)]) == 2
    assert "broken.json is damaged" in capsys.readouterr().err


def test_a_folder_without_designs_is_a_sentence(tmp_path, capsys):
    assert benchmarks.main([str(tmp_path)]) == 2
    assert "make bench-vgg16" in capsys.readouterr().err


def test_the_records_of_the_project_are_found():
    table = benchmarks.compared(benchmarks.RECORDED)
    assert "| vgg16 |" in table and "| 1.000 |" in table
