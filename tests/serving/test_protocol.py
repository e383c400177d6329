"""TensorFlow Serving's REST formats, both ways."""

import json

import numpy as np
import pytest

from asyncpatterns.serving import InvalidInput, Signature, TensorSpec, protocol

X = TensorSpec("x", np.dtype("float32"), (None,))
Y = TensorSpec("y", np.dtype("float32"), (None, 2))
ONE = Signature("serving_default", {"x": X}, {})
TWO = Signature("serving_default", {"x": X, "y": Y}, {})
IMAGE = Signature("serving_default", {"image": TensorSpec("image", np.dtype(object), (None,))}, {})


def tensors(request, signature):
    body = json.dumps(request).encode()
    return {name: array.tolist() for name, array in protocol.tensors(protocol.parse(body), signature).items()}


def test_rows_of_a_single_input_need_no_name():
    assert tensors({"instances": [1.0, 2.0, 5.0]}, ONE) == {"x": [1.0, 2.0, 5.0]}
    assert tensors({"instances": [{"x": 1.0}]}, ONE) == {"x": [1.0]}


def test_rows_of_several_inputs_are_objects():
    assert tensors({"instances": [{"x": 1, "y": [2, 3]}, {"x": 4, "y": [5, 6]}]}, TWO) == {
        "x": [1, 4], "y": [[2, 3], [5, 6]]}


def test_columns_are_a_tensor_or_an_object_of_tensors():
    assert tensors({"inputs": [1.0, 2.0]}, ONE) == {"x": [1.0, 2.0]}
    assert tensors({"inputs": {"x": [1, 4], "y": [[2, 3], [5, 6]]}}, TWO) == {"x": [1, 4], "y": [[2, 3], [5, 6]]}


def test_base64_stands_for_bytes_in_both_formats():
    assert tensors({"instances": [{"b64": "aGk="}, {"b64": "eQ=="}]}, IMAGE) == {"image": [b"hi", b"y"]}
    assert tensors({"inputs": {"image": [{"b64": "aGk="}]}}, IMAGE) == {"image": [b"hi"]}


def test_the_answer_has_the_requests_own_format():
    outputs = {"x": np.array([1, 2], np.float32)}
    assert json.loads(protocol.answer({"instances": []}, outputs)) == {"predictions": [1.0, 2.0]}
    assert json.loads(protocol.answer({"inputs": []}, outputs)) == {"outputs": [1.0, 2.0]}


def test_several_outputs_are_named():
    outputs = {"x": np.array([1, 2], np.float32), "y": np.array([[3], [4]], np.int32)}
    assert json.loads(protocol.answer({"instances": []}, outputs)) == {
        "predictions": [{"x": 1.0, "y": [3]}, {"x": 2.0, "y": [4]}]}
    assert json.loads(protocol.answer({"inputs": []}, outputs)) == {"outputs": {"x": [1.0, 2.0], "y": [[3], [4]]}}


def test_outputs_named_bytes_are_base64_and_other_strings_are_text():
    outputs = {"image_bytes": np.array([b"hi"], object), "label": np.array([b"cat"], object)}
    assert json.loads(protocol.answer({"instances": []}, outputs)) == {
        "predictions": [{"image_bytes": {"b64": "aGk="}, "label": "cat"}]}


@pytest.mark.parametrize(("body", "says"), [
    (b"", "not JSON"), (b"{", "not JSON"), (b"\xff\xfe", "not JSON"), (b"[1]", "got a list"), (b"null", "got null"),
    (b"{}", 'either "instances"'), (b'{"instances": [1], "inputs": [1]}', 'either "instances"'),
    (b'{"instances": 1}', "expected a list with one entry a row; got a number"),
    (b'{"instances": []}', "at least one row"), (b'{"inputs": []}', "at least one row"),
    (b'{"instances": [{"x": 1}, {"y": 1}]}', '"instances"[1]: expected an object with'),
    (b'{"instances": [{"b64": "!!"}]}', "base64"), (b'{"inputs": {"z": [1]}}', r"expected the inputs ['x']"),
])
def test_bad_requests_get_a_sentence(body, says):
    with pytest.raises(InvalidInput) as caught:
        protocol.tensors(protocol.parse(body), ONE)
    assert says in str(caught.value)


def test_unnamed_values_are_refused_where_there_are_several_inputs():
    with pytest.raises(InvalidInput, match="names the inputs"):
        protocol.tensors({"inputs": [1, 2]}, TWO)
