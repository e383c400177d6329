"""The deck is built once for all tests; the browser is Debian's or the user's own Chromium."""

import os
import shutil

import pytest

from slides.build import CHROMIUM, HERE, Deck, build


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
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        sentence = f"no Chromium here: none of {', '.join(CHROMIUM)} is on the path"
        if os.environ.get("ASYNCPATTERNS_REQUIRE_BROWSER") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


@pytest.fixture(scope="module")
def browser(chromium, deck, page_file):
    """Made after the deck: playwright's event loop occupies the thread until it is closed."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
