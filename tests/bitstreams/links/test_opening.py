"""Every kind of link, found by scan, and what the user writes to name one."""

import re
from pathlib import Path

import pytest

from bitstreams import links
from bitstreams.links.opening import VIRTUAL, Address, kinds, open_link
from hw.util.errors import ConfigError, LinkError

ALL = pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)


def test_every_file_with_a_link_class_has_a_row():
    """But what links share: the client of the serial protocol, a thread, and how they are opened."""
    files = [
        path
        for path in Path(links.__path__[0]).glob("*.py")
        if re.search(r"^class \w+Link\b", path.read_text(), re.M)
    ]
    assert {"serial.py", "xdma.py"} <= {path.name for path in files}
    assert len(kinds()) == sum("\nLINK = " in path.read_text() for path in files)


@ALL
def test_what_messages_name_can_be_written(kind):
    assert Address.parse(f"{kind.name}:{kind.example}") == Address(kind.name, kind.example)
    assert kind.name != VIRTUAL and ":" not in kind.name
    if kind.default:
        assert Address.parse(kind.name) == Address.parse(f"{kind.name}:") == Address(kind.name, kind.default)
    else:
        with pytest.raises(ConfigError, match=f"write .*{kind.name}:{kind.path} "):
            Address.parse(kind.name)


@ALL
def test_a_path_that_leads_nowhere_is_a_sentence_that_names_it(kind, tmp_path):
    path = str(tmp_path / "nowhere")
    with pytest.raises(LinkError, match="nowhere"):
        open_link(Address(kind.name, path), 921_600)


def test_a_virtual_board_has_no_link_of_its_own():
    with pytest.raises(ConfigError, match="start it with 'spec2 board'"):
        open_link(Address.parse(VIRTUAL), 921_600)
    with pytest.raises(ConfigError, match="there is no link 'virtual:x'"):
        Address.parse("virtual:x")
