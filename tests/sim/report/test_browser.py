"""Pages in headless Chromium, from disk: on a phone and a screen, in the light and in the dark.

Screenshots go to the folder that SPEC2_SCREENSHOTS names (``make screenshots``), for somebody to look at.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from hw.contract.network import lenet
from hw.explore.lengths import Density
from hw.explore.objective import Objective
from hw.explore.report import report as search_report
from hw.explore.sweep import explore
from hw.explore.workload import UniformWorkload
from sim.report.data import assemble
from sim.report.html import compare
from sim.report.html import explore as explored
from sim.report.html import report as page
from sim.report.html.environment import render
from tests.sim.report.browser import check_readable, chromium, opened
from tests.sim.report.example import BOARDS, example
from tests.sim.report.test_comparison_plot import ROWS
from tests.sim.report.test_explore_page import DEVICE, SPACE

WIDTHS, SCHEMES = (390, 1400), ("light", "dark")

SECTIONS = "network clocks timeline occupancy memory words accuracy answers resources again".split()


@pytest.fixture
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A page with all its sections: trained, simulated, some images wrong."""
    folder = example(tmp_path_factory.mktemp("example"))
    return page.write(assemble(folder), folder, boards=BOARDS)


def keep(shot: bytes, name: str, tmp_path: Path) -> Path:
    """A screenshot, where somebody wants to look at it, else among temporary files."""
    folder = Path(os.environ.get("SPEC2_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    path.write_bytes(shot)
    return path


def test_it_is_readable_wherever_it_is_opened(browser, whole, tmp_path):
    brightness = {}
    for width in WIDTHS:
        for scheme in SCHEMES:
            seen = opened(browser, whole, width, scheme)
            assert (seen.console, seen.requests) == ([], [])
            found = seen.audit()
            check_readable(found, width)
            assert len(found["plots"]) == 6 + 4, "each is shown in one size, and one for every layer"
            assert [seen.page.locator(f"#{name} h2").count() for name in SECTIONS] == [1] * len(SECTIONS)
            assert seen.page.locator("#network .missing, #answers .missing").count() == 0
            shot = keep(seen.page.screenshot(), f"report-{width}-{scheme}", tmp_path)
            with Image.open(shot) as picture:
                brightness[scheme] = np.asarray(picture.convert("L")).mean()
            if (width, scheme) == (WIDTHS[0], "dark"):
                check_paper(seen, tmp_path)
            seen.page.close()
        assert brightness["dark"] < 80 < 200 < brightness["light"]


def check_paper(seen, tmp_path):
    """White, with the wide plots, also where the screen is dark and narrow."""
    seen.page.emulate_media(media="print")
    seen.page.set_viewport_size({"width": 1000, "height": 5000})
    body = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert body == "rgb(255, 255, 255)" and not seen.page.locator("nav").is_visible()
    assert seen.page.locator(".plot.wide").first.is_visible()
    assert not seen.page.locator(".plot.narrow").first.is_visible()
    assert len(seen.page.pdf()) > 20_000
    keep(seen.page.screenshot(), "report-print", tmp_path)


def test_a_page_runs_nothing_of_others(browser, tmp_path):
    """Behind templates that escape there is a policy: markup that got through would run nothing, ask
    nobody."""
    path = tmp_path / "page.html"
    hostile = Markup("<img src=x onerror='alert(1)'><script>alert(2)</script><img src='http://localhost:9/'>")
    path.write_text(render("base.html").replace("<body>", f"<body>{hostile}"))
    seen = opened(browser, path, 1400, "light")
    assert sum("Content Security Policy" in message for message in seen.console) >= 3
    assert not {"1", "2"} & set(seen.console)
    assert len(seen.requests) == len(seen.blocked) == 2, "what the policy blocks was asked for, and failed"


@pytest.fixture(scope="module")
def search(tmp_path_factory) -> Path:
    found = explore(UniformWorkload(lenet(), Density()), DEVICE, SPACE, Objective.latency)
    return explored.write(search_report(found), tmp_path_factory.mktemp("explore"), "build/lenet/model.npz")


@pytest.mark.parametrize("kind", ["explore", "compare"])
def test_pages_of_searches_are_readable(browser, search, tmp_path, kind):
    """The plots are made as a report's are: two of the four ways to look at them are enough."""
    path = search if kind == "explore" else compare.write(ROWS, tmp_path / "compare.html")
    for width, scheme in zip(WIDTHS, reversed(SCHEMES), strict=True):
        seen = opened(browser, path, width, scheme)
        assert (seen.console, seen.requests) == ([], [])
        found = seen.audit()
        check_readable(found, width)
        assert len(found["plots"]) == 1 and found["plots"][0]["marks"] > len(ROWS) - 3
        keep(seen.page.screenshot(), f"{kind}-{width}-{scheme}", tmp_path)
        seen.page.close()


def test_a_point_leads_to_its_design_and_a_filter_hides_it(browser, search):
    """Without a script."""
    page = opened(browser, search, 1400, "light").page
    design, link = page.locator("#design-1 .body"), page.locator('.plot.wide a[href="#design-1"]')
    assert not design.is_visible() and page.locator(".design.chosen .body").count() == 1
    link.click()
    design.wait_for(timeout=5000)
    assert "spec2 generate" in design.inner_text()
    rows = next(name for name in page.locator("#design-1").get_attribute("class").split() if "rows-" in name)
    assert page.locator(f".{rows}").first.is_visible()
    page.locator(f"#show-{rows}").uncheck()
    hidden = page.locator(f".{rows}")
    assert hidden.count() > 2 and not any(hidden.nth(number).is_visible() for number in range(hidden.count()))
    assert page.locator(".plot.wide .point:visible").count() > 0
