"""Actors that the tests of several files use."""

import asyncio
from typing import Any

from asyncpatterns import Actor


class Echo(Actor):
    """Answers with what it is asked; a callable is called, an exception raised."""

    def receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return message(self) if callable(message) else message


class Sleeper(Actor):
    """Sleeps as many seconds as the message says, and remembers when it began and ended."""

    def __init__(self, log: list | None = None) -> None:
        self.log = [] if log is None else log

    async def receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        self.log.append(("begin", message, asyncio.get_running_loop().time()))
        await asyncio.sleep(message)
        self.log.append(("end", message, asyncio.get_running_loop().time()))
        return message


class Logger(Actor):
    """Writes what happens to it into a list: (name, "start" | "stop" | message, ...)."""

    def __init__(self, log: list, on_start: Any = None) -> None:
        self.log = log
        self.first = on_start

    def on_start(self) -> None:
        self.log.append((self.ref.name, "start"))
        if self.first is not None:
            self.first()

    def receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        self.log.append((self.ref.name, message))
        return message

    def on_stop(self, reason: Any) -> None:
        self.log.append((self.ref.name, "stop", reason))
