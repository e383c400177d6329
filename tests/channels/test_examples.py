"""The programs in `examples/`, on virtual time, and as somebody runs them."""

import asyncio
import functools
import importlib.util
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from asyncpatterns.testing import run

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str):
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result_of(name: str, function: str, *args, **options):
    return run(functools.partial(getattr(example(name), function), *args, **options))


def test_the_prime_sieve_finds_primes():
    assert result_of("prime_sieve", "primes", 15) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]


@pytest.mark.parametrize("players", [2, 3, 36])
def test_in_ping_pong_everybody_gets_his_turn(players):
    log = result_of("ping_pong", "play", players, seconds=10)
    assert len(log) >= 900
    assert log[:900] == [number % players for number in range(900)]


def test_no_philosopher_starves():
    meals = result_of("dining_philosophers", "dinner", seconds=100)
    assert len(meals) == 5 and min(meals.values()) > 50


def test_the_power_series_of_exp():
    expected = [Fraction(1), Fraction(1), Fraction(1, 2), Fraction(1, 6), Fraction(1, 24), Fraction(1, 120)]
    assert result_of("power_series", "exponential", 6) == expected


def test_power_series_add_and_multiply():
    series = example("power_series")

    async def main():
        total = await series.first(4, series.add(series.polynomial(1, 2, 3), series.polynomial(1, 1)))
        product = await series.first(4, series.multiply(series.polynomial(1, 1), series.polynomial(1, -1)))
        return total, product

    assert run(main) == ([2, 3, 3, 0], [1, 0, -1, 0])


def test_the_crawler_visits_every_page_once_and_several_at_a_time():
    crawler = example("web_crawler")

    async def main():
        return await crawler.crawl("/"), asyncio.get_running_loop().time()

    pages, seconds = run(main)
    assert sorted(pages) == sorted([*crawler.WEB, "/missing"])
    assert seconds < 0.1 * len(pages) / 2


def test_the_rate_limiter_lets_a_burst_through_and_then_the_rate():
    moments = result_of("rate_limiter", "requests", 10, rate=5, burst=3)
    assert moments == pytest.approx([0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4])


def test_closing_the_done_channel_sends_everybody_home():
    squares, farewells = result_of("done_channel", "until_enough", 10)
    assert all(square == job * job for job, square in squares)
    assert len(squares) == 10 and len(farewells) == 4 and all("goes home" in farewell for farewell in farewells)


@pytest.mark.parametrize("program", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_the_program_runs_by_itself_without_a_warning(program):
    path = os.pathsep.join(filter(None, [str(EXAMPLES.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / program)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0 and done.stdout and not done.stderr
