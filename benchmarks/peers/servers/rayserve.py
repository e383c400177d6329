"""Ray Serve: HAProxy in front (see its environment), one replica a core, `@serve.batch` with batches of 64 that wait a
millisecond at most.
"""

import signal
import sys

import numpy as np
import orjson
import ray
from ray import serve
from starlette.responses import Response

from .model import load, rows


@serve.deployment(num_replicas=2, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.5})
class Intent:
    def __init__(self):
        self.model = load()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.001)
    async def predict(self, inputs):
        return rows(self.model(np.array(inputs, np.int32)))

    async def __call__(self, request):
        [tokens] = orjson.loads(await request.body())["instances"]
        answer = await self.predict(tokens)
        body = orjson.dumps({"predictions": [answer]}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(body, media_type="application/json")


if __name__ == "__main__":
    ray.init("local", num_cpus=2, include_dashboard=False, logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Intent.bind())
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    ray.shutdown()
