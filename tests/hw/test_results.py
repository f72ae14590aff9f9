"""Measured figures die with the design they belong to."""

import pytest

from hw import results
from hw.errors import ArtifactError

NAME = results.SIMULATION


def test_a_result_comes_back_while_the_design_stands(fake_design):
    results.save(fake_design.design, NAME, {"cycles": 7})
    assert results.load(fake_design.design, NAME) == {"cycles": 7}
    assert results.load(fake_design.design, results.SYNTHESIS) is None


@pytest.mark.parametrize("file", ["spec2.v", "design.json"])
def test_any_changed_file_voids_it(fake_design, file):
    results.save(fake_design.design, NAME, {"cycles": 7})
    path = fake_design.design / file
    path.write_text(path.read_text() + "\n")
    assert results.load(fake_design.design, NAME) is None


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
