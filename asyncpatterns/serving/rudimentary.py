"""The rudimentary deployments: what a tutorial tells you, and the rung above it.

`predict_app` is the tutorial: a web application that calls `model.predict` for each request. `compiled_app` is what
one learns next: the same application over a compiled function. Both are written as well as such an application can be
without batching: validated input, a thread for each running call so that the server stays responsive, warmed up, and
shielded from the garbage collector. Their route and their JSON are those of the batched deployment.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from .errors import InvalidInput
from .quiet import import_tensorflow
from .tensorflow_model import TensorFlowModel

Row = Annotated[list[int], Field(min_length=24, max_length=24)]


class PredictRequest(BaseModel):
    instances: Annotated[list[Row], Field(min_length=1, max_length=1024)]


def predict_app(keras_file: str | os.PathLike[str], *, name: str = "intent") -> FastAPI:
    """One `model.predict` a request, as in most tutorials."""
    import_tensorflow()
    import keras

    model = keras.models.load_model(keras_file)

    def answer(tokens: np.ndarray) -> dict[str, np.ndarray]:
        return model.predict(tokens, verbose=0)

    return _app(name, answer)


def compiled_app(model_dir: str | os.PathLike[str], *, name: str = "intent", threads: int = 1) -> FastAPI:
    """One call of the compiled graph a request: the same callable that the batched deployment uses."""
    model = TensorFlowModel(model_dir, threads=threads)
    input_name = next(iter(model.signature.inputs))

    def answer(tokens: np.ndarray) -> dict[str, np.ndarray]:
        return model.run({input_name: tokens})

    app = _app(name, answer)
    model.warm_up(sizes=(1,))
    return app


def _app(name: str, answer: Callable[[np.ndarray], dict[str, np.ndarray]]) -> FastAPI:
    app = FastAPI(title=f"{name}: one request, one call of the model")
    answer(np.zeros((1, 24), np.int32))

    @app.post(f"/v1/models/{name}:predict")
    def predict(request: PredictRequest) -> dict[str, Any]:          # a plain def: FastAPI gives it a thread
        try:
            outputs = answer(np.array(request.instances, np.int32))
        except (OverflowError, InvalidInput) as error:
            raise HTTPException(400, str(error)) from None
        columns = {key: array.tolist() for key, array in outputs.items()}
        return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}

    return app


def main(arguments: Sequence[str] | None = None) -> int:
    from .server import add_address_options, serve

    parser = argparse.ArgumentParser(prog="python -m asyncpatterns.serving.rudimentary", description=__doc__)
    parser.add_argument("model", help="a .keras file (model.predict) or a SavedModel (compiled function)")
    add_address_options(parser)
    options = parser.parse_args(arguments)
    by_predict = options.model.endswith(".keras")
    app = (predict_app if by_predict else compiled_app)(options.model, name=options.name)
    how = "model.predict for each request" if by_predict else "a compiled function for each request"
    return serve(app, options, how)


if __name__ == "__main__":
    sys.exit(main())
