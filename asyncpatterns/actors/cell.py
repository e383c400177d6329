"""The cell: one actor from its birth to its death, through all its incarnations. Everything else is a view of it.

    RESTING ──built──> STARTING ──on_start──> LIVE ──> ENDING ──on_stop──> RESTING again, or DEAD

Invariants
    1. `busy` is false only in LIVE with nothing to do; then there is no mailbox either. Only then must a message or an
       order set things going itself: otherwise somebody is at work who looks at the mail, `closed` and `verdict`.
    2. `closed` means: take no mail, handle what is queued, then end. `verdict` means: end now, for this reason, and
       leave the mail alone; `kill` throws it away first.
    3. `room` is how many entries the mailbox may hold: none when closed, and one more for each notice, which needs
       no room. It is the one thing that `tell` compares with.
    4. No user code runs inside tell, stop or kill: handlers and hooks run from the loop, or where somebody awaits.
    5. When an incarnation is over, exactly one decides what comes next: who ordered the end and waits for it, else
       the keeper (a supervisor), else nobody, and the actor is dead.
    6. `sealed` is true whenever an envelope is in the mail. It is lowered when the mailbox ends.
    7. An entry that has left the mailbox has been handled, has crashed the actor, was interrupted with its handler,
       or is a dead letter.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .asking import BEHALF, Ask, Reply, Turn
from .ending import discard_mail, finish
from .errors import ActorStopped, Ended, MailboxFull
from .mailbox import Envelope, Farewell, Mailbox
from .parts import DEAD, ENDING, HOOK, LIVE, NOTHING, RESTING, STARTING, Extras, Mark
from .ref import ActorRef, Terminated
from .running import activate, drain
from .traits import Traits

if TYPE_CHECKING:
    from .actor import Actor
    from .system import ActorSystem

class Cell:
    """Slotted and small, because there may be a hundred thousand of it; what is rarely needed is in `extras`."""

    __slots__ = (
        "_title", "actor", "attention", "busy", "children", "closed", "entry", "extras", "handled", "mail",
        "mark", "name", "notices", "parent", "phase", "policy", "reason", "ref", "room", "sealed", "senders", "serial",
        "system", "task", "traits", "turn", "verdict",
    )  # fmt: skip

    def __init__(self, system: "ActorSystem", parent: "Cell | None", name: str, policy: Mailbox) -> None:
        self.system = system
        self.parent = parent
        self.name = name
        self._title: str | None = None                  # what its tasks are called
        self.ref: ActorRef | None = None
        self.actor: Actor = None  # type: ignore[assignment]    # None only when no incarnation was ever built, or dead
        self.traits: Traits = None  # type: ignore[assignment]  # of its class
        self.phase = RESTING
        self.busy = True
        self.closed = False
        self.verdict: Any = None
        self.attention = False                          # has a handler anything unusual to see to at its end?
        self.reason: Any = None                         # why the last incarnation ended
        self.policy = policy
        self.room = policy.places
        self.mail: deque[Any] | None = None
        self.sealed = False                             # may there be envelopes in the mail, or bare messages only?
        self.notices = 0                                # entries of the mail that need no room
        self.senders: OrderedDict[asyncio.Future[None], Any] | None = None     # waiting for room, with their messages
        self.task: asyncio.Task[None] | None = None
        self.entry: Any = NOTHING                       # what is being handled, or HOOK
        self.serial = 0                                 # of the turn that is going on
        self.turn: Turn | None = None                   # the turn itself, once somebody wants to know about it
        self.mark: Mark | None = None
        self.handled = 0
        self.children: dict[str, Cell] | None = None    # in the order they were spawned
        self.extras: Extras | None = None

    # --- names ---

    @property
    def path(self) -> str:
        return self.name if self.parent is None else f"{self.parent.path}/{self.name}"

    @property
    def title(self) -> str:
        if self._title is None:
            self._title = f"actor {self.path}"
        return self._title

    def reference(self) -> ActorRef:
        if self.ref is None:
            self.ref = ActorRef(self)
        return self.ref

    def rarely(self) -> Extras:
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    def state(self) -> str:
        if self.phase is RESTING and self.actor is None:
            return STARTING.value
        if self.phase is not LIVE:
            return self.phase.value
        return "stopping" if self.closed else "busy" if self.busy else "idle"

    def waiting(self) -> int:
        """How many messages wait that take up room."""
        return 0 if self.mail is None else len(self.mail) - self.notices

    def describe(self) -> str:
        if self.phase is DEAD:
            return f"{self.path} dead: {self.reason if isinstance(self.reason, Ended) else repr(self.reason)}"
        queued = self.waiting()
        return f"{self.path} {self.state()}" + (f", {queued}/{self.policy.capacity} messages wait" if queued else "")

    # --- mail comes in ---

    def post(self, message: Any) -> None:
        """Take a message, or make it a dead letter."""
        mail = self.mail
        if self.closed:
            self.system.dead_letters.add(self.reference(), message, str(self.stopped_error()))
        elif mail is None:
            self.mail = deque((message,))
            if not self.busy:
                activate(self)
        elif len(mail) < self.room or self._make_room():
            mail.append(message)
        else:
            self.system.dead_letters.add(self.reference(), message, "mailbox full")

    def post_ask(self, ask: Ask) -> None:
        """Take an ask, or raise `ActorStopped` or `MailboxFull`."""
        mail = self.mail
        if self.closed:
            raise self.stopped_error()
        self.sealed = True
        if mail is None:
            self.mail = deque((ask,))
            if not self.busy:
                activate(self)
        elif len(mail) < self.room or self._make_room():
            mail.append(ask)
        else:
            raise MailboxFull.of(self)

    def handle_at_once(self, ask: Ask) -> None:
        """Let an idle actor whose handler does not wait handle an ask here and now.

        Only for one who awaits: that is where he expects others to run.
        """
        self.busy = self.sealed = True
        self.mail = deque((ask,))
        self.system.context.copy().run(drain, self)

    def post_notice(self, notice: Envelope) -> None:
        """Take a message of the system: it needs no room. A closed mailbox does not want it."""
        if self.closed:
            return
        if self.mail is None:
            self.mail = deque()
        self.mail.append(notice)
        self.sealed = True
        self.count_notices(1)
        if not self.busy:
            activate(self)

    def count_notices(self, more: int) -> None:
        self.notices += more
        self.room = -1 if self.closed else self.policy.places + self.notices

    def close(self) -> None:
        """Refuse mail from now on."""
        self.closed = True
        self.count_notices(0)
        senders, self.senders = self.senders, None
        for waiter in senders or ():
            if not waiter.done():
                waiter.set_exception(self.stopped_error())

    def reopen(self) -> None:
        self.closed = False
        self.count_notices(0)

    def _make_room(self) -> bool:
        """Drop the message that has waited longest, if that is the policy."""
        if self.policy.overflow != "drop_oldest":
            return False
        mail = self.mail
        assert mail is not None
        index = next(i for i, entry in enumerate(mail) if not isinstance(entry, Envelope) or entry.counts)
        oldest = mail[index]
        del mail[index]
        self.lose(oldest, "dropped from a full mailbox for a newer message", lambda: MailboxFull.of(self))
        return True

    def lose(self, entry: Any, why: str, error: Callable[[], Exception]) -> None:
        """What was accepted will not be handled: it is a dead letter, and if it was an ask, the asker is told."""
        if type(entry) is Ask:
            entry.fail(error())
        elif isinstance(entry, Envelope):
            entry.drop(self)
            return      # ticks and notices die with the one they were for
        self.system.dead_letters.add(self.reference(), entry.message if type(entry) is Ask else entry, why)

    def has_room(self) -> bool:
        if self.closed:
            raise self.stopped_error()
        return self.senders is None and (self.mail is None or len(self.mail) < self.room)

    def queue_for_room(self, message: Any) -> "asyncio.Future[None]":
        if self.senders is None:
            self.senders = OrderedDict()
        waiter: asyncio.Future[None] = self.system.loop.create_future()
        self.senders[waiter] = message
        self.attention = True
        return waiter

    def leave_queue(self, waiter: "asyncio.Future[None]") -> None:
        if self.senders is not None:
            self.senders.pop(waiter, None)
            if not self.senders:
                self.senders = None

    def admit(self) -> None:
        """Give the room there is to those who wait for it, before any newcomer can have it."""
        mail, senders = self.mail, self.senders
        while senders and mail is not None and len(mail) < self.room:
            waiter, message = senders.popitem(last=False)
            if not waiter.done():       # else its sender has been cancelled in this very turn of the loop
                mail.append(message)
                waiter.set_result(None)
        if not senders:
            self.senders = None

    # --- what a handler may do with its message ---

    def stash(self) -> None:
        if self.entry is NOTHING or self.entry is HOOK or self.mark is not None:
            raise RuntimeError("stash() is for the message being handled: once, in receive, not after reply_later()")
        self.rarely().stash.append(self.entry)
        self.mark = Mark.STASHED
        self.attention = True

    def unstash(self) -> None:
        if self.extras is None or not self.extras.stash:
            return
        stash, self.extras.stash = self.extras.stash, []
        if self.mail is None:
            self.mail = deque()
        self.mail.extendleft(reversed(stash))
        self.sealed = True
        self.count_notices(sum(isinstance(entry, Envelope) and not entry.counts for entry in stash))
        if not self.busy:
            activate(self)

    def promise(self) -> Reply:
        if self.entry is NOTHING or self.entry is HOOK or self.mark is Mark.STASHED:
            raise RuntimeError("reply_later() is for the message being handled: in receive, not after stash()")
        extras = self.rarely()
        if extras.reply is None:
            ask = self.entry if type(self.entry) is Ask else None
            extras.reply = Reply(self, ask)
            self.mark = Mark.PROMISED
            self.attention = True
            if ask is not None:
                self._promise_to(ask)
        return extras.reply

    def _promise_to(self, ask: Ask) -> None:
        if self.task is None:       # a plain handler: helper tasks that it starts from now on work for the asker
            self.serial += 1
            BEHALF.set((self, self.serial))
        turn = self.turn_at(self.serial)
        assert turn is not None
        turn.promised, ask.promiser = ask, turn
        self.rarely().promises[self.serial] = turn

    def take_back(self, mark: Mark) -> None:
        """The handler that stashed its message or promised an answer has raised."""
        extras = self.rarely()
        if mark is Mark.STASHED:
            extras.stash.pop()
        elif extras.reply is not None:
            extras.reply.withdraw()
            extras.reply = None

    def turn_at(self, serial: int) -> Turn | None:
        """The turn with this number, if it is still open: the current one, or one that has promised an answer."""
        if serial == self.serial:
            if self.turn is None:
                self.turn = Turn(self, serial)
                self.attention = True
            return self.turn
        promised = None if self.extras is None else self.extras.promises.get(serial)
        return promised if promised is not None and promised.is_open() else None

    def forget_promise(self, turn: Turn) -> None:
        if self.extras is not None:
            self.extras.promises.pop(turn.serial, None)

    def new_task(self, coroutine: Any) -> "asyncio.Task[None]":
        # Not loop.create_task: a factory of eager tasks would run user code here and now (invariant 4).
        system = self.system
        return asyncio.Task(coroutine, loop=system.loop, name=self.title, context=system.context.copy())

    # --- orders ---

    def stop(self) -> None:
        """Handle what is queued, refuse the rest, end."""
        if self.closed:
            return
        self.close()
        if self.extras is not None and self.extras.timers is not None:
            self.extras.timers.pause()
        if not self.busy:
            finish(self, Ended.STOPPED)

    def kill(self) -> None:
        """End now: no more mail, and the handler or hook that is running is cancelled."""
        if self.phase is DEAD:
            return
        discard_mail(self, "killed", Ended.KILLED)
        if self.phase is RESTING:     # there is no incarnation to kill; the first one is killed when it is there
            self.verdict = None if self.extras is None or self.extras.launched else Ended.KILLED
            return
        self.close()
        self._interrupt(Ended.KILLED)
        if self.phase is ENDING:
            for child in list((self.children or {}).values()):
                child.kill()

    def expire(self) -> None:
        """The time it was given to end is up."""
        if self.phase is DEAD:
            return
        self.rarely().hurry = True
        if not self.busy:
            self.stop()                         # nothing to cut short
        elif self.verdict is Ended.RESTARTED:
            self._interrupt(Ended.RESTARTED)    # its mail is for the next incarnation
        else:
            self.kill()
        for child in list((self.children or {}).values()):
            child.expire()

    def fail(self, error: BaseException) -> None:
        """End as if a handler had raised `error`."""
        if self.verdict is None and self.phase in (STARTING, LIVE):
            self._interrupt(error)

    def condemn(self, verdict: Any) -> None:
        self.verdict = verdict
        self.attention = True

    def _interrupt(self, verdict: Any) -> None:
        self.condemn(verdict)
        if self.task is not None and self.entry is not NOTHING:
            self.task.cancel()
        elif not self.busy:
            finish(self, verdict)

    def stopped_error(self) -> ActorStopped:
        return ActorStopped(self.path, self.reason)

    def is_doomed(self) -> bool:
        """Is even the message being handled not to be finished?"""
        return self.verdict is Ended.KILLED or isinstance(self.verdict, BaseException)

    def in_a_hurry(self) -> bool:
        return self.extras is not None and self.extras.hurry

    # --- children, and who waits for the end ---

    def adopt(self, child: "Cell") -> None:
        if self.children is None:
            self.children = {}
        if child.name in self.children:
            raise ValueError(f"{self.path} has a child named {child.name!r} already")
        self.children[child.name] = child

    def disown(self, child: "Cell") -> None:
        if self.children is not None and self.children.get(child.name) is child:
            del self.children[child.name]
            if not self.children:
                self.children = None    # a dict that once was large stays large

    def queue_for_end(self) -> "asyncio.Future[Any]":
        waiter: asyncio.Future[Any] = self.system.loop.create_future()
        if self.phase is DEAD:
            waiter.set_result(self.reason)
        else:
            self.rarely().endings[waiter] = None
        return waiter

    def forget_end(self, waiter: "asyncio.Future[Any]") -> None:
        if self.extras is not None:
            self.extras.endings.pop(waiter, None)

    def watch(self, other: "Cell") -> None:
        """Be told when the other is dead; an end that one has been told of, but has not read, is not told twice."""
        if other.phase is not DEAD:
            other.rarely().watchers[self] = other.reference()
            self.rarely().watching[other] = None
        elif other not in self.rarely().watching:
            self.tell_the_end(other, other.reference())

    def tell_the_end(self, other: "Cell", ref: ActorRef) -> None:
        if not self.closed:
            self.rarely().watching[other] = None
            self.post_notice(Farewell(other, Terminated(ref, other.reason)))
