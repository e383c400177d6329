"""TensorFlow Serving's documented requests, answers and errors (its page "RESTful API"), and what JSON must carry."""

import asyncio
import json
import math

import numpy as np
import pytest

from asyncpatterns.serving import ServingApp, TensorFlowModel, deploy, import_tensorflow

from .fakes import call
from .models import everything, half_plus_three, with_slots

pytestmark = pytest.mark.slow


def ask(folder, name, *requests, **options):
    """The replies to `requests` (method, path, JSON or bytes), sent at once."""
    async def main():
        app = ServingApp(deploy(folder, name=name, max_batch_size=8, **options))
        async with app:
            return await asyncio.gather(*(
                call(app, method, path, body if isinstance(body, bytes) else json.dumps(body).encode())
                for method, path, body in requests))
    return asyncio.run(main())


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    return half_plus_three(tmp_path_factory.mktemp("half"))


@pytest.fixture(scope="module")
def everything_(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("everything"))


def predict(folder, *bodies, **options):
    return ask(folder, "m", *(("POST", "/v1/models/m:predict", body) for body in bodies), **options)


def test_the_documented_examples(half):
    base = "/v1/models/half_plus_three"
    status, prediction, column, versioned, one = ask(
        half, "half_plus_three", ("GET", base, b""), ("POST", f"{base}:predict", {"instances": [1.0, 2.0, 5.0]}),
        ("POST", f"{base}:predict", {"inputs": [1.0, 2.0, 5.0]}),
        ("POST", f"{base}/versions/123:predict", {"instances": [{"x": 1.0}]}), ("GET", f"{base}/versions/123", b""))
    assert status[0] == 200 and status[2] == {"model_version_status": [
        {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]}
    assert prediction[0] == 200 and prediction[2] == {"predictions": [3.5, 4.0, 5.5]}
    assert column[2] == {"outputs": [3.5, 4.0, 5.5]} and versioned[2] == {"predictions": [3.5]} and one[2] == status[2]
    assert prediction[1][b"content-type"] == b"application/json"


def test_the_documented_metadata(half):
    [(status, _, answer)] = ask(half, "half", ("GET", "/v1/models/half/metadata", b""))
    assert status == 200 and answer["model_spec"] == {"name": "half", "signature_name": "", "version": "123"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"] == {"dtype": "DT_FLOAT", "name": "serving_default_x:0", "tensor_shape": {
        "dim": [{"size": "-1", "name": ""}], "unknown_rank": False}}


@pytest.mark.parametrize(("method", "path", "status", "error"), [
    ("POST", "/v1/models/half:predict", 404, "Servable not found for request: Latest(half)"),
    ("POST", "/v1/models/m/versions/7:predict", 404, "Servable not found for request: Specific(m, 7)"),
    ("GET", "/v1/models/half", 404, "Could not find any versions of model half"),
    ("GET", "/v1/models/m/versions/7", 404, "Could not find version 7 of model m"),
    ("POST", "/v1/models/m:regress", 404, ":regress is not served here"),
])
def test_the_documented_errors(half, method, path, status, error):
    [reply] = ask(half, "m", (method, path, {"instances": [1.0, 5.0]}))
    assert reply[0] == status and reply[2]["error"].startswith(error)


ROWS = [{"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
        {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]}]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


def test_several_named_tensors_in_rows_and_in_columns(everything_):
    rows, columns = predict(everything_, {"instances": ROWS}, {"inputs": COLUMNS})
    assert rows[2] == {"predictions": [{"name": "FOO", "total": 15, "trace": 5.0},
                                       {"name": "BAR", "total": 15, "trace": 12.0}]}
    assert columns[2] == {"outputs": {"name": ["FOO", "BAR"], "total": [15, 15], "trace": [5.0, 12.0]}}


def test_binary_values_are_base64_both_ways(everything_):
    body = {"signature_name": "mirror", "instances": [{"image_bytes": {"b64": "/w=="}}, {"b64": "aGk="}][:1]}
    bare = {"signature_name": "mirror", "instances": [{"b64": "/w=="}, {"b64": "aGk="}]}
    column = {"signature_name": "mirror", "inputs": {"image_bytes": [{"b64": "/w=="}]}}
    named, unnamed, columns = predict(everything_, body, bare, column)
    assert named[2] == {"predictions": [{"image_bytes": {"b64": "/w=="}, "length": 1}]}
    assert unnamed[2]["predictions"][1] == {"image_bytes": {"b64": "aGk="}, "length": 2}
    assert columns[2] == {"outputs": {"image_bytes": [{"b64": "/w=="}], "length": [1]}}


