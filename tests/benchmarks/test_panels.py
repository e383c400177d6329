"""The table of panels: ratios to the turns without a panel, all latencies of a contender together."""

from benchmarks.panels import AGAIN, CONTENDERS, NONE, table, together


def turns(latency, messages=0.0):
    return [{"latencies": [latency] * 99 + [10 * latency] * 2, "void": "", "cost": 0.001, "messages": messages}] * 2


def test_a_panels_latencies_are_compared_with_those_of_all_turns_without_one():
    found = {name: turns(0.002, 10.0) for name in CONTENDERS} | {NONE: turns(0.001), AGAIN: turns(0.001)}
    rows = {line[:28].strip(): line[28:].split() for line in table(found).splitlines()[1:]}
    assert rows["gathering"] == ["202", "2.00", "20.00", "2.00", "2.00", "10.0", "10.0", "1.00"]
    assert rows[NONE][3:5] == ["1.00", "1.00"]
    assert together(found[NONE], 0.5) == 0.001 and together(found[NONE], 0.99) == 0.01
