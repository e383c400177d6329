"""The checks of chapter 13: solutions pass, stubs are met kindly, and each wrong one gets a hint of its own."""

import json

import pytest

from asyncpatterns.lessons.check import chapter13


def rows(columns):
    return {"instances": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def sizes(times, slo):
    return tuple(sorted(n for n, seconds in times.items() if 2 * seconds <= slo))


def test_solutions_pass():
    assert chapter13.row_format(rows) and chapter13.sizes_for(sizes)


def stub(*arguments):
    ...  # your code here


@pytest.mark.parametrize("check", [chapter13.row_format, chapter13.sizes_for])
def test_a_stub_is_met_kindly(check):
    assert check(stub).kind == "todo"


@pytest.mark.parametrize(("wrong", "hint"), [
    (lambda columns: json.dumps(rows(columns)), "Return the object"),
    (lambda columns: rows(columns)["instances"], "under the key"),
    (lambda columns: {"inputs": columns}, "column format"),
    (lambda columns: {"instances": columns}, "Still columns"),
    (lambda columns: {"instances": list(columns.values())}, "One entry for each row"),
    (lambda columns: {"instances": [list(row) for row in zip(*columns.values(), strict=True)]}, "names them"),
    (lambda columns: {"instances": rows(columns)["instances"][::-1]}, "value number k"),
    (lambda columns: {"predictions": 1}, "one key"),
])
def test_each_wrong_request_gets_a_hint_of_its_own(wrong, hint):
    verdict = chapter13.row_format(wrong)
    assert not verdict and hint in verdict.hint, verdict


@pytest.mark.parametrize(("wrong", "hint"), [
    (lambda times, slo: max(sizes(times, slo)), "not only the largest"),
    (lambda times, slo: [n for n in times if times[n] <= slo], "2 × 19 > 25"),
    (lambda times, slo: sizes(times, slo)[::-1], "small to large"),
    (lambda times, slo: [n for n in times if 2 * times[n] < slo], "just kept"),
    (lambda times, slo: [n for n in times if 3 * times[n] < slo], "keeps the promise"),
    (lambda times, slo: sizes(times, slo)[1:], "A lone request"),
    (lambda times, slo: sizes(times, slo) or [1], "Not even one row"),
])
def test_each_wrong_choice_of_sizes_gets_a_hint_of_its_own(wrong, hint):
    verdict = chapter13.sizes_for(wrong)
    assert not verdict and hint in verdict.hint, verdict
