"""What a live panel costs the run that it shows: the p99 with a panel on against the p99 with none, and how many
messages a second leave the kernel for it.

In a real kernel, as in a notebook: the chatbot's model behind a `Batcher`, an open loop of one-row requests. Each round
has two turns without a panel and one with each panel, in an order that is shuffled anew. The latencies of all turns
with the same panel are put together, and their p99 is divided by that of all turns without one; the two rows without a
panel show how far chance alone goes. The messages are counted outside the kernel, where a browser would get them.

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

NONE, AGAIN = "no panel", "no panel, again"
BATCHER_VIEWS = ("gathering", "latency", "sizes")
CONTENDERS = (NONE, AGAIN, *BATCHER_VIEWS, "gathering, 15 pictures/s", "tree of 50 actors")
ROWS = 256

Turn = dict[str, Any]

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
        """A new batcher and, running and shown on the page, the panel that is named, if any."""
        from asyncpatterns import ActorSystem, Batcher

        self.batcher, self.system = Batcher(self.model), ActorSystem("audience")
        for _ in range(50):
            self.system.spawn(_idle)
        self.panel = _panel(contender, self.batcher, self.system)

    async def turn(self, seed: int) -> Turn:
        """One measured run, in seconds. `cost` is the panel's own time for a picture."""
        from asyncpatterns.load import open_loop

        report = await open_loop(lambda n: self.batcher(self.items[n % ROWS]), rate=self.rate, duration=self.seconds,
                                 seed=seed)
        return {"latencies": [round(latency, 6) for latency in report.latencies], "void": report.void,
                "cost": self.panel.meter.cost if self.panel else 0.0}

    async def close(self) -> None:
        if self.panel is not None:
            self.panel.close()
        await self.batcher.drain()
        await self.system.shutdown()


def _idle(message: Any) -> None:
    pass


def _panel(contender: str, batcher: Any, system: Any) -> Any:
    """The panel, running and shown on the page, or None."""
    from IPython.display import display

    from asyncpatterns.live import batcher_panel, tree_panel

    if contender in (NONE, AGAIN):
        return None
    view, _, quick = contender.partition(",")
    panel = batcher_panel(batcher, view) if view in BATCHER_VIEWS else tree_panel(system)
    if quick:
        panel.frames_per_second = 15.0
    display(panel)
    return panel.start()


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
        messages, state = 0, "waits"
        while state != "idle":
            message = self.client.get_iopub_msg(timeout=max(end - time.monotonic(), 0.1))
            if message["msg_type"] == "status" and message["parent_header"].get("msg_id") == cell:
                state = message["content"]["execution_state"]
            messages += state == "busy" and message["msg_type"] == "comm_msg"
        return messages


def measure(rounds: int, rate: float, seconds: float) -> dict[str, list[Turn]]:
    """Contender → its turns, one for each round."""
    found: dict[str, list[Turn]] = {name: [] for name in CONTENDERS}
    draw = random.Random(0)
    with Kernel() as kernel:
        kernel.run(f"import json\nfrom benchmarks.panels import Bench\nbench = Bench({rate!r}, {seconds!r})")
        one_turn(kernel, "gathering", 0)       # warms up
        for number in range(rounds):
            for name in draw.sample(CONTENDERS, len(CONTENDERS)):
                turn, messages = one_turn(kernel, name, number)
                found[name].append({**turn, "messages": messages / seconds})
    return found


def one_turn(kernel: Kernel, name: str, seed: int) -> tuple[Turn, int]:
    """What was measured, and how many messages left the kernel meanwhile; those of opening and closing do not count."""
    kernel.run(f"await bench.open({name!r})")
    try:
        return kernel.run(f"result = await bench.turn({seed})")
    finally:
        kernel.run("await bench.close()")


def together(turns: list[Turn], share: float) -> float:
    """A quantile of the latencies of all these turns."""
    latencies = sorted(latency for turn in turns for latency in turn["latencies"])
    return float(latencies[int(share * len(latencies))])


def table(found: dict[str, list[Turn]]) -> str:
    bare = found[NONE] + found[AGAIN]
    lines = [f"{'':28}{'answers':>8}{'p50 ms':>8}{'p99 ms':>8}{'× p50':>7}{'× p99':>7}"
             f"{'messages/s':>12}{'most':>6}{'ms a picture':>14}"]
    for name, turns in found.items():
        p50, p99 = together(turns, 0.50), together(turns, 0.99)
        lines.append(
            f"{name:28}{sum(len(turn['latencies']) for turn in turns):>8,}{1e3 * p50:>8.2f}{1e3 * p99:>8.2f}"
            f"{p50 / together(bare, 0.50):>7.2f}{p99 / together(bare, 0.99):>7.2f}"
            f"{_median(turns, 'messages'):>12.1f}{max(turn['messages'] for turn in turns):>6.1f}"
            f"{1e3 * _median(turns, 'cost'):>14.2f}")
    return "\n".join(lines)


def _median(turns: list[Turn], of: str) -> float:
    return statistics.median(turn[of] for turn in turns)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks panels", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--rate", type=float, default=500.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    options = parser.parse_args()
    found = measure(options.rounds, options.rate, options.seconds)
    print(f"{options.rounds} rounds of {options.seconds:g} s each at {options.rate:g} requests/s, open loop")
    print(table(found))
    void = sum(bool(turn["void"]) for turns in found.values() for turn in turns)
    print(f"void turns (the generator was late): {void} of {sum(map(len, found.values()))}")
    Path("results").mkdir(exist_ok=True)
    facts = {"python": platform.python_version(), "cores": os.cpu_count(), **vars(options), "turns": found}
    Path("results/panels.json").write_text(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    main()
