"""Power series as streams of coefficients, after McIlroy's "Squinting at power series" (1990).

A series is a channel that delivers its coefficients one after another, for ever, and only when somebody asks. From
that alone come sums, products, integrals; and e to the power of a series F with constant term 0, as the solution of
X = 1 + integral of X F': the series is fed back into its own definition.

    python examples/power_series.py
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from fractions import Fraction

from asyncpatterns import Channel, broadcast, go

Series = Channel[Fraction]


def series(generate: Callable[[], AsyncIterator[Fraction]]) -> Series:
    out: Series = Channel()

    async def deliver() -> None:
        async for coefficient in generate():
            await out.send(coefficient)

    go(deliver())
    return out


def polynomial(*coefficients: int) -> Series:
    async def generate() -> AsyncIterator[Fraction]:
        for coefficient in coefficients:
            yield Fraction(coefficient)
        while True:
            yield Fraction(0)

    return series(generate)


def add(f: Series, g: Series) -> Series:
    async def generate() -> AsyncIterator[Fraction]:
        while True:
            yield await f.receive() + await g.receive()

    return series(generate)


def multiply(f: Series, g: Series) -> Series:
    """Coefficient n is the sum of f[k] g[n-k]: it needs no more than the first n of each."""

    async def generate() -> AsyncIterator[Fraction]:
        fs: list[Fraction] = []
        gs: list[Fraction] = []
        while True:
            fs.append(await f.receive())
            gs.append(await g.receive())
            yield sum((a * b for a, b in zip(fs, reversed(gs), strict=True)), Fraction(0))

    return series(generate)


def derivative(f: Series) -> Series:
    async def generate() -> AsyncIterator[Fraction]:
        await f.receive()
        power = 1
        while True:
            yield power * await f.receive()
            power += 1

    return series(generate)


def integral(constant: int, f: Series) -> Series:
    async def generate() -> AsyncIterator[Fraction]:
        yield Fraction(constant)
        power = 1
        while True:
            yield await f.receive() / power
            power += 1

    return series(generate)


def exp(f: Series) -> Series:
    fed_back: Series = Channel()
    result, again = broadcast(integral(1, multiply(fed_back, derivative(f))), 2)

    async def feed() -> None:
        async for coefficient in again:
            await fed_back.send(coefficient)

    go(feed())
    return result


async def first(number: int, f: Series) -> list[Fraction]:
    return [await f.receive() for _ in range(number)]


async def exponential(number: int) -> list[Fraction]:
    """The first coefficients of e to the x."""
    return await first(number, exp(polynomial(0, 1)))


if __name__ == "__main__":
    print("exp:", *asyncio.run(exponential(10)))
