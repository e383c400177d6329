"""A model elsewhere: requests share a call, and a refusal reaches each client with the time to come back."""

import asyncio

import numpy as np
import pytest

from asyncpatterns import Overloaded
from asyncpatterns.serving.app import ServingApp
from asyncpatterns.serving.deployment import Deployment
from asyncpatterns.serving.front import Unavailable
from asyncpatterns.serving.remote import RemoteModel
from asyncpatterns.serving.signature import Signature, TensorSpec
from asyncpatterns.testing import run

TEXT = Signature("serving_default", {"x": TensorSpec("x", np.dtype("int32"), (None, None))},
                 {"sum": TensorSpec("sum", np.dtype("int32"), (None,))})
WHOLE = Signature("whole", TEXT.inputs, {"sum": TensorSpec("sum", np.dtype("int32"), ())})
DESCRIBED = {"version": 7, "signatures": {"serving_default": TEXT, "whole": WHOLE}, "default": "serving_default",
             "padding": None, "metadata": {"serving_default": {}}}


class Elsewhere(RemoteModel):
    """Sums up rows, a tenth of a second away; or refuses."""

    def __init__(self, refusal=None, rows=True):
        super().__init__(DESCRIBED)
        self.refusal, self.rows, self.calls = refusal, rows, []

    async def run(self, tensors):
        await asyncio.sleep(0.1)
        if self.refusal is not None:
            raise self.refusal
        self.calls.append(tensors["x"].shape)
        return {"sum": tensors["x"].sum(axis=1) if self.rows else tensors["x"].sum()}


def asked(model, bodies):
    async def main():
        async with ServingApp(Deployment(model, max_batch_size=64, workers=1)) as app:
            return await asyncio.gather(*(app.answer("POST", "/v1/models/model:predict", body) for body in bodies))
    return run(main)


def test_what_gathers_while_one_call_is_under_way_shares_the_next():
    model = Elsewhere()
    answers = asked(model, [b'{"instances": [[%d, 1]]}' % number for number in range(20)])
    assert [answer.body for answer in answers] == [b'{"predictions":[%d]}' % (number + 1) for number in range(20)]
    assert model.calls == [(1, 2), (19, 2)] or model.calls == [(20, 2)]


def test_rows_of_different_lengths_travel_apart():
    model = Elsewhere()
    answers = asked(model, [b'{"instances": [[1, 2]]}', b'{"instances": [[1, 2, 3]]}', b'{"instances": [[4, 5]]}'] * 3)
    assert [answer.body for answer in answers] == [b'{"predictions":[%d]}' % total for total in (3, 6, 9)] * 3
    assert sum(rows for rows, _ in model.calls) == 9 and len(model.calls) <= 4


def test_answers_without_rows_are_asked_for_one_by_one():
    model = Elsewhere(rows=False)
    one, two = {"x": np.ones((1, 2), np.int32)}, {"x": np.ones((2, 2), np.int32)}
    assert run(lambda: model([one, two])) == [{"sum": 2}, {"sum": 4}]
    assert model.key(one) == model.key(two)
    assert model.with_signature("whole").key(one) != model.with_signature("whole").key(one)


@pytest.mark.parametrize(("refusal", "seconds"), [(Overloaded(2.3, 64, 64), b"3"), (Unavailable(1.0), b"1")])
def test_a_refusal_from_there_reaches_everybody_who_shared_the_call_with_the_time_to_come_back(refusal, seconds):
    answers = asked(Elsewhere(refusal), [b'{"instances": [[1, 2]]}'] * 5)
    assert [answer.status for answer in answers] == [503] * 5
    assert all(dict(answer.headers)[b"retry-after"] == seconds for answer in answers)


def test_it_says_what_it_is():
    model = Elsewhere()
    assert repr(model) == f"<Elsewhere version 7 ({TEXT})>"
    assert model.with_signature("whole").signature is WHOLE and model.signature is TEXT
    assert model.metadata() == {"serving_default": {}}
