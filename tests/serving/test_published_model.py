"""A SavedModel that nobody here trained: basic-pitch's, from its package (Keras 2, optimizer slots, three outputs).

    pip download --no-deps --dest ~/.cache/asyncpatterns/models basic-pitch==0.4.0

fetches it (0.8 MB); without it this test says so and is skipped, because the package's own dependencies are many.
"""

import asyncio
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from asyncpatterns.serving import ServingApp, deploy, import_tensorflow

from .fakes import call

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asyncpatterns" / "models"
INSIDE = "basic_pitch/saved_models/icassp_2022/nmp/"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    wheels = sorted(CACHE.glob("basic_pitch-*.whl"))
    if not wheels:
        pytest.skip(f"no basic_pitch wheel in {CACHE}: pip download --no-deps --dest {CACHE} basic-pitch==0.4.0")
    place = tmp_path_factory.mktemp("basic_pitch")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        wheel.extractall(place, [name for name in wheel.namelist() if name.startswith(INSIDE)])
    return place / INSIDE


def directly(folder, x):
    """The model's outputs by TensorFlow's own means."""
    tf = import_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(folder))
        signature = meta.signature_def["serving_default"]
        [feed] = signature.inputs.values()
        return session.run({name: info.name for name, info in signature.outputs.items()}, {feed.name: x})


def test_it_answers_as_a_direct_call_does(folder):
    x = np.random.default_rng(0).normal(size=(3, 43844, 1)).astype(np.float32)

    async def main():
        app = ServingApp(deploy(folder, name="pitch", max_batch_size=4), max_body=10_000_000)
        async with app:
            return await asyncio.gather(*(
                call(app, "POST", "/v1/models/pitch:predict", json.dumps({"instances": [row.tolist()]}).encode())
                for row in x))
    replies, direct = asyncio.run(main()), directly(folder, x)
    assert sorted(direct) == ["contour", "note", "onset"]
    for row, (status, _, answer) in enumerate(replies):
        assert status == 200
        for name, values in direct.items():
            assert np.allclose(answer["predictions"][0][name], values[row], atol=1e-5), name


def test_todays_loader_refuses_it_for_its_optimizers_slots(folder):
    with pytest.raises(AttributeError, match="add_slot"):
        import_tensorflow().saved_model.load(str(folder))
