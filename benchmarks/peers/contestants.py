"""Who is measured: how each is installed, started and asked. Each is set up as its documentation advises for speed."""

from __future__ import annotations

from dataclasses import dataclass, field

PREDICT = "/v1/models/intent:predict"
INSTANCES = '{"instances": [%s]}'


@dataclass(frozen=True)
class Contestant:
    """`packages`: what its environment has beside TensorFlow; `arguments`: of its Python, `{port}` filled in;
    `body`: the request, with the row's JSON in the place of %s."""

    key: str
    title: str
    arguments: tuple[str, ...]
    packages: tuple[str, ...] = ()
    path: str = PREDICT
    body: str = INSTANCES
    environment: dict[str, str] = field(default_factory=dict)
    home: str = ""                  # the environment it shares with another contestant

    @property
    def place(self) -> str:
        return self.home or self.key

    def request(self, row: str) -> str:
        return self.body % row


def _script(name: str) -> tuple[str, ...]:
    return ("-m", f"benchmarks.peers.servers.{name}", "{port}")


GUNICORN = ("-m", "gunicorn", "--workers", "2", "--threads", "4", "--bind", "127.0.0.1:{port}", "--log-level", "error",
            "benchmarks.peers.servers.flask:app")
UVICORN = ("-m", "uvicorn", "--factory", "--workers", "2", "--port", "{port}", "--log-level", "error",
           "--no-access-log", "benchmarks.peers.servers.fastapi:app")
OURS = ("-m", "asyncpatterns.serving", "asyncpatterns/chatbot/models/intent", "--port", "{port}")
RAY = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_USAGE_STATS_ENABLED": "0"}
TRITON = '{"inputs": [{"name": "tokens", "shape": [1, 24], "datatype": "INT32", "data": %s}]}'

CONTESTANTS = {each.key: each for each in (
    Contestant("flask-predict", "Flask, gunicorn × 2, `model.predict`", GUNICORN, ("flask", "gunicorn"),
               environment={"PEERS_CALL": "predict"}, home="flask"),
    Contestant("flask", "Flask, gunicorn × 2, compiled", GUNICORN, ("flask", "gunicorn")),
    Contestant("fastapi", "FastAPI, uvicorn × 2, compiled", UVICORN),
    Contestant("rayserve", "Ray Serve, HAProxy, `@serve.batch`", _script("rayserve"), ("ray[serve]",), path="/",
               environment=RAY | {"RAY_SERVE_ENABLE_HA_PROXY": "1"}),
    Contestant("bentoml", "BentoML, batchable, 2 workers", _script("bento"), ("bentoml",), path="/predict",
               body='{"tokens": [%s]}'),
    Contestant("litserve", "LitServe, batches of 64", _script("lit"), ("litserve",), path="/predict"),
    Contestant("pytriton", "PyTriton, dynamic batcher", _script("triton"), ("nvidia-pytriton",),
               path="/v2/models/intent/infer", body=TRITON),
    Contestant("mosec", "Mosec, 2 workers, 1 TensorFlow thread each", _script("mosec"), ("mosec",), path="/inference"),
    Contestant("mosec-1", "Mosec, 1 worker, 1 TensorFlow thread", _script("mosec"), ("mosec",), path="/inference",
               environment={"PEERS_WORKERS": "1"}, home="mosec"),
    Contestant("uvicorn", "ours behind uvicorn", (*OURS, "--server", "uvicorn")),
    Contestant("ours", "ours", OURS),
)}
