"""What a live panel costs the run that it shows: the p99 with the panel on against the p99 with the panel off, and how
many messages a second leave the kernel for it.

In a real kernel, as in a notebook: the chatbot's model behind a `Batcher`, an open loop of one-row requests. The speed
of a machine drifts within seconds by more than a panel costs, so each panel is compared with its own absence right
before or after: stretches of a second come in pairs, one with the panel on and one with it off, in random order, with
the same seed. The latencies of all stretches with a panel on are put together, and so are those with it off; the ratio
of the two p99 is what the panel costs. A row without a panel, whose two kinds of stretches do not differ, shows how far
chance alone goes. The messages are counted outside the kernel, where a browser would get them.

    python -m benchmarks panels
"""

import argparse
import json
import os
import platform
import random
import statistics
import time
from pathlib import Path
from typing import Any

import numpy

NONE = "no panel"
BATCHER_VIEWS = ("gathering", "latency", "sizes")
CONTENDERS = (NONE, *BATCHER_VIEWS, "gathering, 15 pictures/s", "tree of 50 actors")
ROWS = 256
PAIRS = 2       # for each panel in a round
RESAMPLES = 400

Stretch = dict[str, Any]
Pair = dict[str, Stretch]

# --- inside the kernel ---


class Bench:
    """The model, and one turn after another on it. Lives in the kernel."""

    def __init__(self, rate: float, seconds: float) -> None:
        from asyncpatterns.chatbot import MODEL_DIR, encode, sample_requests
        from asyncpatterns.serving import TensorFlowModel

        self.rate, self.seconds = rate, seconds
        self.model = TensorFlowModel(MODEL_DIR)
        self.model.warm_up()
        self.items = [{"tokens": row[None]} for row in encode(sample_requests(ROWS))]

    async def open(self, contender: str) -> None:
        """A new batcher and, shown on the page, the panel that is named, if any."""
        from asyncpatterns import ActorSystem, Batcher

        self.batcher, self.system = Batcher(self.model), ActorSystem("audience")
        self.actors = [self.system.spawn(_nod) for _ in range(50)]
        self.panel = _panel(contender, self.batcher, self.system)

    async def switch(self, on: bool) -> None:
        """The panel runs from now on, or does not."""
        if self.panel is not None and on:
            self.panel.start()
        elif self.panel is not None:
            self.panel.stop()
            await self.panel.wait()

    async def stretch(self, seed: int) -> Stretch:
        """One measured run, in seconds. `cost` is the panel's own time for a picture."""
        from asyncpatterns.load import open_loop

        report = await open_loop(self.request, rate=self.rate, duration=self.seconds, seed=seed)
        return {"latencies": [round(latency, 6) for latency in report.latencies], "void": report.void,
                "cost": self.panel.meter.cost if self.panel else 0.0}

    def request(self, number: int) -> Any:
        """A row for the model, and a message for an actor, so that no two pictures of the tree are alike."""
        self.actors[number % len(self.actors)].tell(number)
        return self.batcher(self.items[number % ROWS])

    async def close(self) -> None:
        if self.panel is not None:
            self.panel.close()
        await self.batcher.drain()
        await self.system.shutdown()


def _nod(message: Any) -> None:
    pass


def _panel(contender: str, batcher: Any, system: Any) -> Any:
    """The panel, shown on the page, or None."""
    from IPython.display import display

    from asyncpatterns.live import batcher_panel, tree_panel

    if contender == NONE:
        return None
    view, _, quick = contender.partition(",")
    panel = batcher_panel(batcher, view) if view in BATCHER_VIEWS else tree_panel(system)
    if quick:
        panel.frames_per_second = 15.0
    display(panel)
    return panel


# --- outside ---


class Kernel:
    """A kernel of its own, and the messages that leave it."""

    def __enter__(self) -> "Kernel":
        from jupyter_client.manager import start_new_kernel

        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        self.manager, self.client = start_new_kernel(env=environment)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str, timeout: float = 120) -> tuple[Any, int]:
        """Runs a cell; gives what it left in `result`, and how many widget messages left the kernel meanwhile."""
        cell = self.client.execute("result = None\n" + code, user_expressions={"result": "json.dumps(result)"})
        messages = self._until_idle(cell, time.monotonic() + timeout)
        while (reply := self.client.get_shell_msg(timeout=10))["parent_header"].get("msg_id") != cell:
            pass
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{reply['content']['ename']}: {reply['content']['evalue']}")
        return json.loads(eval(reply["content"]["user_expressions"]["result"]["data"]["text/plain"])), messages

    def _until_idle(self, cell: str, end: float) -> int:
        """Looks at the headers only: whoever reads whole messages takes a core from the kernel while it measures."""
        messages, state, socket = 0, "waits", self.client.iopub_channel.socket
        while state != "idle":
            if not socket.poll(1e3 * max(end - time.monotonic(), 0.1)):
                raise TimeoutError(f"the kernel has not ended its cell {cell}")
            parts = socket.recv_multipart()
            header, parent, _, content = parts[parts.index(b"<IDS|MSG>") + 2:][:4]
            kind = json.loads(header)["msg_type"]
            if kind == "status" and json.loads(parent).get("msg_id") == cell:
                state = json.loads(content)["execution_state"]
            messages += state == "busy" and kind == "comm_msg"
        return messages


