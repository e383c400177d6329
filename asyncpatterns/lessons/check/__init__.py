"""Checks for the exercises, a module for each chapter.

    from asyncpatterns.lessons.check import chapter08 as check
    check.gathers(TinyBatcher)

A check prints PASS or FAIL, what was seen, and on a FAIL what to try. It never raises, takes well under a second, and
says the same thing each time: it runs on a virtual clock with models that are made for it. `core` says how to write
one.
"""

from .core import Verdict, check, expect, given, stub, unsolved

__all__ = ["Verdict", "check", "expect", "given", "stub", "unsolved"]
