"""Chapter 13: a model that is not ours. A request in TensorFlow Serving's row format, and sizes for a promise."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .core import check, expect

COLUMNS: dict[str, Sequence[Any]] = {"readings": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "line": ["S1", "S2", "S7"]}
ROWS = [{"readings": [1.0, 2.0], "line": "S1"}, {"readings": [3.0, 4.0], "line": "S2"},
        {"readings": [5.0, 6.0], "line": "S7"}]
TIMES = {1: 0.004, 2: 0.005, 4: 0.007, 8: 0.011, 16: 0.019, 32: 0.035}


@check("columns become rows")
def row_format(function: Callable[[Mapping[str, Sequence[Any]]], Any]) -> str:
    """`function(columns)` returns TensorFlow Serving's request in row format for columns (name → one value a row)."""
    got = function(dict(COLUMNS))
    saw = f"of three rows of two inputs you made {str(got)[:150]}"
    expect(not isinstance(got, str | bytes), saw=saw, hint="Return the object; the client turns it into JSON.")
    expect(not isinstance(got, list), saw=saw, hint='The rows go into an object, under the key "instances".')
    expect(not (isinstance(got, dict) and "inputs" in got), saw=saw,
           hint='That is the column format. In row format the key is "instances".')
    expect(isinstance(got, dict) and set(got) == {"instances"}, saw=saw,
           hint='An object with one key, "instances", and in it a list with one entry a row.')
    expect(not isinstance(got["instances"], dict), saw=saw,
           hint="Still columns: one object with all rows in it. Row format wants a list with an object for each row.")
    expect(len(got["instances"]) == 3, saw=f"{len(got['instances'])} entries for 3 rows: {str(got)[:120]}",
           hint="One entry for each row, not for each input: `zip(*columns.values())` walks along the rows.")
    expect(all(isinstance(row, dict) for row in got["instances"]), saw=saw,
           hint="With several inputs each row names them: an object, `dict(zip(columns, row))`.")
    expect(got == {"instances": ROWS}, saw=saw, hint="Row number k holds value number k of every column.")
    expect(function({"x": [7]}) == {"instances": [{"x": 7}]}, saw=f"of one row you made {function({'x': [7]})}",
           hint="It must work for any number of rows and inputs.")
    return "3 rows of 2 inputs, and 1 of 1"


@check("sizes that keep a promise")
def sizes_for(function: Callable[[Mapping[int, float], float], Any]) -> str:
    """`function(times, slo)` returns the batch sizes n of `times` (n → T(n) in seconds) with 2·T(n) <= slo, rising."""
    got = function(dict(TIMES), 0.025)
    saw = f"for T(n) = 3 ms + 1 ms·n and a promise of 25 ms you chose {got!r}"
    expect(not isinstance(got, int), saw=saw,
           hint="All sizes that may be used, not only the largest: small batches are for quiet hours.")
    got = list(got)
    expect(16 not in got, saw=saw,
           hint="A batch of 16 takes 19 ms, and who arrives while one runs waits for it first: 2 × 19 > 25.")
    expect(got != [16, 8, 4, 2, 1] and got == sorted(got), saw=saw, hint="From small to large.")
    expect(8 in got, saw=saw, hint="2 × 11 ms is 22 ms: a batch of 8 keeps the promise of 25.")
    expect(1 in got, saw=saw, hint="A lone request needs a size of 1, or it is padded.")
    expect(got == [1, 2, 4, 8], saw=saw, hint="Every n of `times` with 2 × T(n) <= slo.")
    edge = list(function(dict(TIMES), 0.022))
    expect(edge == [1, 2, 4, 8], saw=f"for a promise of exactly 2·T(8) you chose {edge}",
           hint="A promise that is just kept is kept: <=, not <.")
    none = list(function(dict(TIMES), 0.006))
    expect(none == [], saw=f"for a promise of 6 ms you chose {none}",
           hint="Not even one row keeps that promise. An empty answer says so; a wrong one hides it.")
    return "1, 2, 4 and 8 for 25 ms; nothing for 6 ms"