def test_the_tokens_that_json_has_not_go_in_and_come_out(everything_):
    body = b'{"signature_name": "types", "instances": [{"yes": true, "x": -1, "small": 255}, ' \
           b'{"yes": false, "x": Infinity, "small": 0}]}'
    [reply] = predict(everything_, body)
    first, second = reply[2]["predictions"]
    assert reply[0] == 200 and math.isnan(first["root"]) and second["root"] == math.inf
    assert (first["no"], first["small"]) == (False, 255)


def test_requests_of_different_lengths_are_answered_as_if_alone(everything_):
    bodies = [{"signature_name": "normalize", "instances": [[1.0] * size + [4.0]]} for size in (0, 1, 2, 2, 7)]
    answers = [reply[2]["predictions"][0] for reply in predict(everything_, *bodies)]
    assert [answer["sum"] for answer in answers] == [4, 5, 6, 6, 11]
    assert [answer["scaled"] for answer in answers] == [[0.25] * size + [1.0] for size in (0, 1, 2, 2, 7)]


def test_with_padding_they_share_a_batch_and_answers_are_cut_back(everything_):
    model = TensorFlowModel(everything_, signature="normalize", padding=0.0)
    items = [model.check({"x": [[1.0] * size + [4.0]]}) for size in (0, 3)]
    short, long = model(items)
    assert short["scaled"].tolist() == [[1.0]] and long["scaled"].tolist() == [[0.25, 0.25, 0.25, 1.0]]
    assert [answer["sum"].tolist() for answer in (short, long)] == [[4.0], [7.0]]
    ragged = model.run(model.check({"x": [[4.0], [1.0, 4.0]]}))
    assert ragged["sum"].tolist() == [4.0, 5.0]
    model.close()


def test_ragged_rows_without_padding_are_refused_with_a_sentence(everything_):
    [reply] = predict(everything_, {"signature_name": "normalize", "instances": [[1.0], [1.0, 2.0]]})
    assert reply[0] == 400 and "rows of different lengths" in reply[2]["error"]


def test_a_signature_without_rows_in_common_is_served_one_request_at_a_time(everything_):
    scaled = [{"signature_name": "scale", "inputs": {"x": [1.0, 2.0], "factor": factor}} for factor in (2.0, 3.0)]
    unequal = {"signature_name": "distances", "inputs": {"left": [[0, 0]], "right": [[3, 4], [0, 1], [0, 0]]}}
    rows = {"signature_name": "scale", "instances": [{"x": 1.0, "factor": 2.0}]}
    first, second, distances, refused = predict(everything_, *scaled, unequal, rows)
    assert first[2] == {"outputs": {"count": 2, "y": [2.0, 4.0]}} and second[2]["outputs"]["y"] == [3.0, 6.0]
    assert distances[2] == {"outputs": [[5.0, 1.0, 0.0]]}
    assert refused[0] == 400 and "'factor'" in refused[2]["error"]


@pytest.mark.parametrize(("signature", "inputs", "says"), [
    ("types", {"yes": [1], "x": [1.0], "small": [1]}, "input 'yes': expected booleans (bool)"),
    ("types", {"yes": [True], "x": [1.0], "small": [256]}, "a number that uint8 cannot hold"),
    ("types", {"yes": [True], "x": ["a"], "small": [1]}, "input 'x': expected numbers (float64)"),
    ("mirror", {"image_bytes": [1]}, "among the strings"), ("mirror", {"image_bytes": [{"b64": "?"}]}, "base64"),
    ("none", {"x": [1]}, "Serving signature name: 'none' not found"),
    ("normalize", {"y": [[1.0]]}, "expected the inputs ['x']; got ['y']"),
])
def test_what_is_wrong_and_what_was_expected_is_said(everything_, signature, inputs, says):
    [reply] = predict(everything_, {"signature_name": signature, "inputs": inputs})
    assert reply[0] == 400 and says in reply[2]["error"]


def test_a_model_with_an_optimizers_slots_is_served(tmp_path):
    folder, kernel = with_slots(tmp_path)
    with pytest.raises(AttributeError, match="add_slot"):
        import_tensorflow().saved_model.load(str(folder / "1"))
    x = np.array([[1.0, 2.0], [-3.0, 0.5]], np.float32)
    [reply] = predict(folder, {"instances": x.tolist()})
    assert np.allclose([row["y"] for row in reply[2]["predictions"]], x @ kernel, atol=1e-5)
    assert [row["best"] for row in reply[2]["predictions"]] == np.argmax(x @ kernel, 1).tolist()
