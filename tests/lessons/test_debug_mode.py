"""What the loop complains of in debug mode is caught, and everything is as it was afterwards."""

import asyncio
import logging

import pytest

from asyncpatterns.lessons import debug_mode


async def step():
    await asyncio.sleep(0)


@pytest.mark.parametrize("before", [False, True])
def test_a_slow_step_is_named_and_the_log_and_the_mode_are_as_before(before, caplog):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_debug(before)
        loop.slow_callback_duration = 0.0       # every step is slow
        with debug_mode() as complaints:
            await asyncio.create_task(step(), name="the slow one")
        assert loop.get_debug() == before
        loop.set_debug(False)
        return complaints

    complaints = asyncio.run(main())
    assert any("the slow one" in complaint and "took" in complaint for complaint in complaints)
    assert "the slow one" not in caplog.text and logging.getLogger("asyncio").filters == []


def test_after_a_failure_inside_the_mode_is_as_before():
    async def main():
        with pytest.raises(OSError), debug_mode():
            raise OSError
        return asyncio.get_running_loop().get_debug()

    assert asyncio.run(main()) is False
