"""No more than so many requests a second, with a burst after a quiet time: a bucket of tokens, filled by a ticker.

    python examples/rate_limiter.py
"""

import asyncio

from asyncpatterns import Channel, WouldBlock, go, ticker


def token_bucket(rate: float, burst: int) -> Channel[None]:
    """A channel of tokens: `burst` of them now, then `rate` a second, as long as there is room. Close it to end it."""
    tokens: Channel[None] = Channel(burst)
    for _ in range(burst):
        tokens.send_nowait(None)

    async def fill() -> None:
        ticks = ticker(1 / rate)
        async for _ in ticks:
            if tokens.closed:
                break
            try:
                tokens.send_nowait(None)
            except WouldBlock:
                pass                # the bucket is full
        ticks.close()

    go(fill())
    return tokens


async def requests(number: int, rate: float, burst: int) -> list[float]:
    """The moments at which so many requests, all made at once, are let through."""
    tokens = token_bucket(rate, burst)
    start = asyncio.get_running_loop().time()
    moments = []
    for _ in range(number):
        await tokens.receive()
        moments.append(asyncio.get_running_loop().time() - start)
    tokens.close()
    return moments


if __name__ == "__main__":
    for moment in asyncio.run(requests(10, rate=5, burst=3)):
        print(f"{moment:.2f} s")
