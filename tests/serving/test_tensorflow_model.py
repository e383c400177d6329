"""Any SavedModel answers through the batch as it answers a direct call."""

import numpy as np
import pytest

from asyncpatterns.serving import InvalidInput, TensorFlowModel, UnknownName, import_tensorflow, latest_version, rows_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    """Two inputs, two outputs, strings, an embedding that can be missed, and a second signature."""
    tf = import_tensorflow()

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = tf.Variable(np.arange(30, dtype=np.float32).reshape(10, 3))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "index"),
                                      tf.TensorSpec([None], tf.string, "text")])
        def look_up(self, index, text):
            return {"row": tf.gather(self.table, index), "shout": tf.strings.upper(text)}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def double(self, x):
            return {"twice": 2 * x}

    module, folder = Module(), tmp_path_factory.mktemp("models")
    signatures = {"serving_default": module.look_up, "double": module.double}
    for version in (2, 10):
        tf.saved_model.save(module, str(folder / str(version)), signatures)
    return folder


@pytest.fixture(scope="module")
def model(model_dir):
    model = TensorFlowModel(model_dir)
    yield model
    model.close()


def item(*indexes):
    return {"index": np.array(indexes, np.int32), "text": np.array([b"t%d" % index for index in indexes], object)}


def test_the_newest_version_is_loaded_by_number_not_by_name(model_dir, model):
    assert model.version == 10 and latest_version(model_dir)[0] == 10
    assert latest_version(model_dir / "2") == (1, model_dir / "2")


def test_a_folder_without_a_model_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected saved_model\.pb"):
        TensorFlowModel(tmp_path)


def test_a_batch_answers_each_request_with_its_own_rows_in_order(model):
    answers = model([item(1), item(2, 3), item(9)])
    assert [answer["row"][:, 0].tolist() for answer in answers] == [[3], [6, 9], [27]]
    assert [answer["shout"].tolist() for answer in answers] == [[b"T1"], [b"T2", b"T3"], [b"T9"]]
    assert [rows_of(request) for request in (item(1), item(2, 3))] == [1, 2]


def test_a_value_that_the_model_itself_refuses_is_invalid_input(model):
    with pytest.raises(InvalidInput, match=r"indices\[0\] = 99 is not in"):
        model([item(99)])


def test_the_signature_is_read_from_the_model(model):
    assert str(model.signature) == "index int32[?], text string[?] → row float32[?,3], shout string[?]"
    assert sorted(model.signatures) == ["double", "serving_default"]
    with pytest.raises(UnknownName, match=r"no signature 'x'; this model has \['double', 'serving_default'\]"):
        model.find_signature("x")


def test_another_signature_shares_the_loaded_model(model):
    double = model.with_signature("double")
    assert double.run({"x": np.array([[1, 2]], np.float32)})["twice"].tolist() == [[2, 4]]
    assert model([item(1)])[0]["row"].tolist() == [[3, 4, 5]]


def test_warming_up_runs_every_size_even_with_strings(model):
    model.warm_up(sizes=(1, 3))


def test_metadata_has_tensorflow_servings_form(model):
    entry = model.metadata()["serving_default"]["inputs"]["index"]
    assert entry["dtype"] == "DT_INT32" and entry["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]


def test_several_threads_may_call_it_at_once(model):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(model, [[item(n % 10)] for n in range(200)])
        assert [answer[0]["row"][0, 0] for answer in answers] == [n % 10 * 3 for n in range(200)]


def test_a_model_that_only_tensorflow_2_can_restore_is_served_too(tmp_path):
    tf = import_tensorflow()
    import keras

    network = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(3)])
    module = tf.Module()
    module.network = network
    serve = tf.function(lambda x: {"y": network(x)}, input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": serve})
    rows = np.array([[1, 2], [3, 4]], np.float32)
    model = TensorFlowModel(tmp_path)
    assert np.allclose(model.run({"x": rows})["y"], network(rows).numpy(), atol=1e-6)
    model.close()
