"""The peers' benchmark: what wrk printed is read right, and what is not installed is skipped by name."""

import pytest

from benchmarks.peers.contestants import CONTESTANTS
from benchmarks.peers.environments import python_of
from benchmarks.peers.loads import Result, parse_wrk
from benchmarks.peers.report import ahead, table

WRK = """Running 2s test @ http://127.0.0.1:39857/v1/models/intent:predict
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   984.50ms  470.95ms   1.93s    68.50%
    Req/Sec    34.00     21.57    70.00     52.94%
  Latency Distribution
     50%  882.36us
     75%    1.30s\N{SPACE}
     99%    1.93s\N{SPACE}
  62 requests in 2.00s, 333.13KB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 4
Requests/sec:     30.94
"""


def test_what_wrk_printed_is_read_right():
    assert parse_wrk(WRK, 64) == Result(("closed", 64), 30.94, 882.36e-6, 1.93, errors=7)
    with pytest.raises(ValueError, match="wrk printed no"):
        parse_wrk("unable to connect", 64)


def test_every_peer_has_a_request_and_one_without_an_environment_has_no_python(tmp_path):
    for contestant in CONTESTANTS.values():
        assert "[1, 2]" in contestant.request("[1, 2]") and "{port}" in " ".join(contestant.arguments)
        assert (python_of(contestant, tmp_path) is None) == bool(contestant.packages)


def run(answered, p99, memory):
    return {"memory": [memory], "results": [Result(("closed", 64), answered, p99 / 2, p99, 0).to_json()]}


def test_the_table_says_who_is_ahead_of_us():
    runs = {"mosec": run(200.0, 0.3, 100.0), "ours": run(100.0, 0.2, 50.0)}
    assert "| ours | 100 | 200.0 | – | – | – | – | 50 |" in table(runs)
    assert ahead(runs) == [f"{CONTESTANTS['mosec'].title}: 2.00 × our requests/s at 64 connections"]
