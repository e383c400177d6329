"""Renderers are pure functions from a state to an SVG that everybody can read."""

import json
import random
import xml.etree.ElementTree as xml

import pytest

from asyncpatterns.live import VIEWS, Picture, draw
from asyncpatterns.live.svg import MAX_SHAPES, Drawing, number, outline, seconds
from asyncpatterns.live.views import steps

SVG = "{http://www.w3.org/2000/svg}"


def gathering(r, size):
    requests = [
        {"number": i, "arrived": r.uniform(0, 9), "sealed": r.choice([None, 9.5]), "done": None, "batch": i // 4}
        for i in range(size)
    ]
    batches = [{"id": i, "sealed": r.uniform(0, 9), "done": r.choice([None, 10.0]), "size": r.randint(1, 64),
                "reason": r.choice(["full", "idle", "freed", "linger", "share", "cut", "closing"]),
                "outcome": "ok"} for i in range(size)]
    return {
        "view": "gathering",
        "now": 10.0,
        "idle": r.choice([0.0, 3.0]),
        "window": 2.0,
        "requests": requests,
        "batches": batches,
        "waiting": size,
        "answered": size,
        "shed": 0,
    }


def race(r, size):
    lanes = [
        {
            "name": f"lane <{i}>",
            "answered": size,
            "failed": r.randint(0, 3),
            "waiting": r.randint(0, 10**6),
            "per_second": r.uniform(0, 5000),
            "p50": r.choice([None, 1e-9, 0.01]),
            "p99": 10.0,
            "batch": r.choice([None, 4.2]),
        }
        for i in range(min(size, 4))
    ]
    return {
        "view": "race",
        "offered": r.uniform(1, 5000),
        "elapsed": 3.0,
        "slo": r.choice([None, 0.05]),
        "lanes": lanes,
    }


def latency(r, size):
    points = [{"t": i / 2, "p50": p50, "p99": p50 and p50 * 3, "answered": 10}
              for i in range(size) for p50 in [r.choice([None, r.uniform(1e-6, 100)])]]
    return {"view": "latency", "points": points, "slice": 0.5, "slo": r.choice([None, 0.05])}


def sizes(r, size):
    return {"view": "sizes", "queue": [r.randint(0, 10**5) for _ in range(size)], "limit": r.choice([None, 64]),
            "sizes": {str(r.randint(1, 512)): r.randint(0, 10**6) for _ in range(size)}, "reasons": {"full": size},
            "max_batch_size": r.choice([1, 64, 512])}


def tree(r, size):
    nodes = [
        {
            "name": f"a & {i}",
            "depth": r.randint(0, 6),
            "kind": r.choice(["actor", "supervisor"]),
            "mailbox": i,
            "state": r.choice(["idle", "busy", "restarting", "of its own kind"]),
            "capacity": r.choice([None, 0, 100]),
            "handled": i,
            "failed": i % 2,
            "restarts": r.randint(0, 3),
        }
        for i in range(size)
    ]
    return {"view": "tree", "name": "demo", "nodes": nodes, "dead_letters": size}


def channels(r, size):
    return {"view": "channels", "channels": [
        {"name": f"c{i}", "buffered": r.randint(0, 100), "capacity": r.choice([None, 0, 4, 100]), "senders_waiting": i,
         "receivers_waiting": r.randint(0, 2), "sent": i, "received": i, "closed": i % 2 == 0} for i in range(size)]}


def pipelines(r, size):
    few = [{"name": f"user <{i}>", "stages": [f"stage {j}" for j in range(r.randint(0, 12))], "at": r.choice([None, 0])}
           for i in range(min(size, 16))]
    live = [[i, r.randint(1, 3)] for i in range(0, size, 4)]
    return {"view": "pipelines", "count": size, "columns": max(1, size // 10), "live": live, "turns": size,
            "lit": {kind: r.choices(range(size), k=size // 5) if size else [] for kind in ("asks", "sorry", "human")},
            "killed": [size - 1] if size else [], "few": few if size <= 16 else None, "per_second": r.uniform(0, 1e4),
            "p50": r.choice([None, 0.01]), "p99": 0.02, "in_memory": size, "bytes": r.choice([None, 3000.0]),
            "model": "running"}


def overload(r, size):
    services = [{"name": f"service <{i}>", "waiting": r.randint(0, 10**6), "p99": r.choice([None, 0.01, 10.0]),
                 "history": [r.uniform(0, 2000) for _ in range(r.choice([0, 1, 80]))],
                 **{kind: r.choice([0, r.uniform(0, 3000)]) for kind in ("in time", "late", "refused", "failed")}}
                for i in range(min(size, 4))]
    return {"view": "overload", "offered": r.uniform(1, 3000), "slo": 0.2, "step": 0.25, "services": services}


STATES = {"pipelines": pipelines, "overload": overload, "gathering": gathering, "race": race, "latency": latency,
          "sizes": sizes, "tree": tree, "channels": channels}


def test_there_is_a_state_for_every_view():
    assert STATES.keys() == VIEWS.keys()


@pytest.mark.parametrize("view", STATES)
@pytest.mark.parametrize("size", [0, 1, 2, 7, 80, 1000])
def test_any_state_becomes_a_valid_picture_of_at_most_300_shapes(view, size):
    for seed in range(20):
        picture = xml.fromstring(draw(STATES[view](random.Random(seed), size)))
        assert sum(1 for _ in picture.iter()) <= MAX_SHAPES + 5


@pytest.mark.parametrize("view", STATES)
def test_no_view_ever_needs_to_leave_shapes_out(view):
    for seed in range(50):
        assert "left out" not in draw(STATES[view](random.Random(seed), 1000))


@pytest.mark.parametrize("view", STATES)
def test_a_picture_has_title_description_and_its_numbers_as_text(view):
    picture = xml.fromstring(draw(STATES[view](random.Random(1), 5)))
    title, description = picture.find(f"{SVG}title").text, picture.find(f"{SVG}desc").text
    assert title and description
    assert picture.get("role") == "img" and picture.get("aria-label").startswith(title)
    words = [element.text for element in picture.iter(f"{SVG}text")]
    assert any(word and word in description for word in words[1:])


@pytest.mark.parametrize("view", STATES)
def test_a_state_survives_json_and_draws_the_same_picture(view):
    state = STATES[view](random.Random(2), 5)
    assert draw(json.loads(json.dumps(state))) == draw(state)


@pytest.mark.parametrize("view", STATES)
def test_a_picture_drawn_in_steps_is_the_same_picture(view):
    state = STATES[view](random.Random(3), 1000)
    drawing, count = steps(state), 0
    while True:
        try:
            next(drawing)
            count += 1
        except StopIteration as end:
            assert end.value == draw(state) == VIEWS[view](state) and count >= 2
            return


@pytest.mark.parametrize("view", STATES)
def test_nothing_is_drawn_outside_the_picture(view):
    for seed in range(20):
        picture = xml.fromstring(draw(STATES[view](random.Random(seed), 30)))
        _, _, width, height = map(float, picture.get("viewBox").split())
        for box in picture.iter(f"{SVG}rect"):
            x, y = float(box.get("x", 0)), float(box.get("y", 0))
            assert x >= 0 and x + float(box.get("width")) <= width + 0.2
            assert y >= 0 and y + float(box.get("height")) <= height + 0.2


def test_a_name_cannot_break_out_of_the_picture():
    state = race(random.Random(0), 1)
    state["lanes"][0]["name"] = '<script>alert("x")</script>'
    assert "<script" not in draw(state)
    xml.fromstring(draw(state))


def test_the_race_says_every_number_of_every_lane():
    lane = {"name": "batched", "answered": 15230, "failed": 7, "waiting": 3, "per_second": 1503.0, "p50": 0.0021,
            "p99": 0.0063, "batch": 4.3}
    picture = draw({"view": "race", "offered": 1500, "elapsed": 10.4, "slo": 0.05, "lanes": [lane]})
    for words in (
        "1,503 answers/s",
        "15,230 answered",
        "7 failed",
        "p50 2.1 ms, p99 6.3 ms",
        "mean batch 4.3",
        "3 waiting",
        "1,500 requests/s",
        "slo 50 ms",
    ):
        assert words in picture


def test_the_gathering_says_why_each_batch_was_sealed():
    batches = [{"id": i, "sealed": i / 10, "done": i / 10 + 0.05, "size": 3, "reason": reason, "outcome": "answered"}
               for i, reason in enumerate(["idle", "freed", "freed", "linger"], 1)]
    state = {"view": "gathering", "now": 1.0, "idle": 0.0, "window": 1.0, "requests": [], "batches": batches,
             "waiting": 0, "answered": 12, "shed": 0}
    picture = draw(state)
    for words in ("idle: the worker was idle, 1", "freed: the worker came back, 2", "linger: the linger was over, 1",
                  "Sealed because: 1 idle, 2 freed, 1 linger."):
        assert words in picture
    assert "full:" not in picture


def test_overload_says_what_becomes_of_the_requests_of_each_service():
    service = {"name": "promised", "in time": 380.0, "late": 0.0, "refused": 820.0, "failed": 1.0, "waiting": 40,
               "p99": 0.199, "history": [100.0, 380.0]}
    picture = draw({"view": "overload", "offered": 1200, "slo": 0.2, "step": 0.25, "services": [service]})
    for words in ("380 in time, 0 late, 820 refused, 1 failed each second", "40 waiting", "p99 199 ms",
                  "1,200 requests/s", "within 200 ms"):
        assert words in picture


def test_an_unknown_view_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"gathering.*'nothing'"):
        draw({"view": "nothing"})


def test_a_drawing_that_is_full_admits_what_it_leaves_out():
    drawing = Drawing(100, 100, "full")
    for _ in range(MAX_SHAPES + 9):
        drawing.line(0, 0, 1, 1)
    assert drawing.omitted == 9 and "9 more shapes are left out" in str(drawing)


@pytest.mark.parametrize("shape", ["circle", "square", "triangle", "diamond"])
def test_a_mark_has_the_same_extent_as_a_piece_of_a_path(shape):
    drawing = Drawing(100, 100, "marks")
    drawing.mark(shape, 50, 40, 8, "#000000")
    one, piece = drawing.parts()[0], outline(shape, 50, 40, 8)
    assert piece.startswith("M") and piece.endswith("z")
    start = {"circle": "M46.0 40.0", "square": "M46.0 36.0"}.get(shape, "M50.0 36.0")
    assert piece.startswith(start) and ("36.0" in one or 'r="4.0"' in one)


def test_a_mark_of_a_shape_that_does_not_exist_is_refused():
    for draw_it in (lambda: outline("star", 0, 0, 8), lambda: Drawing(9, 9, "").mark("star", 0, 0, 8, "#000000")):
        with pytest.raises(ValueError, match=r"star.*there are circle"):
            draw_it()


def test_a_row_of_the_tree_is_drawn_anew_when_its_actor_has_changed():
    state = tree(random.Random(4), 5)
    before = draw(state)
    assert draw(state) == before
    state["nodes"][2] = {**state["nodes"][2], "mailbox": 77_777, "fresh": True}
    assert "77,777" in draw(state) and "77,777" not in before


def test_a_static_picture_has_alt_text_and_shows_itself_in_a_cell():
    picture = Picture(race(random.Random(0), 2))
    bundle = picture._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg") and "lane" in bundle["text/plain"]


@pytest.mark.parametrize(("value", "words"), [(0.0041, "4.1 ms"), (2.345, "2.35 s"), (12e-6, "12 µs"), (0.9996, "1 s"),
                                              (120.0, "120 s"), (0.0, "0 µs"), (None, "–"), (float("nan"), "–")])
def test_times_are_said_in_the_unit_that_fits(value, words):
    assert seconds(value) == words


@pytest.mark.parametrize(("value", "words"), [(1234.4, "1,234"), (27, "27"), (3.44, "3.4"), (0, "0"), (None, "–")])
def test_counts_are_said_as_people_say_them(value, words):
    assert number(value) == words
