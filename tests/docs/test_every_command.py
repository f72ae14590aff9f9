"""Every command of every page is run, page by page and in its order, in a small world.

Each has to end with exit code 0, but for those whose page shows how a mistake is answered.
"""

import shutil

import pytest

from tests.docs.pages import PAGES, ROOT, commands
from tests.docs.small_world import World, make

ELSEWHERE = {
    "docs/extending.md": "tests/test_extending.py, in a copy of the project that has what it adds",
    "docs/own_networks.md": "tests/docs/test_walks.py, with the Python in between",
}
"""Pages whose commands another test runs."""

MISTAKES = {"docs/tutorial.md": "spec2 generate build/lenet/model.npz --rows 64 --lanes 32 --board vc709"}
"""Of a page: what ends with a sentence, as the page says."""

TYPED = {str(page.relative_to(ROOT)): commands(page) for page in PAGES}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A world that nobody has touched; made by the first test, for it needs its command line."""
    return tmp_path_factory.mktemp("world") / "world"


@pytest.fixture
def world(models, tmp_path, monkeypatch, run):
    if not models.exists():
        models.mkdir()
        with monkeypatch.context() as patch:
            patch.chdir(models)
            make(models, run)
    shutil.copytree(models, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    return World(run, monkeypatch)


@pytest.mark.parametrize(
    "page",
    [name for name, lines in TYPED.items() if lines and name not in ELSEWHERE],
)
@pytest.mark.slow
@pytest.mark.verilator
def test_every_command_of_a_page_runs(world, page):
    for line in TYPED[page]:
        result = world.type(line)
        if line == MISTAKES.get(page):
            assert "lower --" in result.sentence
            continue
        assert result.code == 0, f"{line}\n{result.out}\n{result.err}"
        assert (result.out + result.err).strip(), line


def test_mistakes_stand_on_their_pages():
    assert all(line in TYPED[page] for page, line in MISTAKES.items())
