"""A page in Chromium: what it asks for, what it says, and whether what it shows can be read.

``audit`` looks at everything that is visible, as tall as the page is: sizes and contrast of all text, marks
of every plot, and whether anything lies beyond the edge.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

SMALLEST = 9.5
"""Pixels of type: what the smallest labels of plots have on a phone."""

LEAST_CONTRAST, OF_LARGE = 4.5, 3.0
"""WCAG 2.2, 1.4.3; of text of 24 pixels and more."""

AUDIT = """
(() => {
  const seen = element => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility() && box.width > 0 && box.height > 0;
  };
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = 'transparent';  // stays where the colour is none
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const contrast = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (x, y, own) => {
    for (const element of document.elementsFromPoint(x, y)) {
      if (own.contains(element) || element.tagName === 'text' || element.tagName === 'tspan') continue;
      const style = getComputedStyle(element);
      const shape = element instanceof SVGGeometryElement;
      const colour = rgba(shape ? style.fill : style.backgroundColor);
      if (colour[3] > 250 && Number(style.opacity) > 0.95 && Number(style.fillOpacity) > 0.95) return colour;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const texts = [];
  for (const element of document.querySelectorAll('svg text')) {
    if (!seen(element)) continue;
    const svg = element.ownerSVGElement, box = element.getBoundingClientRect();
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const style = getComputedStyle(element), frame = svg.getBoundingClientRect();
    texts.push({
      text: element.textContent, size: parseFloat(style.fontSize) * scale,
      contrast: contrast(rgba(style.fill), behind(box.x + box.width / 2, box.y + box.height / 2, element)),
      outside: Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top,
                        box.bottom - frame.bottom),
    });
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('svg, script, style') || !seen(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const style = getComputedStyle(element), box = range.getClientRects()[0];
    texts.push({
      text: walker.currentNode.data.trim(), size: parseFloat(style.fontSize), contrast:
      contrast(rgba(style.color), behind(box.x + 2, box.y + box.height / 2, document.createElement('p'))),
      outside: element.closest('.scroll, pre') ? 0 : element.getBoundingClientRect().right - innerWidth,
    });
  }
  const plots = [...document.querySelectorAll('svg')].filter(seen).map(svg => ({
    label: svg.getAttribute('aria-label'),
    marks: [...svg.querySelectorAll('.mark')].filter(seen).length,
    titles: [...svg.querySelectorAll('.mark > title')].every(title => title.textContent.trim()),
  }));
  return {texts, plots, width: document.documentElement.scrollWidth};
})()
"""


@dataclass
class Seen:
    """What a page did: messages of the console and errors, addresses that it asked for beside its own, and
    those that its policy blocked."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)

    def audit(self) -> dict[str, Any]:
        """``texts`` (text, size, contrast, outside: pixels beyond the edge), ``plots`` (label, marks, titles)
        and the ``width`` of all of it."""
        found: dict[str, Any] = self.page.evaluate(AUDIT)
        return found


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's Chromium; the test is skipped without one, or without Playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Any, path: Path, width: int, scheme: str) -> Seen:
    """The page at ``path`` from disk, as tall as it is, in a window of that ``width``."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen = Seen(page)
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("dialog", lambda dialog: (seen.console.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("requestfailed", lambda request: request.failure == "csp" and seen.blocked.append(request.url))
    page.goto(path.as_uri())
    page.set_viewport_size({"width": width, "height": page.evaluate("document.body.scrollHeight")})
    own = {path.as_uri()}
    seen.requests = [url for url in seen.requests if url not in own and not url.startswith("data:")]
    return seen


def check_readable(found: dict[str, Any], width: int) -> None:
    """Every text is large enough, stands out, and lies on the page; every plot has marks that explain
    themselves."""
    assert found["width"] <= width
    small = [text for text in found["texts"] if text["size"] < SMALLEST]
    pale = [
        text
        for text in found["texts"]
        if text["contrast"] < (OF_LARGE if text["size"] >= 24 else LEAST_CONTRAST)
    ]
    beyond = [text for text in found["texts"] if text["outside"] > 3]
    assert (small, pale, beyond) == ([], [], [])
    assert [plot["label"] for plot in found["plots"] if not plot["marks"] or not plot["titles"]] == []
