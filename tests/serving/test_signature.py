"""Bad input is refused with a sentence before it can share a batch; good input becomes exactly the model's arrays."""

import numpy as np
import pytest

from asyncpatterns.serving import InvalidInput, Signature, TensorSpec

TOKENS = TensorSpec("tokens", np.dtype("int32"), (None, 4))
SCORES = TensorSpec("scores", np.dtype("float32"), (None, 2))
TEXT = TensorSpec("text", np.dtype(object), (None,))
FLAG = TensorSpec("flag", np.dtype(bool), (None,))


def test_nested_lists_become_arrays_of_the_models_type():
    array = TOKENS.check([[1, 2, 3, 4]])
    assert array.dtype == np.int32 and array.tolist() == [[1, 2, 3, 4]]


def test_an_array_of_the_right_type_is_passed_on_as_it_is():
    array = np.zeros((2, 4), np.int32)
    assert TOKENS.check(array) is array


def test_integers_may_become_floats():
    assert SCORES.check([[1, 2]]).dtype == np.float32


def test_strings_become_bytes():
    assert TEXT.check(["a", b"\xff"]).tolist() == [b"a", b"\xff"]


@pytest.mark.parametrize(("spec", "value", "what_came"), [
    (TOKENS, [[1, 2]], "the shape [1, 2]"),
    (TOKENS, [1, 2, 3, 4], "the shape [4]"),
    (TOKENS, 7, "the shape []"),
    (TOKENS, [[1, 2, 3, 4], [1]], "rows of different lengths"),
    (TOKENS, [["a", "b", "c", "d"]], "strings"),
    (TOKENS, [[1, None, 3, 4]], "null"),
    (TOKENS, [[1.5, 2, 3, 4]], "numbers with a fraction"),
    (TOKENS, [[True, False, True, True]], "booleans"),
    (TOKENS, [[2 ** 31, 0, 0, 0]], "a number that int32 cannot hold"),
    (TOKENS, [[2 ** 70, 0, 0, 0]], "a number"),
    (TOKENS, [[{"a": 1}, 0, 0, 0]], "a dict"),
    (TOKENS, [[2 ** 63, 0, 0, 0]], "too large"),
    (TEXT, [1, 2], "got a number among the strings"),
    (TEXT, ["a", None], "got null among the strings"),
    (TEXT, ["a", True], "got a boolean among the strings"),
    (TEXT, ["a", {"b": 1}], "got a dict among the strings"),
    (TEXT, [["a"], "b"], "different lengths"),
    (FLAG, [1, 0], "int64"),
])
def test_the_error_names_the_input_what_came_and_what_was_expected(spec, value, what_came):
    with pytest.raises(InvalidInput) as caught:
        spec.check(value)
    text = str(caught.value)
    assert f"input {spec.name!r}: expected" in text and what_came in text


def test_inputs_must_be_exactly_those_of_the_signature():
    both = Signature("serving_default", {"tokens": TOKENS, "scores": SCORES}, {})
    for tensors in ({"tokens": [[1, 2, 3, 4]]}, {"tokens": [[1, 2, 3, 4]], "scores": [[1, 2]], "more": [1]}):
        with pytest.raises(InvalidInput, match=r"expected the inputs \['scores', 'tokens'\]"):
            both.check(tensors)


def test_every_input_must_have_the_same_number_of_rows_and_at_least_one():
    both = Signature("serving_default", {"tokens": TOKENS, "scores": SCORES}, {})
    with pytest.raises(InvalidInput, match="same number of rows"):
        both.check({"tokens": [[1, 2, 3, 4]], "scores": [[1, 2], [3, 4]]})
    with pytest.raises(InvalidInput, match="at least one row"):
        both.check({"tokens": np.zeros((0, 4), np.int32), "scores": np.zeros((0, 2), np.float32)})


def test_what_a_seeded_fuzzer_invents_is_accepted_or_refused_but_never_breaks():
    random = np.random.default_rng(0)
    leaves = [0, 1, -5, 2 ** 40, 1.5, 1e300, True, None, "x", "", b"y", {}, {"b64": "eA=="}, [], [[]]]

    def invent(depth):
        if depth == 0 or random.random() < 0.2:
            return leaves[random.integers(len(leaves))]
        return [invent(depth - 1) for _ in range(random.integers(5))]

    for _ in range(3000):
        for spec in (TOKENS, SCORES, TEXT, FLAG):
            try:
                array = spec.check(invent(3))
            except InvalidInput:
                continue
            assert array.dtype == spec.dtype and array.ndim == len(spec.shape)


@pytest.mark.parametrize("wanted", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_exactly_the_integers_that_a_type_has_are_let_in(wanted):
    spec, limits = TensorSpec("x", np.dtype(wanted), (None,)), np.iinfo(wanted)
    for number in (limits.min, limits.max):
        assert spec.check([number]).tolist() == [number]
    for number in {limits.min - 1, limits.max + 1, -1, 2 ** 32 + 5, 2 ** 63}:
        if not limits.min <= number <= limits.max:
            with pytest.raises(InvalidInput):
                spec.check([number])
