"""What a path means where a command takes a model or a design."""

from pathlib import Path

import pytest

from hw.commands.models import DESIGN, MODEL, located
from hw.contract.design import FILE_NAME


@pytest.fixture
def folder(tmp_path) -> Path:
    """A model's folder with a design in it."""
    (tmp_path / DESIGN).mkdir()
    (tmp_path / MODEL).touch()
    (tmp_path / DESIGN / FILE_NAME).touch()
    return tmp_path


def test_a_model_may_be_named_by_its_folder(folder):
    assert located(folder, MODEL) == located(folder / MODEL, MODEL) == folder / MODEL
    assert located(folder / "other", MODEL) == folder / "other"  # refused, by its own name


def test_a_design_may_be_named_by_its_folder_and_by_its_model(folder):
    named = folder / DESIGN, folder, folder / MODEL
    assert {located(path, DESIGN) for path in named} == {folder / DESIGN}
    assert located(folder / "other", DESIGN) == folder / "other"
    (folder / DESIGN / FILE_NAME).unlink()
    assert located(folder, DESIGN) == folder and located(folder / MODEL, DESIGN) == folder / MODEL
