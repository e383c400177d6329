"""A crawler's shape: fan out to a few fetchers, fan in what they find, and know when nothing is left to do.

The web is a dictionary in this process, with a delay.

    python examples/web_crawler.py
"""

import asyncio

from asyncpatterns import Channel, go, merge

Page = tuple[str, list[str]]        # an address, and the links found there

WEB = {
    "/": ["/docs", "/blog", "/about"],
    "/docs": ["/", "/docs/channels", "/docs/actors"],
    "/docs/channels": ["/docs"],
    "/docs/actors": ["/docs", "/missing"],
    "/blog": ["/blog/1", "/blog/2"],
    "/blog/1": ["/blog/2"],
    "/blog/2": ["/blog/1", "/"],
    "/about": [],
}


async def fetch(address: str) -> list[str]:
    await asyncio.sleep(0.1)
    return WEB.get(address, [])


def fetcher(addresses: Channel[str]) -> Channel[Page]:
    pages: Channel[Page] = Channel()

    async def work() -> None:
        async for address in addresses:
            await pages.send((address, await fetch(address)))
        pages.close()

    go(work())
    return pages


async def crawl(start: str, fetchers: int = 3) -> list[str]:
    """All addresses that can be reached, in the order in which they came in."""
    addresses: Channel[str] = Channel(1_000)
    pages = merge(*(fetcher(addresses) for _ in range(fetchers)))
    seen, arrived = {start}, []
    addresses.send_nowait(start)
    while len(arrived) < len(seen):         # somebody is still out
        address, links = await pages.receive()
        arrived.append(address)
        for link in dict.fromkeys(links):
            if link not in seen:
                seen.add(link)
                await addresses.send(link)
    addresses.close()
    pages.close()
    return arrived


if __name__ == "__main__":
    print("\n".join(asyncio.run(crawl("/"))))
