"""The Chromium that this machine has, for every test that needs a browser."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REQUIRED = "ASYNCPATTERNS_REQUIRE_BROWSER"


def find():
    """Its path, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def required_or_skipped(sentence):
    """Skips with the sentence; fails with it where a browser is required, as in CI."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{sentence} ({REQUIRED}=1 makes this a failure)")
    pytest.skip(sentence)


def path():
    """Its path. Skips, or fails where it is required."""
    return find() or required_or_skipped(
        "there is no Chromium on this machine; install one (Debian: apt-get install chromium) to run the browser tests")


def playwright():
    """Playwright's synchronous interface. Skips, or fails where it is required."""
    try:
        from playwright import sync_api
    except ImportError:
        required_or_skipped("playwright is not installed: pip install playwright")
    return sync_api
