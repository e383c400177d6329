"""BentoML: a batchable method, two workers; without the access log and the metrics, which cost each request."""

import os
import subprocess
import sys

import bentoml
import numpy as np

from .model import load, rows


@bentoml.service(workers=2, traffic={"max_concurrency": 10_000, "timeout": 60}, metrics={"enabled": False},
                 logging={"access": {"enabled": False}})
class Intent:
    def __init__(self):
        self.model = load()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, tokens: list) -> list:
        outputs = self.model(np.array(tokens, np.int32))
        return rows({name: array.tolist() for name, array in outputs.items()})


if __name__ == "__main__":
    sys.exit(subprocess.run([sys.executable, "-m", "bentoml", "serve", "benchmarks.peers.servers.bento:Intent",
                             "--port", sys.argv[1], "--host", "127.0.0.1"],
                            env={**os.environ, "BENTOML_DO_NOT_TRACK": "True"}).returncode)
