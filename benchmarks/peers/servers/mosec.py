"""Mosec: a front end in Rust, and processes for the model that take what waits, up to 64 at once."""

import os
import sys

import mosec
import numpy as np
import orjson

from .model import load, rows


class Intent(mosec.Worker):
    def __init__(self):
        super().__init__()
        self.model = load()

    def deserialize(self, data):
        return orjson.loads(data)["instances"]

    def serialize(self, data):
        return orjson.dumps({"predictions": [data]}, option=orjson.OPT_SERIALIZE_NUMPY)

    def forward(self, data):
        return rows(self.model(np.array(data, np.int32).reshape(-1, 24)))


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "--address", "127.0.0.1", "--port", sys.argv[1], "--log-level", "error"]
    server = mosec.Server()
    server.append_worker(Intent, num=int(os.environ.get("PEERS_WORKERS", "2")), max_batch_size=64, max_wait_time=0)
    server.run()
