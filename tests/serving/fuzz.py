"""Malformed requests among good ones, from a seed. `python -m tests.serving.fuzz HOST PORT PATH [COUNT]` by hand.

Every good request must be answered right, no answer may be a 5xx but for overload, and nobody may hang.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

GOOD_PARALLEL, BAD_PARALLEL = 8, 24


@dataclass
class Outcome:
    good: int = 0
    wrong: list = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)      # of the malformed ones; None: closed without an answer
    kinds: Counter = field(default_factory=Counter)

    @property
    def server_errors(self):
        return {status: count for status, count in self.statuses.items() if status and status >= 500 and status != 503}


def value(draw, depth=4):
    """Some JSON value; now and then one that JSON has not."""
    leaves = [0, 1, -1, 2**31, 2**63, 2**64, 10**400, 1.5, 1e308, True, None, "x", "", "\u00e9\u4e16", {"b64": "!!"},
              {"b64": "eA=="}, {"b64": 7}, {}, [], [[]], float("nan"), float("inf")]
    if depth == 0 or draw.random() < 0.25:
        return draw.choice(leaves)
    if draw.random() < 0.75:
        return [value(draw, depth - 1) for _ in range(draw.choice([0, 1, 2, 24]))]
    return {draw.choice(["tokens", "b64", "x", "instances"]): value(draw, depth - 1) for _ in range(2)}


def body(draw, good):
    """A body that is not what the model expects, or hardly."""
    kind = draw.choice(["value", "cut", "flip", "deep", "keys", "signature", "bytes", "empty", "rows", "ragged"])
    if kind == "value":
        return kind, json.dumps({draw.choice(["instances", "inputs"]): value(draw)}).encode()
    if kind == "cut":
        return kind, good[:draw.randrange(len(good))]
    if kind == "flip":
        data = bytearray(good)
        for _ in range(draw.randint(1, 5)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        return kind, bytes(data)
    if kind == "deep":
        depth = draw.choice([40, 500, 5000])
        return kind, b'{"instances": ' + b"[" * depth + draw.choice([b"", b"NaN", b'{"b64": ""}']) + b"]" * depth + b"}"
    if kind == "keys":
        return kind, json.dumps({draw.choice(["instances", "input", "", "predictions"]): value(draw, 2),
                                 draw.choice(["inputs", "instances"]): value(draw, 2)}).encode()
    if kind == "signature":
        return kind, json.dumps({**json.loads(good), "signature_name": value(draw, 1)}).encode()
    if kind == "bytes":
        return kind, draw.randbytes(draw.randrange(200))
    if kind == "rows":
        return kind, json.dumps({"instances": json.loads(good)["instances"] * draw.choice([65, 300, 2000])}).encode()
    if kind == "ragged":
        [row] = json.loads(good)["instances"]
        return kind, json.dumps({"instances": [row, row[:-1]]}).encode()
    return kind, b""


def message(draw, path, good):
    """(kind, the pieces of a malformed request, whether to leave without waiting for an answer)."""
    kind = draw.choice(["body"] * 6 + ["header", "target", "length", "chunks", "large", "slow", "abort", "garbage"])
    if kind == "body":
        kind, content = body(draw, good)
        return kind, [head(path, len(content)) + content], False
    if kind == "header":
        name = draw.choice([b"X" * 20_000, b"Content-Length: 5\r\nContent-Length", b"Transfer-Encoding", b"\x00", b":",
                            b"Expect", b"Upgrade", b"Connection", b"Content-Encoding"])
        text = draw.choice([b"chunked", b"gzip", b"100-continue", b"h2c", b"upgrade", b"-1", draw.randbytes(20)])
        return kind, [head(path, len(good))[:-2] + name + b": " + text + b"\r\n\r\n" + good], False
    if kind == "target":
        target = draw.choice(["/", "*", "/v1/models/%00:predict", "/v1/models/x:predict", path + "x", "/%zz",
                              "/v1/models/intent/versions/99999999999999999999:predict", "http://[/", "//" * 500,
                              path + "?a=b#c"])
        return kind, [head(target, len(good)) + good], False
    if kind == "length":
        claimed = draw.choice([-1, "x", 0, 10**9, 10**30, len(good) - 3])
        return kind, [head(path, claimed) + good], draw.random() < 0.5
    if kind == "chunks":
        chunk = draw.choice([b"zz\r\n", b"5\r\nabc\r\n", b"-5\r\n", b"ffffffffffffffffff\r\n", b"0\r\n\r\n"])
        return kind, [head(path, None)[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + chunk], True
    if kind == "large":
        return kind, [head(path, 6_000_000)] + [b"[" * 60_000] * draw.choice([3, 100]), draw.random() < 0.5
    if kind == "slow":
        data = head(path, len(good)) + good
        return kind, [data[start:start + 9] for start in range(0, draw.randrange(len(data)), 9)], True
    if kind == "abort":
        data = head(path, len(good)) + good
        return kind, [data[:draw.randrange(len(data) + 1)]], True
    return kind, [draw.randbytes(draw.randrange(1, 300)) + b"\r\n\r\n"], False


def head(path, length):
    line = b"" if length is None else f"Content-Length: {length}\r\n".encode()
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + line + b"\r\n"


async def fuzz(host, port, path, good, expected, count, seed=0):
    """Sends `count` malformed requests, and good ones meanwhile. `expected(reply)` says whether an answer is right."""
    outcome, draws = Outcome(), random.Random(seed)
    messages = iter([message(draws, path, good) for _ in range(count)])
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(GOOD_PARALLEL):
            group.create_task(ask_well(host, port, head(path, len(good)) + good, expected, outcome, done))
        bad = [group.create_task(ask_badly(host, port, messages, outcome)) for _ in range(BAD_PARALLEL)]
        await asyncio.wait(bad)
        done.set()
    return outcome


async def ask_well(host, port, request, expected, outcome, done):
    reader, writer = await asyncio.open_connection(host, port)
    while not done.is_set():
        writer.write(request)
        async with asyncio.timeout(30):
            status, content = await read_reply(reader)
        if status == 200 and expected(content):
            outcome.good += 1
        elif status != 503:
            outcome.wrong.append((status, content[:200]))
        await asyncio.sleep(0.005)
    writer.close()


async def ask_badly(host, port, messages, outcome):
    for kind, pieces, leaves in messages:
        outcome.kinds[kind] += 1
        status = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0)
                if not leaves:
                    writer.write(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")     # ends what waits for more
                    async with asyncio.timeout(30):
                        status, _ = await read_reply(reader)
        outcome.statuses[status] += 1


async def read_reply(reader):
    status = 100
    while status == 100:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        status = int(lines[0].split()[1])
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
    return status, await reader.readexactly(length)


def megabytes(pid):
    with open(f"/proc/{pid}/statm") as facts:
        return int(facts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main():
    import numpy as np

    from asyncpatterns.chatbot import MODEL_DIR, encode, sample_requests
    from asyncpatterns.serving import TensorFlowModel
    from asyncpatterns.serving.processes import ServerProcess, batched_arguments

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    tokens = encode(sample_requests(1, seed=0))
    direct = TensorFlowModel(MODEL_DIR).run({"tokens": tokens})

    def right(content):
        [row] = json.loads(content)["predictions"]
        return all(np.allclose(row[name], array[0], atol=1e-3) for name, array in direct.items())

    async def run():
        async with ServerProcess(*batched_arguments(MODEL_DIR)) as server:
            good = json.dumps({"instances": tokens.tolist()}).encode()
            for part in range(5):
                outcome = await fuzz(server.host, server.port, server.path, good, right, count // 5, seed=part)
                print(f"seed {part}: {outcome.kinds.total():,} malformed, {outcome.good:,} good answered right, "
                      f"{len(outcome.wrong)} wrong, 5xx {outcome.server_errors}, statuses {dict(outcome.statuses)}, "
                      f"{megabytes(server.pid):.0f} MiB", flush=True)
            await server.stop()
            print("exit status", await server.wait())
    asyncio.run(run())


if __name__ == "__main__":
    main()
