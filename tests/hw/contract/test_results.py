"""Measured figures die with the design they belong to."""

from dataclasses import replace

import pytest

from hw.contract import results
from hw.util.errors import ArtifactError, DigestMismatch
from tests.design_folder import save_design

NAME = results.SIMULATION


def test_a_result_comes_back_while_the_design_stands(fake_design):
    results.save(fake_design.design, NAME, {"cycles": 7})
    assert results.load(fake_design.design, NAME) == {"cycles": 7}
    assert results.load(fake_design.design, results.SYNTHESIS) is None


@pytest.mark.parametrize("verilog", ["module spec2; endmodule\n", "module spec2;endmodule\n"])
@pytest.mark.parametrize("cycles", [100, 101])
def test_any_other_design_voids_it(fake_design, verilog, cycles):
    info = replace(fake_design.info, estimates={"cycles": 100})
    save_design(fake_design.design, info, {"spec2.v": "module spec2; endmodule\n"})
    results.save(fake_design.design, NAME, {"cycles": 7})
    save_design(fake_design.design, replace(info, estimates={"cycles": cycles}), {"spec2.v": verilog})
    same = verilog == "module spec2; endmodule\n" and cycles == 100
    assert results.load(fake_design.design, NAME) == ({"cycles": 7} if same else None)


@pytest.mark.parametrize(
    "change", [("spec2.v", "module", "modulo"), ("design.json", '"rows": 8', '"rows": 16')]
)
def test_an_edited_design_has_no_results_and_says_why(fake_design, change):
    results.save(fake_design.design, NAME, {"cycles": 7})
    file, old, new = change
    path = fake_design.design / file
    path.write_text(path.read_text().replace(old, new))
    for use in (
        lambda: results.load(fake_design.design, NAME),
        lambda: results.fingerprint(fake_design.design),
    ):
        with pytest.raises(DigestMismatch, match=rf"{file} was edited or damaged.*generate it again"):
            use()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"result": {}}', '{"design": 1}'])
def test_a_damaged_result_is_no_result(fake_design, damage):
    (fake_design.design / NAME).write_text(damage)
    assert results.load(fake_design.design, NAME) is None


def test_a_missing_file_of_the_design_is_named(fake_design):
    (fake_design.design / "spec2.v").unlink()
    with pytest.raises(ArtifactError, match=r"spec2\.v.*generate it again"):
        results.save(fake_design.design, NAME, {})


def test_discard_removes_and_does_not_mind_absence(fake_design):
    results.save(fake_design.design, NAME, {})
    results.discard(fake_design.design, NAME)
    results.discard(fake_design.design, NAME)
    assert not (fake_design.design / NAME).exists()


@pytest.mark.parametrize("field", ["dsp", "bram36", "lut", "ff", "uram"])
@pytest.mark.parametrize("value", ["24", -1, None, True, [], 1e30], ids=repr)
def test_counts_of_another_type_are_no_result(fake_design, field, value):
    counts = {"dsp": 24, "bram36": 1.5, "uram": 0, "lut": 9, "ff": 8}
    results.save(fake_design.design, results.SYNTHESIS, counts)
    assert results.load(fake_design.design, results.SYNTHESIS, results.Counted) == counts
    results.save(fake_design.design, results.SYNTHESIS, counts | {field: value})
    assert results.load(fake_design.design, results.SYNTHESIS, results.Counted) is None
