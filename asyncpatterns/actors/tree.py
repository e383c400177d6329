"""The tree of a system at one moment: data for whoever draws it, text for the terminal, a table for the notebook."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .cell import Cell
    from .system import ActorSystem

# A notebook cell with more rows than this is of no use to anybody.
ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Node:
    """One actor: `mailbox` messages wait of `capacity`; `handled` and `failed` count over all its incarnations."""

    path: str
    name: str
    kind: str                   # "actor", "supervisor", "folder"
    behavior: str               # the name of its class
    state: str                  # "starting", "idle", "busy", "stopping", "restarting"
    mailbox: int
    capacity: float
    handled: int
    failed: int
    restarts: int
    children: tuple["Node", ...]

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Node"]]:
        """This node and all below it with their depths, parents first."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True, slots=True, repr=False)
class Tree:
    """What `system.tree()` returns: `roots` are the actors that the system itself has spawned."""

    name: str
    roots: tuple[Node, ...]
    dead_letters: int

    def walk(self) -> Iterator[tuple[int, Node]]:
        """All nodes with their depths, parents first."""
        for root in self.roots:
            yield from root.walk()

    def __str__(self) -> str:
        rows = [_row(depth, node) for depth, node in self.walk()]
        head = self._head(len(rows))
        if not rows:
            return head
        table = [_HEAD, *rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(_HEAD))]
        return "\n".join([head, *(_line(row, widths) for row in table)])

    __repr__ = __str__

    def _head(self, actors: int) -> str:
        return f"{self.name}: {_plural(actors, 'actor')}, {_plural(self.dead_letters, 'dead letter')}"

    def _repr_html_(self) -> str:
        rows = [(depth, node) for depth, node in self.walk()]
        cells = "".join(_html_row(depth, node) for depth, node in rows[:ROWS])
        more = f"<p>… and {len(rows) - ROWS:,} more</p>" if len(rows) > ROWS else ""
        heads = "".join(f"<th style='text-align:left'>{html.escape(title)}</th>" for title in _HEAD)
        caption = html.escape(self._head(len(rows)))
        return f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>{more}"


_HEAD: Final = ("path", "kind", "state", "mailbox", "handled", "failed", "restarts")
_SIGNS: Final = {"idle": "○", "busy": "●", "starting": "◔", "restarting": "↻", "stopping": "◌"}


def _row(depth: int, node: Node) -> tuple[str, ...]:
    return (
        "  " * depth + node.path,
        node.behavior,
        node.state,
        f"{node.mailbox}/{node.capacity}",
        str(node.handled),
        str(node.failed),
        str(node.restarts),
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
    return "  ".join(left + right).rstrip()


def _html_row(depth: int, node: Node) -> str:
    path, behavior, state, *numbers = map(html.escape, _row(0, node))
    indented = f"<td style='text-align:left;padding-left:{0.5 + 1.5 * depth}em'><code>{path}</code></td>"
    marked = f"<td style='text-align:left'>{_SIGNS.get(node.state, '')} {state}</td>"
    rest = "".join(f"<td>{number}</td>" for number in numbers)
    return f"<tr>{indented}<td style='text-align:left'>{behavior}</td>{marked}{rest}</tr>"


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def tree_of(system: "ActorSystem") -> Tree:
    roots = system._root.children or {}
    return Tree(system.name, tuple(_node(cell) for cell in roots.values()), system.dead_letters.total)


def _node(cell: "Cell") -> Node:
    extras = cell.extras
    return Node(
        path=cell.path,
        name=cell.name,
        kind=getattr(cell.actor, "_kind", "actor"),
        behavior=type(cell.actor).__name__ if cell.actor is not None else "",
        state=cell.state(),
        mailbox=cell.waiting(),
        capacity=cell.policy.capacity,
        handled=cell.handled,
        failed=0 if extras is None else extras.failed,
        restarts=0 if extras is None else extras.restarts,
        children=tuple(_node(child) for child in (cell.children or {}).values()),
    )
