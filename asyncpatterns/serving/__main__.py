"""`python -m asyncpatterns.serving MODEL_DIR`: a SavedModel behind a batcher, with TensorFlow Serving's REST API."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Any

from .app import ServingApp
from .loading import pick_threads, usable_cores
from .server import add_address_options, serve, serve_directly
from .versions import deploy


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m asyncpatterns.serving", description=__doc__)
    parser.add_argument("model_dir", help="a SavedModel, or a folder of numbered versions of one")
    add_address_options(parser)
    batching = parser.add_argument_group("batching")
    batching.add_argument("--max-batch-size", type=_whole,
                          help="rows in a batch (default: 64, or the largest of --sizes)")
    batching.add_argument("--max-queue", type=_whole, help="rows that may wait (default: 16 batches)")
    batching.add_argument("--slo", type=_promise, help="seconds in which every admitted request is to be answered")
    batching.add_argument("--linger", type=_seconds, default=0.0, help="seconds to wait for more (default: 0)")
    batching.add_argument("--sizes", type=_sizes, help="allowed batch sizes, as 1,2,4,8; others are padded up to them")
    batching.add_argument("--padding", type=float, help="value that fills up rows of different lengths; without it "
                                                        "they are refused, or run apart")
    batching.add_argument("--workers", type=_whole, help="batches that run at once (default: one a core; in each "
                                                         "replica on Ray: 1)")
    batching.add_argument("--threads", type=_whole, help="cores that one batch may use (default: the cores that the "
                                                         "workers leave, at least 1; on Ray: 1)")
    parser.add_argument("--poll", type=_seconds, default=2.0,
                        help="seconds between two looks for a new version (default: %(default)s); not on Ray")
    clients = parser.add_argument_group("clients")
    clients.add_argument("--max-body", type=_whole, default=4 * 1024 * 1024, help="bytes (default: %(default)s)")
    clients.add_argument("--max-connections", type=_whole, default=1024, help="at once (default: %(default)s)")
    clients.add_argument("--request-timeout", type=_seconds, default=10.0,
                         help="seconds from a request's first byte to its last (default: %(default)s)")
    clients.add_argument("--keep-alive", type=_seconds, default=75.0,
                         help="seconds that a connection may idle (default: %(default)s)")
    clients.add_argument("--server", choices=("own", "uvicorn"), default="own",
                         help="the HTTP server; uvicorn is slower and has no limit for slow clients")
    cluster = parser.add_argument_group("several machines (needs requirements-cluster.txt)")
    cluster.add_argument("--on", choices=("here", "ray"), default="here", help="ray: replicas on a Ray cluster, each "
                         "with a batcher; this process is the gateway in front of them")
    cluster.add_argument("--replicas", type=_whole, default=1, help="at least (default: %(default)s)")
    cluster.add_argument("--max-replicas", type=_whole, help="as many as the queue delay asks for, up to this number")
    cluster.add_argument("--target-delay", type=_seconds, default=0.05,
                         help="seconds that requests may wait before there are more replicas (default: %(default)s)")
    cluster.add_argument("--address", help="of the Ray cluster (default: the one on this machine, or a new one)")
    options = parser.parse_args(arguments)
    if options.max_batch_size is None:
        options.max_batch_size = options.sizes[-1] if options.sizes else 64
    elif options.sizes and options.max_batch_size < options.sizes[0]:
        parser.error(f"argument --max-batch-size: expected at least the smallest of --sizes, {options.sizes[0]}; "
                     f"got {options.max_batch_size}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    sys.setswitchinterval(0.0005)       # the loop gets the interpreter back from a model's thread 10 × sooner
    if options.on == "ray":
        return _serve_on_ray(options)
    workers, threads = pick_threads()
    batching = {"slo": options.slo, "linger": options.linger, "max_queue": options.max_queue, "sizes": options.sizes,
                "workers": options.workers or workers, "threads": options.threads or threads}
    print(f"{batching['workers']} batches at once, {batching['threads']} TensorFlow threads each, "
          f"on {usable_cores()} cores; loading {options.model_dir} ...", flush=True)
    try:
        app = ServingApp(deploy(options.model_dir, name=options.name, max_batch_size=options.max_batch_size,
                                poll=options.poll, padding=options.padding, **batching), max_body=options.max_body)
    except (FileNotFoundError, NotADirectoryError) as error:
        print(error)
        return 1
    return _serve(app, options)


def _serve_on_ray(options: argparse.Namespace) -> int:
    try:
        from .ray import main as on_ray

        app = on_ray(options, _each_replica(options))
    except (ImportError, ConnectionError, FileNotFoundError, NotADirectoryError) as error:
        print(error)
        return 1
    return _serve(app, options)


def _each_replica(options: argparse.Namespace) -> dict[str, Any]:
    """A replica takes one core, or as many as its batches with their threads do."""
    workers, threads = options.workers or 1, options.threads or 1
    return {"slo": options.slo, "linger": options.linger, "max_queue": options.max_queue, "sizes": options.sizes,
            "padding": options.padding, "workers": workers, "threads": threads, "cpus": workers * threads}


def _serve(app: ServingApp, options: argparse.Namespace) -> int:
    if options.server == "uvicorn":
        return serve(app, options, "a batched deployment behind uvicorn")
    from .http import Limits

    return serve_directly(app, options, Limits(max_connections=options.max_connections, keep_alive=options.keep_alive,
                                               request_timeout=options.request_timeout))


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on; got {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more; got {text}")
    return number


def _promise(text: str) -> float:
    if not (number := _seconds(text)):
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds; got {text}")
    return number


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({_whole(part) for part in text.split(",")}))


if __name__ == "__main__":
    sys.exit(main())
