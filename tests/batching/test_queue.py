"""Lines, levels and turns."""

import random

import pytest

from asyncpatterns.batching.queue import CANCELLED, WAITING, Queue, Request


def request(item=0, key=None, priority=0, rows=1):
    made = Request()
    made.item, made.key, made.priority, made.rows, made.state, made.arrived = item, key, priority, rows, WAITING, 0.0
    return made


def check(queue, expected):
    assert len(queue) == len(expected) and queue.rows == sum(r.rows for r in expected)
    assert set(queue) == set(expected)
    lines = list(queue.serving_order())
    assert len(lines) == queue.lines == len({r.key for r in expected})
    for line in lines:
        mine = [r for r in expected if r.key == line.key]
        assert (line.count, line.rows) == (len(mine), sum(r.rows for r in mine))


@pytest.mark.parametrize("seed", range(30))
def test_it_behaves_as_a_simple_list_would(seed):
    """A random life, against a plain list of who waits and a plain list of whose turn it is."""
    random_ = random.Random(seed)
    queue, model = Queue(), []
    for number in range(600):
        action = random_.random()
        if action < 0.55 or not model:
            new = request(number, random_.choice("abc"), random_.randrange(3), random_.choice([1, 1, 1, 2, 5]))
            queue.push(new)
            model.append(new)
        elif action < 0.75:
            gone = random_.choice(model)
            gone.state = CANCELLED
            queue.remove(gone)
            model.remove(gone)
        else:
            line, room = queue.first_line(), random_.randrange(1, 8)
            top = max(r.priority for r in model)
            assert any(r.priority == top and r.key == line.key for r in model)
            mine = sorted((r for r in model if r.key == line.key), key=lambda r: (-r.priority, r.item))
            expected, rows = [], 0
            for r in mine:
                if expected and rows + r.rows > room:
                    break
                expected.append(r)
                rows += r.rows
                if rows >= room:
                    break
            taken = queue.take(line, room)
            assert taken == expected
            model = [r for r in model if r not in taken]
        check(queue, model)


def test_many_cancelled_places_are_swept():
    queue = Queue()
    stays = request("stays")
    queue.push(stays)
    for number in range(1000):
        gone = request(number)
        queue.push(gone)
        gone.state = CANCELLED
        queue.remove(gone)
    level = queue.line(None).levels[0]
    assert len(level.places) <= 64 and queue.take(queue.first_line(), 5) == [stays]


def test_who_was_served_goes_to_the_back():
    queue = Queue()
    for number in range(6):
        queue.push(request(number, key="ab"[number % 2]))
    order = []
    while len(queue):
        order += [r.item for r in queue.take(queue.first_line(), 1)]
    assert order == [0, 1, 2, 3, 4, 5]
