"""The engine of the templates: everything that they are given is text and is escaped, but for plots.

No file of HTML is pasted together anywhere else. A page has a policy of its own besides: whatever came into
it, it may ask for nothing and run nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hw.util import quote

TEMPLATES = Path(__file__).parent / "templates"


POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a page may load and run (CSP 3): the styles and pictures in it, and no script."""


def render(template: str, **given: Any) -> str:
    """A page. template: a file of :data:`TEMPLATES`; given: what it shows."""
    # A file of this project, which is none of anybody's data.
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    return fragment(template, style=style, policy=POLICY, **given)


def fragment(template: str, **given: Any) -> str:
    """As :func:`render`, of a template that is no page of its own."""
    text = _environment().get_template(template).render(**given)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"count": count, "share": share, "line": quote.line}
    return made


def count(value: float) -> str:
    """A number with its thousands apart: 1,234; of a fraction as many digits as tell."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def share(value: float) -> str:
    """Percent of a share 0..1."""
    return f"{100 * value:.1f} %"
