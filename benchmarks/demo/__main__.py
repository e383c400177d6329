"""`python -m benchmarks.demo`: starts each deployment, loads all alike, prints a table, draws a picture."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from tqdm import tqdm

from . import requests
from .drive import drive
from .ladder import Ladder, table
from .picture import draw

RESULTS = Path("results")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each run (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the arrival schedules (default: %(default)s)")
    parser.add_argument("--rates", type=float, nargs="+", default=[10, 100, 400, 1000, 2000, 4000, 6000],
                        help="offered requests per second, rising (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for demo.png and demo.json")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    print("Asking the model directly, so that every reply can be checked ...", flush=True)
    exam = requests.prepare(seed=options.seed)
    with tqdm(total=1, bar_format="{desc:<46}{percentage:3.0f}%|{bar}| {elapsed}", leave=False) as bar:
        try:
            ladder = asyncio.run(drive(exam, options.rates, options.seconds, options.seed, bar))
        except KeyboardInterrupt:
            bar.close()
            print("Stopped; every server that was started has been stopped too.")
            return 130
    return report(ladder, options.results)


def report(ladder: Ladder, folder: Path) -> int:
    """Prints the table, writes the picture and the figures; 1 when an answer was wrong, else 0."""
    print(table(ladder))
    folder.mkdir(parents=True, exist_ok=True)
    draw(ladder, folder / "demo.png")
    (folder / "demo.json").write_text(json.dumps(ladder.to_json(), indent=1))
    print(f"\n{ladder.finding()}\nPicture: {folder / 'demo.png'}   figures: {folder / 'demo.json'}")
    if ladder.wrong:
        print(f"\n{len(ladder.wrong)} WRONG ANSWERS, the first:", *ladder.wrong[:5], sep="\n  ")
        return 1
    checked = sum(step.checked for step in ladder.steps)
    print(f"{checked:,} replies checked against a direct call of the model: all right.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
