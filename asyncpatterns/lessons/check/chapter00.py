"""Chapter 00: the smallest exercise there is, a function of a batch."""

from collections.abc import Callable
from typing import Any

from .core import check, expect


@check("a function of a batch")
def shouts(function: Callable[[list[str]], Any]) -> str:
    """`function(words)` takes a list of words and returns a list: each word in capitals, in the same order."""
    words = ["two", "tickets", "please"]
    got = function(words)
    saw = f"of {['two', 'tickets', 'please']} it made {got!r}"
    expect(got is not None, saw="it returned nothing", hint="A function without `return` returns None.")
    expect(words == ["two", "tickets", "please"], saw=f"the caller's list came back as {words}",
           hint="The list belongs to whoever called. Make a new one: `[... for word in words]`.")
    expect(not isinstance(got, str), saw=saw,
           hint="One text came out, three words went in: return a list, a result for each word.")
    expect(isinstance(got, list | tuple), saw=saw, hint="Return a list. `[... for word in words]` makes one.")
    expect(len(got) == 3, saw=saw, hint="As many results as words: a caller whose result is missing would wait for it.")
    expect(sorted(got) == ["PLEASE", "TICKETS", "TWO"], saw=saw, hint='`"two".upper()` is `"TWO"`.')
    expect(list(got) == ["TWO", "TICKETS", "PLEASE"], saw=saw,
           hint="The same order as the words: the result at a place goes to the caller of the word at that place.")
    got = function(["a"])
    expect(got == ["A"], saw=f"of ['a'] it made {got!r}", hint="Some batches hold a single word.")
    return "3 words in, 3 out, in their order; and a batch of one"


@check("fewer calls")
def fewer_calls(calls: int, bar: int, requests: int, answered: int) -> str:
    """Answer all of the requests with fewer calls than the bar says."""
    expect(answered == requests, saw=f"{answered:,} of {requests:,} requests were answered",
           hint="Every request wants its answer; calls saved on them do not count.")
    expect(calls < bar, saw=f"{calls} calls for {requests:,} requests, to beat: {bar}",
           hint="How many requests fit into a batch? `max_batch_size` says.")
    return f"{requests:,} requests, {calls} calls"
