"""The table of panels: each compared with its own absence right before and after, all its latencies together."""

import pytest

from benchmarks.panels import CONTENDERS, NONE, quantile, ratio, spread, table


def stretch(*latencies, messages=0, void=""):
    return {"latencies": latencies, "void": void, "messages": messages, "cost": 0.001}


def pair(on, off, **words):
    return {"on": stretch(*on, **words), "off": stretch(*off)}


def test_a_panels_latencies_are_compared_with_those_of_its_own_absence():
    pairs = [pair([0.002] * 50, [0.001] * 50), pair([0.020] * 50, [0.010] * 50)]
    assert quantile([each["on"] for each in pairs], 0.99) == 0.020
    assert ratio(pairs, 0.99) == ratio(pairs, 0.25) == pytest.approx(2.0)
    low, high = spread(pairs, 0.99)
    assert low == pytest.approx(2.0) and high == pytest.approx(2.0)


def test_the_table_has_a_row_for_each_and_tells_of_the_void():
    found = {name: [pair([0.002] * 50, [0.001] * 50, messages=9)] * 3 for name in CONTENDERS}
    found[NONE] = [*found[NONE], pair([9.0], [0.001], void="late")]
    _, *rows = table(found, 2.0).splitlines()
    assert len(rows) == len(CONTENDERS) and all("2.00–2.00" in row and " 4.5 " in row for row in rows)
    assert rows[0].split()[2:4] == ["3", "1"] and rows[1].split()[1:3] == ["3", "0"]
