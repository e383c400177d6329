"""The demo's own logic: a wrong answer fails it, a collapse is recognised, the finding is a measured ratio."""

import json

import numpy as np
import orjson
import pytest

from asyncpatterns.load import Report
from benchmarks.demo.__main__ import report
from benchmarks.demo.ladder import Ladder, Step, table
from benchmarks.demo.requests import Exam

EXPECTED = {"intent": np.array([[0.5, 1.5], [2.5, 3.5]], np.float32), "slots": np.zeros((2, 3, 2), np.float32)}


def make_report(answers, latency=0.01, duration=1.0, rate=None, sent=None, void=""):
    moments = [0.9 * duration * index / max(answers, 1) for index in range(answers)]      # all end within the run
    return Report("open" if rate else "closed", duration, sent or answers, moments, [latency] * answers, rate=rate,
                  clients=None if rate else 64, void=void)


def make_ladder():
    ladder = Ladder()
    for key, per_second, alone in (("predict", 20, 0.04), ("compiled", 1000, 0.0010), ("batched", 6000, 0.0009)):
        ladder.steps.append(Step(key, "alone", None, make_report(50, alone)))
        ladder.steps.append(Step(key, "closed", None, make_report(per_second)))
        ladder.steps.append(Step(key, "open", 100.0, make_report(min(100, per_second), rate=100.0, sent=100)))
    return ladder


def reply(index, change=0.0):
    row = {name: (values[index] + change).tolist() for name, values in EXPECTED.items()}
    return orjson.dumps({"predictions": [row]})


def test_the_models_own_answers_pass_whatever_the_sixth_digit():
    exam = Exam([b"", b""], EXPECTED)
    assert exam.wrong([(0, reply(0)), (1, reply(1, 1e-5))]) == []


@pytest.mark.parametrize("body", [
    reply(0), reply(1, 0.1), b"not json", b"[]", b'{"predictions": []}', b'{"error": "overloaded"}',
    orjson.dumps({"predictions": [{"intent": [2.5, 3.5]}]}),
    orjson.dumps({"predictions": [{"intent": [2.5], "slots": [[0]]}]}),
], ids=["somebody else's answer", "off by a tenth", "not JSON", "not an object", "no rows", "an error",
        "an output short", "another shape"])
def test_every_other_reply_is_wrong(body):
    exam = Exam([b"", b""], EXPECTED)
    [sentence] = exam.wrong([(1, body)])
    assert sentence.startswith("request 1")


def test_the_ratios_are_those_of_the_measurements():
    ratios = list(make_ladder().ratios().values())
    assert ratios == pytest.approx([300, 6, 0.9])
    assert "300 × the requests of model.predict and 6.0 × those of\na compiled function" in make_ladder().finding()


def test_a_deployment_that_collapsed_is_driven_no_further():
    ladder = make_ladder()
    assert ladder.is_past_its_limit("predict") and not ladder.is_past_its_limit("batched")
    assert [step.collapsed for step in ladder.steps_of("predict")] == [True]


def test_a_void_run_is_no_collapse_and_only_two_of_them_end_the_climb():
    ladder = make_ladder()
    void = Step("batched", "open", 200.0, make_report(150, rate=200.0, sent=200, void="the generator lagged"))
    hopeless = Step("batched", "open", 200.0, make_report(50, rate=200.0, sent=200, void="the generator lagged"))
    assert hopeless.collapsed
    ladder.steps.append(void)
    assert not void.collapsed and not ladder.is_past_its_limit("batched")
    ladder.steps.append(void)
    assert ladder.is_past_its_limit("batched")


def test_a_wrong_answer_fails_the_demo_and_right_ones_pass_it(tmp_path, capsys):
    ladder = make_ladder()
    assert report(ladder, tmp_path) == 0
    ladder.steps[-1].wrong = ["request 7: not what the model says"]
    assert report(ladder, tmp_path) == 1
    assert "1 WRONG ANSWERS" in capsys.readouterr().out


def test_the_table_has_a_line_for_every_run_and_the_files_say_the_same(tmp_path):
    ladder = make_ladder()
    lines = table(ladder).splitlines()
    assert sum(line.startswith(("REST", "batched actor")) for line in lines) == len(ladder.steps)
    assert any("collapsed" in line for line in lines)
    report(ladder, tmp_path)
    figures = json.loads((tmp_path / "demo.json").read_text())
    assert len(figures["steps"]) == len(ladder.steps) and figures["ratios"] == ladder.ratios()
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
