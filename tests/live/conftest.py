"""A panel that a test leaves open would be there in the next one."""

import pytest

from asyncpatterns.live import open_panels


@pytest.fixture(autouse=True)
def no_panel_stays_open():
    yield
    for panel in open_panels():
        panel.close()
