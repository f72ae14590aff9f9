"""Sphinx configuration; ``make docs`` builds with warnings as errors."""

import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the API pages read the docstrings of this tree

project = "spec2"
author = "The spec2 authors"
copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc"]  # which reads Markdown, and runs the pages that are notebooks
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_build"]

# Headings get anchors, so that pages can link to one another's sections.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

# Every build runs the notebooks, in folders of their own; one that fails fails the build.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # seconds, of a cell
nb_output_stderr = "remove"  # progress

linkcheck_timeout = 20  # seconds; make links
linkcheck_retries = 2
linkcheck_ignore = [r"http://localhost", r"http://127\.0\.0\.1"]

html_theme = "furo"
html_title = "spec2"
html_static_path = ["_static"]
html_css_files = ["custom.css"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say shapes and units, which types do not
autodoc_inherit_docstrings = False  # not what torch says of every module
# Docstrings name modules, classes and types that have no page; pages are checked by their links.
nitpick_ignore_regex = [("py:.*", ".*")]

FIELD = re.compile(r"([a-z]\w+(?:, \w+)*):( +\S.*)")


def fields(_app, _what, _name, _object, _options, lines: list[str]) -> None:
    """Paragraphs of lines like ``rows: output channels in flight.`` become lists, an item for each name."""
    inside = False
    for number, line in enumerate(lines):
        field = FIELD.fullmatch(line)
        begins = number == 0 or not lines[number - 1].strip()
        inside = bool(line.strip()) and (inside or (begins and field is not None))
        if inside and field:
            lines[number] = f":{field[1]}:{field[2]}"
        elif inside:
            lines[number] = f"    {line.lstrip()}"


HELP = "<!-- the help of every command, put here when the documentation is built -->"
man_pages = [("commands", "spec2", "FPGA accelerators for pruned spectral networks", author, 1)]


def help_of_commands(_app: Sphinx, name: str, source: list[str]) -> None:
    """The page of commands has the help that the program prints, of this tree."""
    if name != "commands":
        return
    import typer
    from typer.cli import get_docs_for_click

    from bitstreams.commands.command_line import app as program

    command = typer.main.get_command(program)
    parts = []
    for each in command.commands.values():
        context = typer.Context(each, info_name=f"spec2 {each.name}")
        text = get_docs_for_click(obj=each, ctx=context, indent=1, name=f"spec2 {each.name}")
        parts.append(re.sub(r"^((?: {4}spec2 .*\n)+)", examples, text, flags=re.MULTILINE))
    source[0] = source[0].replace(HELP, "\n".join(parts))


def examples(found: re.Match[str]) -> str:
    """The indented commands of a help as a block that is no Python."""
    return "```sh\n" + re.sub(r"^ {4}", "", found[1], flags=re.MULTILINE) + "```\n"


class InlinePictures(SphinxPostTransform):
    """Puts our pictures into HTML pages as they are: text can be selected, and colours follow the theme."""

    default_priority = 10
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].startswith("pictures/") and image["uri"].endswith(".svg"):
                svg = (Path(self.env.srcdir) / image["uri"]).read_text(encoding="utf-8")
                image.replace_self(nodes.raw("", f'<div class="picture-frame">{svg}</div>', format="html"))


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", fields)
    app.connect("source-read", help_of_commands)
    app.add_post_transform(InlinePictures)
