"""The engine of the templates: everything that they are given is text and is escaped, but for plots.

No file of HTML is pasted together anywhere else. A page has a policy of its own besides: whatever came into
it, it may ask for nothing and run nothing but the script that is written in it here, if any.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hw.util import quote

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, script: str = "", **given: Any) -> str:
    """A page. template, script: files of :data:`TEMPLATES`; given: what the template shows."""
    made = _environment()
    style = _own("style.css")
    code = _own(script) if script else Markup("")
    page = made.get_template(template).render(style=style, script=code, policy=_policy(code), **given)
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"


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


def _own(name: str) -> Markup:
    """A file of this project, which is none of anybody's data."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _policy(code: str) -> str:
    """What the page may load and run (CSP 3): its own styles, the pictures in it, and the script of this
    digest."""
    digest = base64.b64encode(hashlib.sha256(f"\n{code}".encode()).digest()).decode()
    scripts = f"script-src 'sha256-{digest}'; " if code else ""
    return f"default-src 'none'; {scripts}style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def count(value: float) -> str:
    """A number with its thousands apart: 1,234; of a fraction as many digits as tell."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def share(value: float) -> str:
    """Percent of a share 0..1."""
    return f"{100 * value:.1f} %"
