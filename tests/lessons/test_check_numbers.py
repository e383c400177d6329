"""The checks of chapters 01, 02 and 10: solutions pass, and each wrong one gets a hint of its own."""

import math
import random

import pytest

from asyncpatterns.lessons.check import chapter01, chapter02, chapter10

POINTS = [(n, 0.002 + 0.0001 * n) for n in (1, 2, 4, 8, 16, 32, 64)]


def noisy(seed):
    draw = random.Random(seed)
    return [(n, t * draw.uniform(0.85, 1.3)) for n, t in POINTS]


@pytest.mark.parametrize("seed", range(20))
def test_the_best_line_through_noisy_points_passes(seed):
    points = noisy(seed)
    assert chapter01.cost_model(*chapter01.fit(points), points)


def test_a_line_through_two_points_far_apart_passes():
    (n1, t1), (n2, t2) = POINTS[0], POINTS[-1]
    a = (t2 - t1) / (n2 - n1)
    assert chapter01.cost_model(t1 - a * n1, a, POINTS)


@pytest.mark.parametrize(
    ("b", "a", "hint"),
    [
        (0.0001, 0.002, "swapped"),
        (2.0, 0.1, "milliseconds"),
        (0.0, 0.00014, "It is not zero"),
        (0.0021, 0.0003, "b is not T(1)"),
        (0.004, 0.0002, "the slope between two points"),
        ("2 ms", 0.1, "numbers, in seconds"),
    ],
)
def test_each_wrong_cost_model_gets_a_hint_of_its_own(b, a, hint):
    verdict = chapter01.cost_model(b, a, POINTS)
    assert not verdict and hint in verdict.hint, verdict


def exact(values, share):
    return sorted(values)[max(math.ceil(share * len(values) - 1e-9), 1) - 1]


def in_place(values, share):
    values.sort()
    return exact(values, share)


def compiled(model, compile):
    quick = compile(model)
    return lambda item: quick([item])[0]


def compiles_each_time(model, compile):
    return lambda item: compile(model)([item])[0]


def compiles_in_vain(model, compile):
    compile(model)
    return lambda item: model([item])[0]


def forgets_the_batch(model, compile):
    quick = compile(model)
    return lambda item: quick([item])


