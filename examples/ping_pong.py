"""A ball among players, after Go's talk on advanced concurrency. Two players or thirty-six: the code is the same.

    python examples/ping_pong.py 36
"""

import asyncio
import sys
from dataclasses import dataclass

from asyncpatterns import Channel, go


@dataclass
class Ball:
    hits: int = 0


async def player(name: int, table: Channel[Ball], log: list[int]) -> None:
    async for ball in table:
        ball.hits += 1
        log.append(name)
        await asyncio.sleep(0.01)
        await table.send(ball)


async def play(players: int, seconds: float) -> list[int]:
    """Who hit the ball, in order. Those who wait are served first come, first served: so each gets his turn."""
    table: Channel[Ball] = Channel()
    log: list[int] = []
    tasks = [go(player(name, table, log)) for name in range(players)]
    await table.send(Ball())                # the game is on
    await asyncio.sleep(seconds)
    await table.receive()                   # we snatch the ball: the game is over
    table.close()
    await asyncio.gather(*tasks)
    return log


if __name__ == "__main__":
    print(*asyncio.run(play(int(sys.argv[1]) if len(sys.argv) > 1 else 2, seconds=1)))
