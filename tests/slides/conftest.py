"""The deck is built once for all tests; the browser is Debian's or the user's own Chromium."""

import pytest

from slides.build import HERE, Deck, build
from tests import chromium as machine


@pytest.fixture(scope="session")
def deck():
    deck = Deck((HERE / "talk.md").read_text(encoding="utf-8"))
    deck.page = deck.html()
    return deck


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    return build(tmp_path_factory.mktemp("talk"))


@pytest.fixture(scope="session")
def chromium():
    return machine.path()


@pytest.fixture(scope="module")
def browser(chromium, deck, page_file):
    """Made after the deck: playwright's event loop occupies the thread until it is closed."""
    with machine.playwright().sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
