"""The prime sieve of CSP (Hoare 1978, after McIlroy): a task for every prime lets through what it does not divide.

    python examples/prime_sieve.py 30
"""

import asyncio
import sys

from asyncpatterns import Channel, go


async def count_from(number: int, out: Channel[int]) -> None:
    while True:
        await out.send(number)
        number += 1


async def drop_multiples(prime: int, source: Channel[int], out: Channel[int]) -> None:
    async for number in source:
        if number % prime:
            await out.send(number)


async def primes(how_many: int) -> list[int]:
    source: Channel[int] = Channel()
    tasks = [go(count_from(2, source))]
    found = []
    while len(found) < how_many:
        prime = await source.receive()
        found.append(prime)
        sieved: Channel[int] = Channel()
        tasks.append(go(drop_multiples(prime, source, sieved)))
        source = sieved
    for task in tasks:
        task.cancel()
    return found


if __name__ == "__main__":
    print(*asyncio.run(primes(int(sys.argv[1]) if len(sys.argv) > 1 else 25)))
