"""`python -m asyncpatterns.serving MODEL_DIR`: a SavedModel behind a batcher, with TensorFlow Serving's REST API."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .app import ServingApp
from .deployment import Deployment
from .server import add_address_options, serve
from .tensorflow_model import TensorFlowModel


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m asyncpatterns.serving", description=__doc__)
    parser.add_argument("model_dir", help="a SavedModel, or a folder of numbered versions of one")
    add_address_options(parser)
    parser.add_argument("--max-batch-size", type=int, default=64, help="rows in a batch (default: %(default)s)")
    parser.add_argument("--max-queue", type=int, help="rows that may wait (default: 16 batches)")
    parser.add_argument("--slo", type=float, help="seconds in which every admitted request is to be answered")
    parser.add_argument("--linger", type=float, default=0.0, help="seconds to wait for more (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="batches that run at once (default: one a core)")
    parser.add_argument("--threads", type=int, default=1, help="cores that one batch may use (default: %(default)s)")
    parser.add_argument("--max-body", type=int, default=4 * 1024 * 1024, help="bytes (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    sys.setswitchinterval(0.0005)       # the loop gets the interpreter back from a model's thread 10 × sooner
    try:
        model = TensorFlowModel(options.model_dir, threads=options.threads)
    except FileNotFoundError as error:
        print(error)
        return 1
    batching = {"slo": options.slo, "linger": options.linger, "max_queue": options.max_queue}
    if options.workers:
        batching["workers"] = options.workers
    deployment = Deployment(model, name=options.name, max_batch_size=options.max_batch_size, **batching)
    model.warm_up(_powers_of_two(options.max_batch_size))
    return serve(ServingApp(deployment, max_body=options.max_body), options, repr(deployment))


def _powers_of_two(limit: int) -> list[int]:
    return [*(2 ** power for power in range((limit - 1).bit_length())), limit]


if __name__ == "__main__":
    sys.exit(main())
