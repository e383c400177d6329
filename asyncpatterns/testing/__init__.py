"""Tests that take no time: an event loop whose clock jumps, and a deadlock that names who waits for what."""

from .report import Deadlock
from .runner import run

__all__ = ["Deadlock", "run"]
