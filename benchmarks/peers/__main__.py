"""`python -m benchmarks.peers [NAME ...]`: each server in turn under the same load; a table, JSON and a picture.

`--install` makes the environments first, one for each peer, in a cache folder; peers without one are skipped by name.
`--add` joins the runs to those that the JSON file already has, so that a long measurement can be done in pieces.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path

from asyncpatterns.chatbot import encode, sample_requests

from .contestants import CONTESTANTS, Contestant
from .environments import cache, install, python_of
from .loads import closed, has_wrk, opened
from .report import CLOSED, OPEN, Runs, ahead, draw, save, table
from .running import NotServing, running

RESULTS = Path("results")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CONTESTANTS)} (default: all)")
    parser.add_argument("--install", action="store_true", help="make the environments that are missing")
    parser.add_argument("--envs", type=Path, default=cache(), help="where they are (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="interleaved (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for peers.json and peers.png")
    parser.add_argument("--add", action="store_true", help="to the runs that are in the results already")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(CONTESTANTS):
        parser.error(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(CONTESTANTS)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    there = [each for name in options.names or CONTESTANTS if (each := CONTESTANTS[name]) and _is_there(each, options)]
    if not has_wrk():
        print("wrk is not installed: the closed loops are driven from Python, which takes a part of the cores.")
    path = options.results / "peers.json"
    runs: Runs = json.loads(path.read_text())["peers"] if options.add and path.exists() else {}
    tokens = encode(sample_requests(1, seed=0))[0].tolist()
    for number in range(options.rounds):
        for contestant in there:
            print(f"round {number + 1}: {contestant.title} ...", flush=True)
            asyncio.run(measure(contestant, options, json.dumps(tokens), runs))
            save(runs, path)
    draw(runs, options.results / "peers.png")
    print(table(runs), *ahead(runs), sep="\n")
    return 0


def _is_there(contestant: Contestant, options: argparse.Namespace) -> bool:
    """Whether it can be started; installs it first where that is wanted, and says what is skipped."""
    if python_of(contestant, options.envs) is None and options.install:
        print(f"installing {' '.join(contestant.packages)} ...", flush=True)
        try:
            install(contestant, options.envs)
        except subprocess.CalledProcessError:
            print(f"skipped: {contestant.title}: its packages cannot be installed here")
            return False
    if python_of(contestant, options.envs) is None:
        print(f"skipped: {contestant.title}: not installed; --install does it")
        return False
    return True


async def measure(contestant: Contestant, options: argparse.Namespace, row: str, runs: Runs) -> None:
    """One round of one contestant, into `runs`."""
    run = runs.setdefault(contestant.key, {"memory": [], "results": []})
    python = python_of(contestant, options.envs)
    assert python is not None
    try:
        async with running(contestant, python, row) as server:
            await closed(server, row, 64, 2)                    # warms up the server's own machinery
            for connections in CLOSED:
                run["results"].append((await closed(server, row, connections, options.seconds)).to_json())
            for rate in OPEN:
                run["results"].append((await opened(server, row, rate, options.seconds)).to_json())
            run["memory"].append(server.memory())
        run.pop("failed", None)
    except NotServing as error:
        if not run["results"]:
            run["failed"] = str(error)
        print(f"{contestant.title} does not serve: {error}")


if __name__ == "__main__":
    sys.exit(main())
