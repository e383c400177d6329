"""In a browser: Run All on every chapter shows no error; a slider and a button of a panel do what they say."""

import nbformat
import pytest

from tests.notebooks.harness import learner_copies, notebook
from tests.notebooks.lab import Lab, chromium, jupyterlab

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

PANEL = """
import asyncio
from asyncpatterns import Batcher
from asyncpatterns.live import race_panel
async def slow(item):
    await asyncio.sleep(0.05)
batcher = Batcher(lambda items: items, max_batch_size=8)
panel = race_panel({"slow": slow, "batched": batcher}, ["a"], rate=20, seconds=60)
panel.start()"""

RATE_ROSE = """() => {
    const label = document.querySelector('.widget-html svg')?.getAttribute('aria-label') || '';
    return Number((label.match(/offered ([0-9,]+) requests/) || [])[1]?.replace(',', '')) > 20;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    chromium()
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as address:
        yield address, folder


@pytest.fixture
def lab(address):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield Lab(browser.new_page(viewport={"width": 1400, "height": 1000}), *address)
        browser.close()


@pytest.mark.parametrize("path", learner_copies(), ids=lambda path: path.stem)
def test_run_all_on_a_chapter_shows_no_error(path, lab):
    lab.open(nbformat.read(path, as_version=4), path.stem)
    lab.run_all()
    assert lab.errors() == []


def test_an_error_is_seen(lab):
    lab.open(notebook("x = 1", "1 / 0"), "error")
    lab.run_all()
    assert lab.errors() == ["ZeroDivisionError: division by zero"]


def test_a_slider_moved_by_keyboard_changes_what_runs(lab):
    lab.open(notebook(PANEL), "panel")
    lab.run_all()
    page = lab.page
    picture = page.locator(".widget-html svg").first
    picture.wait_for(timeout=20_000)
    assert "offered 20 requests/s" in picture.get_attribute("aria-label")
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(RATE_ROSE, timeout=10_000)
    assert lab.errors() == []


def test_the_stop_button_stops_the_panel_and_the_picture_stays(lab):
    lab.open(notebook(PANEL, "assert panel.running"), "buttons")
    lab.run_all()
    page = lab.page
    page.locator(".widget-html svg").first.wait_for(timeout=20_000)
    page.locator("button.jupyter-button", has_text="Stop").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('button')].some(b => b.textContent.includes('Start') && !b.disabled)",
        timeout=10_000,
    )
    before = page.locator(".widget-html svg").first.get_attribute("aria-label")
    page.wait_for_timeout(1000)
    assert page.locator(".widget-html svg").first.get_attribute("aria-label") == before