RIGHT = [
    (chapter01.batch_time, lambda n, b, a: b + a * n),
    (chapter01.throughput, lambda n, b, a: n / (b + a * n)),
    (chapter02.percentile, exact),
    (chapter02.answer_one, lambda model, item: model([item])[0]),
    (chapter02.compiles_once, compiled),
    (chapter10.largest_batch, lambda b, a, slo: max(int((slo / 2 - b) / a + 1e-9), 0)),
]
WRONG = [
    (chapter01.batch_time, lambda n, b, a: a * n, "is missing"),
    (chapter01.batch_time, lambda n, b, a: (b + a) * n, "once for a batch"),
    (chapter01.batch_time, lambda n, b, a: "3 ms", "T(n) = b + a·n"),
    (chapter01.throughput, lambda n, b, a: 1 / (b + a * n), "batches per second"),
    (chapter01.throughput, lambda n, b, a: (b + a * n) / n, "upside down"),
    (chapter01.throughput, lambda n, b, a: 1 / (b + a), "single rows"),
    (chapter02.percentile, lambda values, share: values[int(share * len(values)) - 1], "sort them first"),
    (chapter02.percentile, lambda values, share: sum(values) / len(values), "average"),
    (
        chapter02.percentile,
        lambda values, share: sorted(values)[min(int(share * len(values)), len(values) - 1)],
        "One place too far",
    ),
    (chapter02.percentile, lambda values, share: sorted(values)[int(share * len(values)) - 1], "rounded up"),
    (chapter02.percentile, in_place, "sorted(values)"),
    (chapter02.answer_one, lambda model, item: model([item]), "asked for one"),
    (chapter02.answer_one, lambda model, item: model(item)[0], "`[item]`"),
    (chapter02.answer_one, lambda model, item: (model([item]), model([item])[0])[1], "Call it once"),
    (chapter02.compiles_once, compiles_each_time, "Compiling costs seconds"),
    (chapter02.compiles_once, compiles_in_vain, "not with the model itself"),
    (chapter02.compiles_once, forgets_the_batch, "compiled([item])[0]"),
    (chapter02.compiles_once, lambda model, compile: lambda item: model([item])[0], "Call `compile(model)`"),
    (chapter10.largest_batch, lambda b, a, slo: int((slo - b) / a), "Two batches must fit"),
    (chapter10.largest_batch, lambda b, a, slo: int(slo / 2 / a), "is missing"),
    (chapter10.largest_batch, lambda b, a, slo: int((slo - b) / a / 2), "not b + 2·a·n"),
    (chapter10.largest_batch, lambda b, a, slo: int((slo - 2 * b) / a), "not 2·b + a·n"),
    (chapter10.largest_batch, lambda b, a, slo: round((slo / 2 - b) / a + 0.4), "round down, never up"),
    (chapter10.largest_batch, lambda b, a, slo: max((slo / 2 - b) // a, 0), "return an int"),
    (chapter10.largest_batch, lambda b, a, slo: int((slo / 2 - b) / a + 1e-9), "Say 0"),
]


@pytest.mark.parametrize(("one", "right"), RIGHT, ids=[one.__name__ for one, _ in RIGHT])
def test_the_solution_passes(one, right):
    assert one(right)


@pytest.mark.parametrize(("one", "wrong", "hint"), WRONG, ids=[f"{one.__name__}-{hint}" for one, _, hint in WRONG])
def test_each_wrong_solution_gets_a_hint_of_its_own(one, wrong, hint):
    verdict = one(wrong)
    assert not verdict and hint in verdict.hint, verdict


@pytest.mark.parametrize("one", [one for one, _ in RIGHT], ids=lambda one: one.__name__)
def test_a_stub_fails_kindly(one):
    def untouched(*arguments): ...

    for verdict in (one(untouched), one(...)):
        assert verdict.kind == "todo"


def test_a_limit_from_ones_own_measurements():
    assert chapter10.limit_for_slo(13, 0.001, 0.0003, 0.010)
    assert "Too many" in chapter10.limit_for_slo(30, 0.001, 0.0003, 0.010).hint
    assert "13 would still fit" in chapter10.limit_for_slo(5, 0.001, 0.0003, 0.010).hint
    assert "whole number" in chapter10.limit_for_slo(13.3, 0.001, 0.0003, 0.010).hint
    assert chapter10.limit_for_slo(..., 0.001, 0.0003, 0.010).kind == "todo"


def test_a_better_p99_must_be_better_by_the_factor():
    assert chapter10.better_p99(0.2, 0.05)
    assert "not 2 times" in chapter10.better_p99(0.2, 0.15).hint
    assert "worse" in chapter10.better_p99(0.2, 0.3).hint


@pytest.mark.parametrize("choice", [(64, 2, 1), (128, 2, 1), (512, 1, 2)])
def test_a_core_each_beats_64(choice):
    assert chapter01.beats_64(*choice)


@pytest.mark.parametrize(("choice", "hint"), [
    ((64, 1, 1), "the pace to beat"),
    ((512, 1, 1), "more than 1/a"),
    ((64, 1, 2), "meet after each operation"),
    ((64, 2, 2), "More threads than cores"),
    ((8, 2, 1), "too few rows"),
    ((64.5, 2, 1), "whole numbers"),
])
def test_each_way_not_to_beat_64_gets_a_hint_of_its_own(choice, hint):
    verdict = chapter01.beats_64(*choice)
    assert not verdict and hint in verdict.hint, verdict


@pytest.mark.parametrize("share", [0.35, 0.45, 0.9])
def test_a_promise_with_air_is_kept(share):
    assert chapter02.keeps_the_promise(share)


@pytest.mark.parametrize(("share", "hint"), [
    (0.3, "the number to beat"),
    (1.2, "the line grows"),
    (0.999, "clump"),
    (-1, "between 0 and 1"),
])
def test_each_promise_that_cannot_be_kept_gets_a_hint_of_its_own(share, hint):
    verdict = chapter02.keeps_the_promise(share)
    assert not verdict and hint in verdict.hint, verdict


@pytest.mark.parametrize(("one", "work"), [(chapter01.beats_64, (..., 1, 1)), (chapter02.keeps_the_promise, (...,))])
def test_an_open_exercise_that_nobody_has_touched_fails_kindly(one, work):
    assert one(*work).kind == "todo"
