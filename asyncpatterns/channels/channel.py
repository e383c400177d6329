"""`Channel`: the handle that programs hold."""

from typing import Generic, TypeVar

from .core import NOTHING, ChannelStatistics, Core
from .ends import Receiver, Sender
from .errors import WouldBlock
from .operations import Next, Receive, Send, Values
from .options import ReceiveWith, SendWith
from .pacing import pace

T = TypeVar("T")
_new = object.__new__


class Channel(Generic[T]):
    """Hands values from tasks that send to tasks that receive, after Hoare's CSP (1978) and Go's channels.

    `capacity` is how many values wait inside: 0 (a send and a receive meet: rendezvous), a number, or `math.inf`, which
    has to be spelled out because nothing then holds a fast sender back. Anything else raises `ValueError`.

    Waiters are served first come, first served, and what was handed to one is never taken by a newcomer. A timeout or
    a cancellation loses nothing and leaves no trace. A channel is always true, also when it is empty. It belongs to no
    event loop: it may be used from several, one after another, but never from two threads at the same time.
    """

    __slots__ = ("__weakref__", "_core", "_receive")

    def __init__(self, capacity: float = 0, name: str | None = None) -> None:
        self._core = Core(capacity, name)
        self._receive: Receive[T] = Receive(self._core)     # has no state, so that one is enough
        pace.start_afresh_on_a_new_loop()

    # --- operations that may wait ---

    def send(self, value: T, *, timeout: float | None = None) -> Send:
        """Await it to hand over the value: to a receiver, or to the buffer.

        Raises `ChannelClosed` when the channel is or becomes closed, `ChannelBroken` when its last receiver end has
        gone, `TimeoutError` after `timeout` seconds (0 tries once); in each of these cases the value was not sent. A
        send that is cancelled has either happened or left no trace.
        """
        if timeout is not None:
            return SendWith(self._core, value, timeout)
        send = _new(Send)       # a call of __init__ would be a third of what making it costs
        send._core = self._core
        send._value = value
        return send

    def receive(self, *, timeout: float | None = None) -> Receive[T]:
        """Await it for the next value.

        Raises `ChannelClosed` when the channel is closed and drained, `TimeoutError` after `timeout` seconds (0 tries
        once). If it is cancelled when a value has been handed to it already, the value goes to the next receiver, or
        back in front of what is buffered.
        """
        return self._receive if timeout is None else ReceiveWith(self._core, timeout)

    def __aiter__(self) -> Values[T]:
        """`async for value in channel`: until it is closed and drained."""
        return Values(Next(self._core))

    # --- operations that never wait ---

    def send_nowait(self, value: T) -> None:
        """Raises `WouldBlock` if `send` would have to wait, and otherwise what `send` raises."""
        if not self._core.put(value):
            raise WouldBlock(f"{self._core.title()} is full, or nobody receives from it now")

    def receive_nowait(self) -> T:
        """Raises `WouldBlock` if `receive` would have to wait, and otherwise what `receive` raises."""
        value = self._core.take()
        if value is not NOTHING:
            return value
        if self._core.closed:
            raise self._core.end_of_values()
        raise WouldBlock(f"{self._core.title()} is empty")

    def close(self) -> None:
        """No more sends. What is buffered can still be received; who waits gets `ChannelClosed`. Idempotent."""
        self._core.close()

    # --- counted ends ---

    def sender(self) -> Sender[T]:
        """A new sending end. When the last one is closed, the channel is closed."""
        return Sender(self._core, self)

    def receiver(self) -> Receiver[T]:
        """A new receiving end. When the last one is closed, every send raises `ChannelBroken`."""
        return Receiver(self._core, self)

    # --- looking at it ---

    @property
    def name(self) -> str | None:
        return self._core.name

    @property
    def capacity(self) -> float:
        return self._core.capacity

    @property
    def closed(self) -> bool:
        return self._core.closed

    def statistics(self) -> ChannelStatistics:
        """Counts and levels at this moment."""
        return self._core.statistics()

    def __len__(self) -> int:
        return len(self._core)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return repr(self._core)
