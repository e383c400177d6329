"""Time in `run`: it jumps when all wait, and stands still while a worker thread is busy."""

import asyncio
import concurrent.futures
import random
import sys
import threading
import time

import pytest

from asyncpatterns.testing import Deadlock, run


def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_hour_of_sleeping_takes_milliseconds():
    async def main():
        await asyncio.sleep(3600)
        return now()

    started = time.perf_counter()
    assert run(main) == 3600.0
    assert time.perf_counter() - started < 1.0


def test_thousands_of_timers_are_cheap():
    async def sleeper():
        for _ in range(10):
            await asyncio.sleep(60)

    async def main():
        await asyncio.gather(*(sleeper() for _ in range(1000)))
        return now()

    started = time.perf_counter()
    assert run(main) == 600.0
    assert time.perf_counter() - started < (60.0 if sys.flags.dev_mode else 5.0)      # a debugging loop is slow


def test_the_clock_jumps_to_the_timer_exactly():
    async def main():
        moments = []
        for delay in (0.1, 0.2, 1e-7, 3.3):
            due = now() + delay
            await asyncio.sleep(delay)
            moments.append(now() == due)
        return moments

    assert run(main) == [True] * 4


def test_timers_still_fire_after_a_century():
    async def main():
        await asyncio.sleep(100 * 365 * 86400)
        await asyncio.sleep(0.5)
        return now()

    assert run(main) == 100 * 365 * 86400 + 0.5


def test_timers_fire_in_the_order_of_their_times():
    async def main():
        fired = []
        loop = asyncio.get_running_loop()
        for delay in (3, 1, 2, 1.5):
            loop.call_later(delay, fired.append, delay)
        await asyncio.sleep(5)
        return fired

    assert run(main) == [1, 1.5, 2, 3]


def test_the_clock_stands_still_in_a_computation():
    async def main():
        before = now()
        sum(range(100_000))
        await asyncio.sleep(0)
        return now() - before

    assert run(main) == 0.0


def test_asyncio_timeouts_run_on_virtual_time():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000):
                await asyncio.Event().wait()
        return now()

    assert run(main) == 1000.0


def test_the_run_is_repeatable_and_none_is_seed_zero():
    async def main():
        return [asyncio.get_running_loop().random.random() for _ in range(5)]

    expected = [random.Random(0).random()]
    assert run(main)[:1] == expected
    assert run(main) == run(main, seed=0) == run(main, seed=None)
    assert run(main, seed=1) == run(main, seed=1) != run(main, seed=2)


def test_a_worker_thread_finishes_before_a_timer_that_is_due_in_an_hour_of_virtual_time():
    async def main():
        async with asyncio.timeout(0.001):
            await asyncio.to_thread(time.sleep, 0.05)
        return now()

    assert run(main) == 0.0


def test_an_executor_of_ones_own_holds_the_clock_too():
    async def main():
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            async with asyncio.timeout(0.001):
                answer = await loop.run_in_executor(pool, lambda: time.sleep(0.05) or "done")
        return answer, now()

    assert run(main) == ("done", 0.0)


def test_an_executor_that_replaced_the_default_one_holds_the_clock_too():
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine"))
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(lambda: time.sleep(0.02) or threading.current_thread().name)

    assert run(main).startswith("mine")


def test_a_job_whose_task_was_cancelled_still_holds_the_clock():
    async def main():
        job = asyncio.create_task(asyncio.to_thread(time.sleep, 0.05))
        await asyncio.sleep(0)
        job.cancel()
        started = time.perf_counter()
        await asyncio.sleep(1)
        return time.perf_counter() - started

    assert run(main) > 0.03


def test_a_task_that_waits_for_a_worker_thread_is_not_deadlocked():
    async def main():
        return await asyncio.to_thread(lambda: time.sleep(0.05) or "done")

    assert run(main) == "done"


def test_a_worker_thread_may_wait_for_something_that_takes_virtual_time():
    async def answer():
        await asyncio.sleep(3600)
        return "done"

    async def main():
        loop = asyncio.get_running_loop()

        def work():
            return asyncio.run_coroutine_threadsafe(answer(), loop).result()

        return await asyncio.to_thread(work), now()

    assert run(main) == ("done", 3600.0)


def test_a_worker_thread_that_waits_for_what_never_comes_is_a_deadlock():
    async def main():
        loop = asyncio.get_running_loop()
        never = loop.create_future()

        async def wait():
            await never

        try:
            await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(wait(), loop).result())
        finally:
            never.set_result(None)

    with pytest.raises(Deadlock):
        run(main)


def test_a_job_that_waits_for_an_older_pool_holds_the_clock():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()

        async def main():
            async with asyncio.timeout(0.001):
                return await asyncio.to_thread(lambda: pool.submit(time.sleep, 0.1).result())

        run(main)


def test_a_task_that_waits_for_a_plain_thread_is_not_deadlocked():
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def work():
            time.sleep(0.1)
            loop.call_soon_threadsafe(future.set_result, "done")

        threading.Thread(target=work).start()
        return await future

    assert run(main) == "done"


def test_a_task_that_waits_for_a_job_submitted_behind_the_loops_back_is_not_deadlocked():
    async def main():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return await asyncio.wrap_future(pool.submit(lambda: time.sleep(0.1) or "done"))

    assert run(main) == "done"


def test_idle_threads_do_not_hide_a_deadlock():
    async def main():
        stop = threading.Event()
        idle = threading.Thread(target=stop.wait)
        idle.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                await asyncio.get_running_loop().run_in_executor(pool, int)
                await asyncio.get_running_loop().create_future()
        finally:
            stop.set()
            idle.join()

    with pytest.raises(Deadlock):
        run(main)


def test_threads_that_ran_before_do_not_hide_a_deadlock():
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            time.sleep(0.001)

    thread = threading.Thread(target=busy)
    thread.start()

    async def main():
        await asyncio.get_running_loop().create_future()

    try:
        with pytest.raises(Deadlock):
            run(main)
    finally:
        stop.set()
        thread.join()