def measure(rounds: int, rate: float, seconds: float, seed: int) -> dict[str, list[Pair]]:
    """Contender → its pairs of stretches, `PAIRS` for each round."""
    found: dict[str, list[Pair]] = {name: [] for name in CONTENDERS}
    draw = random.Random(seed)
    with Kernel() as kernel:
        kernel.run(f"import json\nfrom benchmarks.panels import Bench\nbench = Bench({rate!r}, {seconds!r})")
        pairs(kernel, "gathering", draw)       # warms up
        for _ in range(rounds):
            for name in draw.sample(CONTENDERS, len(CONTENDERS)):
                found[name] += pairs(kernel, name, draw)
    return found


def pairs(kernel: Kernel, name: str, draw: random.Random) -> list[Pair]:
    kernel.run(f"await bench.open({name!r})")
    try:
        return [one_pair(kernel, draw) for _ in range(PAIRS)]
    finally:
        kernel.run("await bench.close()")


def one_pair(kernel: Kernel, draw: random.Random) -> Pair:
    seed, pair = draw.randrange(10**6), {}
    for kind in draw.sample(["on", "off"], 2):
        kernel.run(f"await bench.switch({kind == 'on'})")
        stretch, messages = kernel.run(f"result = await bench.stretch({seed})")
        pair[kind] = {**stretch, "messages": messages}
    return pair


def quantile(stretches: list[Stretch], share: float) -> float:
    """A quantile of the latencies of all these stretches."""
    latencies = numpy.concatenate([stretch["latencies"] for stretch in stretches])
    return float(numpy.sort(latencies)[int(share * len(latencies))])


def ratio(of: list[Pair], share: float) -> float:
    return quantile([pair["on"] for pair in of], share) / quantile([pair["off"] for pair in of], share)


def spread(of: list[Pair], share: float) -> tuple[float, float]:
    """Where nine tenths of the ratios lie if the pairs are drawn anew out of themselves."""
    draw = random.Random(0)
    ratios = sorted(ratio(draw.choices(of, k=len(of)), share) for _ in range(RESAMPLES))
    return ratios[RESAMPLES // 20], ratios[-RESAMPLES // 20]


def table(found: dict[str, list[Pair]], seconds: float) -> str:
    lines = [f"{'':26}{'pairs':>6}{'void':>5}{'p50 off':>9}{'on, ms':>8}{'×':>6}{'p99 off':>9}{'on, ms':>8}{'×':>6}"
             f"{'90 % within':>14}{'messages/s':>12}{'ms a picture':>14}"]
    for name, every in found.items():
        sound = [pair for pair in every if not pair["on"]["void"] and not pair["off"]["void"]]
        on, off = [pair["on"] for pair in sound], [pair["off"] for pair in sound]
        low, high = spread(sound, 0.99)
        lines.append(
            f"{name:26}{len(sound):>6}{len(every) - len(sound):>5}"
            f"{1e3 * quantile(off, 0.50):>9.2f}{1e3 * quantile(on, 0.50):>8.2f}{ratio(sound, 0.50):>6.2f}"
            f"{1e3 * quantile(off, 0.99):>9.2f}{1e3 * quantile(on, 0.99):>8.2f}{ratio(sound, 0.99):>6.2f}"
            f"{f'{low:.2f}–{high:.2f}':>14}{max(each['messages'] for each in on) / seconds:>12.1f}"
            f"{1e3 * statistics.median(each['cost'] for each in on):>14.2f}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks panels", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rate", type=float, default=500.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each stretch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--together", nargs="*", default=[], help="results of earlier runs, shown with this one's")
    options = parser.parse_args()
    found = measure(options.rounds, options.rate, options.seconds, options.seed)
    Path("results").mkdir(exist_ok=True)
    facts = {"python": platform.python_version(), "cores": os.cpu_count(), **vars(options), "pairs": found}
    Path("results/panels.json").write_text(json.dumps(facts, indent=1))
    for earlier in options.together:
        for name, more in json.loads(Path(earlier).read_text())["pairs"].items():
            found[name] += more
    print(f"stretches of {options.seconds:g} s at {options.rate:g} requests/s, open loop; messages: the most")
    print(table(found, options.seconds))
    return 0


if __name__ == "__main__":
    main()
