"""A race is honest, and its repr is its result."""

import asyncio

import pytest

from asyncpatterns.lessons import RaceResult, race
from asyncpatterns.live import Panel, close_panels
from asyncpatterns.testing import run


def model(b, a=0.0):
    """Answers one at a time, each after b + a seconds."""
    busy = asyncio.Lock()

    async def contestant(item):
        async with busy:
            await asyncio.sleep(b + a)

    return contestant


async def crowd(item):
    await asyncio.sleep(0.010)


def test_the_repr_is_the_result():
    async def main():
        return await race({"one at a time": model(0.010), "all at once": crowd}, "abc", clients=20, seconds=9.0)

    result = run(main)
    assert repr(result) == "<race: all at once answered 20× the requests of one at a time; p99 10 ms against 200 ms>"
    assert result.ratio("all at once", "one at a time") == pytest.approx(20, rel=0.02)
    assert result.reports["one at a time"].p50 == pytest.approx(0.2)
    assert "20 clients" in result.table() and "one at a time" in result.table()


def test_at_the_same_open_load_the_latencies_tell_them_apart():
    async def main():
        return await race({"slow": model(0.010), "quick": model(0.001)}, "abc", rate=50, seconds=30.0, slo=0.5)

    result = run(main)
    assert repr(result).startswith("<race: quick and slow answered alike; p99 1")
    assert result.reports["slow"].goodput(0.5) == pytest.approx(50, rel=0.2)


def test_turns_are_interleaved_in_alternating_order():
    async def main():
        order = []

        def contestant(name):
            async def answer(item):
                if not order or order[-1] != name:
                    order.append(name)
                await asyncio.sleep(0.01)

            return answer

        await race({"a": contestant("a"), "b": contestant("b")}, "x", clients=2, seconds=3.0, rounds=4)
        return order

    assert run(main) == ["a", "b", "a", "b", "a", "b", "a"]     # warm-up a b, then ab ba ab ba


def test_items_are_sent_in_turn_and_errors_are_counted():
    async def main():
        async def picky(item):
            await asyncio.sleep(0.01)
            if item == "bad":
                raise ValueError(item)

        return await race({"picky": picky, "easy": crowd}, ["good", "good", "bad"], clients=3, seconds=3.0)

    result = run(main)
    standing = result.reports["picky"]
    assert standing.errors["ValueError"] * 2 == pytest.approx(len(standing.latencies), rel=0.1)
    assert "errors" in repr(standing)


def test_running_panels_are_stopped_before_anything_is_measured():
    async def main():
        panel = Panel(lambda: {"view": "latency", "points": [], "slice": 1.0}, name="in the way").start()
        await asyncio.sleep(1)
        await race({"a": crowd, "b": crowd}, "x", clients=1, seconds=1.0)
        assert not panel.running
        await close_panels()

    run(main)


def test_a_contestant_that_cannot_answer_at_all_raises_at_once():
    async def main():
        async def broken(item):
            raise LookupError("no model")

        with pytest.raises(LookupError, match="no model"):
            await race({"broken": broken, "ok": crowd}, "x", clients=1)

    run(main)


@pytest.mark.parametrize(
    ("options", "words"), [({}, "either clients= "), ({"clients": 1, "rate": 1}, "either clients= ")]
)
def test_the_load_is_closed_or_open(options, words):
    async def main():
        with pytest.raises(ValueError, match=words):
            await race({"a": crowd, "b": crowd}, "x", **options)

    run(main)


def test_a_race_of_one_and_a_race_for_nothing_are_refused():
    async def main():
        with pytest.raises(ValueError, match="two contestants"):
            await race({"a": crowd}, "x", clients=1)
        with pytest.raises(ValueError, match="one item"):
            await race({"a": crowd, "b": crowd}, "", clients=1)

    run(main)


def test_nothing_is_left_running_after_a_race():
    async def main():
        before = asyncio.all_tasks()
        await race({"hangs": lambda item: item, "a": crowd}, "x", rate=20, seconds=3.0)
        assert asyncio.all_tasks() == before

    run(main)


def test_the_figure_says_the_finding_and_has_alt_text():
    async def main() -> RaceResult:
        return await race(
            {"one at a time": model(0.010), "all at once": crowd}, "abc", clients=20, seconds=3.0, slo=0.05
        )

    result = run(main)
    shown = result.figure()
    assert "20×" in shown.alt and "answers per second" in shown.alt
    html = shown._repr_html_()
    assert html.startswith("<img") and 'alt="' in html and "base64" in html
    assert shown.fig.get_suptitle() == result.headline


def test_a_slow_contestant_is_not_flattered_by_cutting_its_last_answers_off():
    async def main():
        return await race({"slow": model(0.5), "quick": crowd}, "x", clients=20, seconds=3.0)

    slow = run(main).reports["slow"]
    assert not slow.errors and slow.p99 == pytest.approx(10.0)      # 20 clients share 2 answers a second


def test_where_many_requests_fail_the_headline_says_so_instead_of_a_percentile():
    async def main():
        return await race({"drowning": model(0.5), "quick": crowd}, "x", rate=50, seconds=30.0)

    result = run(main)
    assert result.reports["drowning"].error_share > 0.5
    assert "of those of drowning failed" in repr(result) and "against" not in repr(result)
