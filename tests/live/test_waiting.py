"""The gathering timeline under a load that is set by sliders."""

import asyncio

from asyncpatterns import Batcher
from asyncpatterns.live import close_panels, gathering_panel
from asyncpatterns.live.waiting import Clients
from asyncpatterns.testing import run


async def model(items):
    await asyncio.sleep(0.010 + 0.0005 * len(items))
    return items


def test_the_sliders_set_the_load_and_the_batcher():
    async def main():
        async with Batcher(model) as batcher:
            panel = gathering_panel(batcher, "abc", rate=100, window=1.0).start()
            await asyncio.sleep(5)
            answered = batcher.statistics().answered
            assert 400 < answered < 600
            rate, clients, size, linger = panel.widget.children[0].children
            rate.value, clients.value, size.value, linger.value = 1.0, 8, 16, 5.0
            await asyncio.sleep(0.1)
            assert (batcher.max_batch_size, batcher.linger) == (16, 0.005)
            await asyncio.sleep(5)
            assert batcher.statistics().sizes[8] > 100 and batcher.statistics().sealed["linger"] > 100
            assert "linger: the linger was over" in panel.picture.value
            clients.value = 0
            await asyncio.sleep(1)
            answered = batcher.statistics().answered
            await asyncio.sleep(5)
            assert batcher.statistics().answered - answered < 20
            await close_panels()
            assert len(asyncio.all_tasks()) == 1

    run(main)


def test_a_client_that_is_turned_away_comes_again_and_one_that_is_not_wanted_ends():
    async def main():
        calls = []

        async def moody(item):
            calls.append(item)
            await asyncio.sleep(0.1)
            if len(calls) % 3 == 0:
                raise ValueError("not now")
        crowd = Clients(moody, "xyz")
        task = asyncio.create_task(crowd.run())
        crowd.wanted = 3
        await asyncio.sleep(2)
        assert 45 <= len(calls) <= 60 and set(calls) == set("xyz")
        crowd.wanted = 1
        await asyncio.sleep(1)
        before = len(calls)
        await asyncio.sleep(1)
        assert 8 <= len(calls) - before <= 11 and set(calls[before:]) == {"x"}
        crowd.wanted = 2
        await asyncio.sleep(1)
        assert "y" in calls[-5:]
        task.cancel()
        await asyncio.wait([task])
        assert len(asyncio.all_tasks()) == 1

    run(main)
