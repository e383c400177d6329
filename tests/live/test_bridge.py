"""A widget's callback reaches the loop that the work runs on, whatever thread it arrives on."""

import asyncio
import threading

import ipywidgets

from asyncpatterns.live import Bridge


def on_a_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


def on_a_thread_with_a_loop_of_its_own(function, *args):
    async def main():
        function(*args)

    on_a_thread(lambda: asyncio.run(main()))


def test_a_handler_runs_on_the_loop_that_made_the_bridge_from_any_thread():
    async def main():
        bridge, slider, seen = Bridge(), ipywidgets.IntSlider(), []
        bridge.observe(slider, lambda value: seen.append((value, threading.get_ident(), asyncio.get_running_loop())))
        slider.value = 1
        on_a_thread(slider.set_trait, "value", 2)
        on_a_thread_with_a_loop_of_its_own(slider.set_trait, "value", 3)
        await asyncio.sleep(0.01)
        here = (threading.get_ident(), asyncio.get_running_loop())
        assert seen == [(1, *here), (2, *here), (3, *here)]

    asyncio.run(main())


def test_a_callback_from_another_thread_wakes_a_loop_that_sleeps():
    async def main():
        bridge, slider = Bridge(), ipywidgets.IntSlider()
        arrived = asyncio.get_running_loop().create_future()
        bridge.observe(slider, arrived.set_result)
        threading.Timer(0.02, slider.set_trait, ("value", 7)).start()
        assert await asyncio.wait_for(arrived, 5) == 7

    asyncio.run(main())


def test_an_async_handler_becomes_a_task():
    async def main():
        bridge, button, seen = Bridge(), ipywidgets.Button(), []

        async def pressed():
            await asyncio.sleep(0)
            seen.append("pressed")

        bridge.click(button, pressed)
        on_a_thread(button.click)
        await asyncio.sleep(0.01)
        assert seen == ["pressed"]

    asyncio.run(main())


def test_a_closed_bridge_lets_go_of_its_widgets_and_drops_what_is_on_its_way():
    async def main():
        bridge, slider, button, seen = Bridge(), ipywidgets.IntSlider(), ipywidgets.Button(), []
        bridge.observe(slider, seen.append)
        bridge.click(button, lambda: seen.append("click"))
        slider.value = 1
        bridge.close()
        slider.value = 2
        button.click()
        bridge.call(seen.append, 3)
        await asyncio.sleep(0.01)
        assert seen == [] and "closed" in repr(bridge)

    asyncio.run(main())


def test_a_callback_after_the_loop_has_ended_is_dropped_in_silence():
    async def main():
        return Bridge()

    asyncio.run(main()).call(print, "never")


def test_a_failing_handler_is_reported_and_the_next_one_still_runs():
    async def main():
        problems, seen = [], []
        bridge, slider = Bridge(on_error=problems.append), ipywidgets.IntSlider()
        bridge.observe(slider, lambda value: seen.append(10 / (value - 1)))
        slider.value = 1
        slider.value = 2
        await asyncio.sleep(0.01)
        assert [type(p) for p in problems] == [ZeroDivisionError] and seen == [10.0]

    asyncio.run(main())


def test_without_on_error_a_failing_handler_reaches_the_loops_exception_handler():
    async def main():
        problems = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context["exception"]))
        Bridge().call(lambda: 1 / 0)
        await asyncio.sleep(0.01)
        assert [type(p) for p in problems] == [ZeroDivisionError]

    asyncio.run(main())
