"""Flask behind gunicorn, one call of the model a request; orjson in place of the slower standard module."""

import flask
import numpy as np
import orjson

from .model import load, rows

app, model = flask.Flask("peer"), load()


@app.post("/v1/models/intent:predict")
def predict():
    tokens = np.array(orjson.loads(flask.request.get_data())["instances"], np.int32)
    body = orjson.dumps({"predictions": rows(model(tokens))}, option=orjson.OPT_SERIALIZE_NUMPY)
    return flask.Response(body, mimetype="application/json")
