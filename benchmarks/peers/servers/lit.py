"""LitServe: a process for HTTP, two for the model, batches of 64 that wait a millisecond at most."""

import sys

import litserve
import numpy as np
import orjson
from starlette.responses import Response

from .model import load, rows


class Intent(litserve.LitAPI):
    def setup(self, device):
        self.model = load()

    def decode_request(self, request):
        return request["instances"]

    def batch(self, inputs):
        return np.array(inputs, np.int32).reshape(-1, 24)

    def predict(self, tokens):
        return rows(self.model(tokens))

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        body = orjson.dumps({"predictions": [output]}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(body, media_type="application/json")


if __name__ == "__main__":
    api = Intent(max_batch_size=64, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", log_level="error", generate_client_file=False)
