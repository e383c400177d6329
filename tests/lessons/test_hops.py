"""The table of hops says of each row where it was measured, and fits a narrow page."""

from asyncpatterns.lessons.hops import Hops


def test_what_was_measured_elsewhere_is_marked_and_its_setup_is_told_once():
    hops = Hops({"here": (1e-6, 2e-6), "there": (3e-3, 4e-3), "there, shared": (5e-6, 5e-6)},
                setups=dict.fromkeys(("there", "there, shared"), "recorded: far away"))
    head, here, there, shared, *notes = repr(hops).splitlines()
    assert here.split() == ["here", "1.0", "2.0"] and there.split() == ["there", "3,000.0", "4,000.0", "*"]
    assert shared.endswith("5.0 *") and notes == ["measured here, just now", "* recorded: far away"]
    assert max(map(len, (head, here, there, shared))) < 80
